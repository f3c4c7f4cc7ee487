//! A schedule as somebody asks for it, over the API or in the configuration, and what the store is given.
//!
//! 1. [`Draft::check`] looks at every field and names all that are wrong, with the value and what would be right.
//! 2. [`Timing`] is a checked expression with its zone: it tells when a schedule fires.
//! 3. [`limits`] are attempts and time of the schedule's jobs: their kind's.
//! 4. [`Asking`] runs a schedule now, or for a span that has passed.

mod asked;

use std::time::Duration;

use cron::{Cron, Zone};
use jiff::Timestamp;
use job::{FieldError, Kind, QueueName};
use serde_json::Value;
use serde_json::value::to_raw_value;
use store::{CatchUp, Overlap, ScheduleSpec, TickLimits};

use crate::jobs::store_retention::StoreRetention;
use crate::registry::Registry;

pub use asked::{AskError, Asking, Backfilled, MOST_BACKFILLED};

/// The longest lateness and the longest jitter.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// The lateness of a schedule that does not say.
const LATENESS: Duration = Duration::from_secs(86_400);
/// The largest arguments, in bytes of JSON.
const LARGEST_ARGS: usize = 64 << 10;

/// No schedule's name: over the API it is a call.
const PREVIEW: &str = "preview";
/// The longest reason of a pause, in bytes.
const LONGEST_REASON: usize = 500;

/// A schedule as it is asked for; what is not said has its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// When.
    pub cron: String,
    /// By whose clocks; UTC unless said.
    pub timezone: Option<String>,
    /// The kind of its jobs.
    pub kind: String,
    /// Their queue; the kind's own unless said.
    pub queue: Option<String>,
    /// Their arguments; `{}` unless said.
    pub args: Option<Value>,
    /// `once` unless said.
    pub catch_up: Option<CatchUp>,
    /// A day unless said.
    pub max_lateness: Option<Duration>,
    /// `skip` unless said.
    pub overlap: Option<Overlap>,
    /// None unless said.
    pub jitter: Option<Duration>,
    /// Never unless said.
    pub failure_limit: Option<u32>,
}

impl Draft {
    /// The definition, if everything about it is right: zone and expression read, the kind exists and takes the
    /// arguments, a worker consumes the queue.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn check(&self, registry: &Registry, queues: &[QueueName]) -> Result<ScheduleSpec, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let cron = noted(&mut wrong, "cron", Cron::parse(&self.cron));
        let zone = noted(&mut wrong, "timezone", Zone::parse(self.timezone.as_deref().unwrap_or("UTC")));
        let entry = match Kind::new(&self.kind).ok().and_then(|kind| registry.find(&kind)) {
            Some(entry) => Some(entry),
            None => {
                wrong.push(FieldError::new("kind", format!("no such kind: {:.80}", self.kind)));
                None
            }
        };
        let queue = match &self.queue {
            Some(name) => noted(&mut wrong, "queue", QueueName::new(name)),
            None => entry.map(|entry| entry.queue.clone()),
        };
        if let Some(queue) = &queue
            && !queues.contains(queue)
        {
            let known = queues.iter().map(QueueName::as_str).collect::<Vec<_>>().join(", ");
            wrong.push(FieldError::new("queue", format!("no worker consumes {queue}; there are {known}")));
        }
        let args = self.args.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        match to_raw_value(&args) {
            _ if !args.is_object() => wrong.push(FieldError::new("args", "an object is expected")),
            _ if holds_nul(&args) => wrong.push(FieldError::new("args", "NUL is in it, which no text may hold")),
            Ok(text) if text.get().len() > LARGEST_ARGS => {
                wrong.push(FieldError::new("args", format!("larger than {LARGEST_ARGS} bytes")));
            }
            Ok(text) => {
                let found = entry.map_or(Ok(()), |entry| entry.check(&text));
                wrong.extend(found.err().unwrap_or_default().into_iter().map(in_args));
            }
            Err(e) => wrong.push(FieldError::new("args", e.to_string())),
        }
        for (field, time) in [("max_lateness", self.max_lateness), ("jitter", self.jitter)] {
            if time.is_some_and(|time| time > LONGEST) {
                wrong.push(FieldError::new(field, "at most 366d is expected"));
            }
        }
        if self.failure_limit == Some(0) {
            wrong.push(FieldError::new("failure_limit", "1 or more is expected; leave it out for no limit"));
        }
        match (cron, zone, queue) {
            (Some(cron), Some(zone), Some(queue)) if wrong.is_empty() => Ok(ScheduleSpec {
                cron: cron.as_str().to_owned(),
                timezone: zone.name().to_owned(),
                kind: self.kind.clone(),
                queue: queue.to_string(),
                args,
                catch_up: self.catch_up.unwrap_or(CatchUp::Once),
                max_lateness: self.max_lateness.unwrap_or(LATENESS),
                overlap: self.overlap.unwrap_or(Overlap::Skip),
                jitter: self.jitter.unwrap_or_default(),
                failure_limit: self.failure_limit,
            }),
            _ => Err(wrong),
        }
    }

    /// What would define a schedule again as it is.
    #[must_use]
    pub fn of(spec: &ScheduleSpec) -> Self {
        Self {
            cron: spec.cron.clone(),
            timezone: Some(spec.timezone.clone()),
            kind: spec.kind.clone(),
            queue: Some(spec.queue.clone()),
            args: Some(spec.args.clone()),
            catch_up: Some(spec.catch_up),
            max_lateness: Some(spec.max_lateness),
            overlap: Some(spec.overlap),
            jitter: Some(spec.jitter),
            failure_limit: spec.failure_limit,
        }
    }
}

/// A definition of the retention must keep mails for longer than the reconciliation looks back over: `window`.
///
/// # Errors
/// The arguments that are too short.
pub fn outlasting(spec: ScheduleSpec, window: Duration) -> Result<ScheduleSpec, Vec<FieldError>> {
    if spec.kind == <StoreRetention as job::Job>::KIND
        && let Ok(retention) = serde_json::from_value::<StoreRetention>(spec.args.clone())
    {
        retention.outlasts(window).map_err(|wrong| wrong.into_iter().map(in_args).collect::<Vec<_>>())?;
    }
    Ok(spec)
}

/// A name that a schedule can have: 1 to 64 of a-z, 0-9, `_` and `-`, a letter first, and no word that a call has in the
/// place of a name.
///
/// # Errors
/// What is expected.
pub fn check_name(name: &str) -> Result<(), FieldError> {
    let fits = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    match fits {
        true if name == PREVIEW => {
            Err(FieldError::new("name", "preview is taken: /v1/schedules/preview is a call of its own"))
        }
        true => Ok(()),
        false => Err(FieldError::new("name", "1 to 64 of a-z, 0-9, _ and - are expected, a letter first")),
    }
}

/// Why a schedule is paused, as people write it: 1 to 500 bytes on one line, not only blanks.
///
/// # Errors
/// What is expected.
pub fn check_reason(reason: &str) -> Result<(), FieldError> {
    match reason.trim().is_empty() || reason.len() > LONGEST_REASON || reason.chars().any(char::is_control) {
        true => Err(FieldError::new("reason", format!("1 to {LONGEST_REASON} bytes on one line are expected"))),
        false => Ok(()),
    }
}

/// When a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The expression.
    pub cron: Cron,
    /// Its zone.
    pub zone: Zone,
}

impl Timing {
    /// Of a stored schedule.
    ///
    /// # Errors
    /// In words, what another release has written and this one cannot read.
    pub fn of(spec: &ScheduleSpec) -> Result<Self, String> {
        let cron = Cron::parse(&spec.cron).map_err(|e| e.to_string())?;
        let zone = Zone::parse(&spec.timezone).map_err(|e| e.to_string())?;
        Ok(Self { cron, zone })
    }

    /// The first instant after `after`.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.next_after(&self.zone, after)
    }

    /// The instants after `after`.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        self.cron.after(&self.zone, after)
    }
}

/// Attempts and time of a kind's jobs; `None` for a kind that this release does not know.
#[must_use]
pub fn limits(registry: &Registry, kind: &str) -> Option<TickLimits> {
    let entry = registry.find(&Kind::new(kind).ok()?)?;
    Some(TickLimits { max_attempts: entry.max_attempts, timeout: entry.timeout })
}

fn noted<T, E: std::fmt::Display>(wrong: &mut Vec<FieldError>, field: &str, read: Result<T, E>) -> Option<T> {
    read.map_err(|e| wrong.push(FieldError::new(field, e.to_string()))).ok()
}

/// Whether a text somewhere in it holds NUL, which a database refuses.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

fn in_args(error: FieldError) -> FieldError {
    let message = error.message.split(" at line ").next().unwrap_or_default().to_owned();
    match error.field.as_str() {
        "" | "." => FieldError::new("args", message),
        field => FieldError::new(format!("args.{field}"), message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft() -> Draft {
        Draft { cron: "*/5 * * * *".to_owned(), kind: "debug.noop".to_owned(), ..Draft::default() }
    }

    fn check(draft: &Draft) -> Result<ScheduleSpec, Vec<(String, String)>> {
        let queues = ["debug", "default"].map(|name| QueueName::new(name).unwrap());
        let wrong = |errors: Vec<FieldError>| errors.into_iter().map(|e| (e.field, e.message)).collect();
        draft.check(&Registry::standard(true), &queues).map_err(wrong)
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let spec = check(&draft()).unwrap();
        assert_eq!((spec.timezone.as_str(), spec.queue.as_str(), &spec.args), ("UTC", "debug", &json!({})));
        assert_eq!((spec.catch_up, spec.overlap), (CatchUp::Once, Overlap::Skip));
        assert_eq!(check(&Draft::of(&spec)).unwrap(), spec);
    }

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let wrong = Draft {
            cron: "0 25 * * *".to_owned(),
            timezone: Some("Mars/Olympus".to_owned()),
            kind: "debug.sleep".to_owned(),
            queue: Some("nobody".to_owned()),
            args: Some(json!({"ms": "long"})),
            jitter: Some(Duration::from_secs(400 * 86_400)),
            failure_limit: Some(0),
            ..Draft::default()
        };
        let found = check(&wrong).unwrap_err();
        let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["cron", "timezone", "queue", "args.ms", "jitter", "failure_limit"]);
        assert_eq!(found[0].1, "`0 25 * * *`: hour 25 is out of 0–23");
        assert_eq!(found[2].1, "no worker consumes nobody; there are debug, default");
        let unknown = Draft { kind: "no.such".to_owned(), ..draft() };
        assert_eq!(check(&unknown).unwrap_err()[0], ("kind".to_owned(), "no such kind: no.such".to_owned()));
        let array = Draft { args: Some(json!([1])), ..draft() };
        assert_eq!(check(&array).unwrap_err()[0].0, "args");
        for nul in [json!({"a": [{"b": "x\0"}]}), json!({"a\0": 1})] {
            let nul = Draft { args: Some(nul), ..draft() };
            assert_eq!(check(&nul).unwrap_err()[0].0, "args");
        }
    }

    #[test]
    fn a_retention_outlasts_what_the_reconciliation_looks_back_over() {
        let day = Duration::from_secs(86_400);
        let kept = |mails: &str, events: &str| Draft {
            kind: "store.retention".to_owned(),
            args: Some(json!({"mail_contents": "1d", "mails": mails, "booking_events": events, "ticks": "90d"})),
            ..draft()
        };
        let fields = |draft: Draft| match outlasting(check(&draft).unwrap(), 7 * day) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.into_iter().map(|e| e.field).collect::<Vec<_>>(),
        };
        assert_eq!(fields(kept("8d", "8d")), [""; 0]);
        assert_eq!(fields(kept("7d", "8d")), ["args.mails"]);
        assert_eq!(fields(kept("2d", "7d")), ["args.mails", "args.booking_events"]);
        assert_eq!(fields(draft()), [""; 0]);
    }

    #[test]
    fn names_are_words() {
        assert!(check_name("search-report-daily_2").is_ok());
        for bad in ["", "1st", "Daily", "a b", "a:b", &"x".repeat(65), "preview"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_is_words_on_one_line() {
        assert!(check_reason("the archive is being moved").is_ok());
        for bad in ["", " ", "a\nb", "\u{1b}[31mred", &"x".repeat(501)] {
            assert!(check_reason(bad).is_err(), "{bad:?}");
        }
    }
}
