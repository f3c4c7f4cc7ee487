//! A job as a caller asks for it, and the envelope that becomes of it.
//!
//! 1. The JSON is read once, into [`NewJob`]; `args` stays text.
//! 2. [`NewJob::accept`] looks the kind up, checks the arguments against it and every other field against its range,
//!    and names all the fields that are wrong, not only the first.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::{after, truncate};
use job::{CallerKey, Envelope, FieldError, Kind, Priority, QueueName, UniqueKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::body::field_of;
use crate::error::{ApiError, Fault};
use crate::plain::plain;
use crate::state::State;

/// The longest delay: ten years.
const LONGEST_DELAY: Duration = Duration::from_secs(3_653 * 86_400);
/// The longest timeout of an attempt: what the envelope can carry, 49 days.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(49 * 86_400);
/// How long a unique key may be held after its job's end: ten years.
const LONGEST_UNIQUE: Duration = LONGEST_DELAY;
/// The most tags, and the longest tag in bytes.
const TAGS: (usize, usize) = (16, 64);
/// The largest arguments of one job, in bytes; in a batch too.
const LARGEST_ARGS: usize = 1 << 20;
/// How deep they may be nested: most programs that read JSON give up beyond.
const DEEPEST_ARGS: usize = 100;

/// A job to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob<'a> {
    /// What is to be done: a kind that is registered.
    #[schema(value_type = String, example = "debug.effect")]
    kind: Kind,
    /// The arguments of the kind. `{}` if absent.
    #[serde(default, borrow)]
    #[schema(value_type = Option<Object>, example = json!({"key": "hello"}))]
    args: Option<&'a RawValue>,
    /// Where it waits; the kind's own queue if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "debug")]
    queue: Option<QueueName>,
    /// 0 (most urgent) to 9; 5 if absent.
    #[serde(default)]
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 9)]
    priority: Option<Priority>,
    /// When it is due, RFC 3339; now if absent. Not together with `delay`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    run_at: Option<Timestamp>,
    /// How long from now it is due: seconds, or `"30s"`, `"5m"`, `"24h"`.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "30s")]
    delay: Option<Duration>,
    /// Attempts before it is dead, 1 to 65535; the kind's own if absent.
    #[serde(default)]
    #[schema(value_type = Option<u16>, minimum = 1)]
    max_attempts: Option<u16>,
    /// How long one attempt may take; the kind's own if absent.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "60s")]
    timeout: Option<Duration>,
    /// After this instant it is not started any more, RFC 3339.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// While a job of the queue holds this key, another one with it is a duplicate. 1 to 200 bytes.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    unique_key: Option<CallerKey>,
    /// How long the key is held after the job's end; not at all if absent.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "10m")]
    unique_for: Option<Duration>,
    /// Words to find it by: at most 16, each at most 64 bytes.
    #[serde(default, borrow)]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Vec<Cow<'a, str>>>,
}

impl NewJob<'_> {
    /// The envelope, with a new id. `internal` says whether the caller may enqueue internal kinds.
    ///
    /// Errors: 422 naming every field that is wrong; 403 for an internal kind.
    pub fn accept(
        self,
        state: &State,
        internal: bool,
        trace_parent: Option<&str>,
        now: Timestamp,
    ) -> Result<Envelope, ApiError> {
        let Some(entry) = state.registry.find(&self.kind) else {
            return Err(ApiError::invalid("kind", format!("no such kind: {}", self.kind)));
        };
        if entry.internal && !internal {
            return Err(ApiError::new(
                Fault::Forbidden,
                format!("{} is an internal kind: it needs the scope jobs:internal.", self.kind),
            )
            .field("kind", "internal: needs the scope jobs:internal"));
        }
        let mut wrong = Vec::new();
        let args = args(self.args, &mut wrong);
        if wrong.is_empty()
            && let Err(errors) = entry.check(&args)
        {
            wrong.extend(errors.into_iter().map(in_args));
        }
        let queue = self.queue.unwrap_or_else(|| entry.queue.clone());
        if !state.settings.queues.contains(&queue) {
            let known = state.settings.queues.iter().map(QueueName::as_str).collect::<Vec<_>>().join(", ");
            wrong.push(FieldError::new("queue", format!("no worker consumes {queue}; there are {known}")));
        }
        let run_at = match (self.run_at, self.delay) {
            (Some(_), Some(_)) => {
                wrong.push(FieldError::new("run_at", "not together with delay: give one of them"));
                wrong.push(FieldError::new("delay", "not together with run_at: give one of them"));
                now
            }
            // What was due in the past is due now: nobody gets in front of those who wait by naming an early time.
            (Some(at), None) => truncate(at).max(now),
            (None, Some(delay)) => after(now, at_most(delay, LONGEST_DELAY, "delay", &mut wrong)),
            (None, None) => now,
        };
        // Only of what the call itself says: a call that is repeated later must be answered as it was at first.
        if let (Some(ends), Some(due)) = (self.expires_at, self.run_at)
            && ends <= due
        {
            wrong.push(FieldError::new("expires_at", "not after run_at: it would never run"));
        }
        let max_attempts = match self.max_attempts {
            None => entry.max_attempts,
            Some(0) => {
                wrong.push(FieldError::new("max_attempts", "1 to 65535 is expected"));
                1
            }
            Some(n) => u32::from(n),
        };
        let timeout = self.timeout.map_or(entry.timeout, |t| at_most(t, LONGEST_TIMEOUT, "timeout", &mut wrong));
        if timeout < Duration::from_millis(1) {
            wrong.push(FieldError::new("timeout", "at least 1ms is expected"));
        }
        let unique_for =
            self.unique_for.map_or(Duration::ZERO, |d| at_most(d, LONGEST_UNIQUE, "unique_for", &mut wrong));
        if self.unique_for.is_some() && self.unique_key.is_none() {
            wrong.push(FieldError::new("unique_for", "only together with unique_key"));
        }
        let tags = tags(self.tags.unwrap_or_default(), &mut wrong);
        if !wrong.is_empty() {
            return Err(ApiError::invalid_fields(wrong));
        }
        let id = state.new_id(&queue);
        let mut envelope = Envelope::raw(id, entry.kind.clone(), queue, args, now).with_limits(max_attempts, timeout);
        envelope.priority = self.priority.unwrap_or_default();
        envelope.run_at = run_at;
        envelope.expires_at = self.expires_at.map(truncate);
        envelope.unique_key = self.unique_key.map(UniqueKey::from);
        envelope.unique_for = unique_for;
        envelope.trace_parent = trace_parent.map(str::to_owned);
        envelope.tags = tags;
        Ok(envelope)
    }
}

fn args(given: Option<&RawValue>, wrong: &mut Vec<FieldError>) -> Box<RawValue> {
    let Some(given) = given else {
        return RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
    };
    if !given.get().starts_with('{') {
        wrong.push(FieldError::new("args", "an object is expected"));
    } else if given.get().len() > LARGEST_ARGS {
        wrong.push(FieldError::new("args", format!("larger than {LARGEST_ARGS} bytes")));
    } else if depth(given.get()) > DEEPEST_ARGS {
        wrong.push(FieldError::new("args", format!("nested deeper than {DEEPEST_ARGS} levels")));
    }
    given.to_owned()
}

/// How deep valid JSON is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// The kind names a field of its arguments; the caller sent them as `args`. The place in the text of `args` alone would
/// only mislead.
fn in_args(error: FieldError) -> FieldError {
    let path = match error.field.as_str() {
        "" | "." => "args".to_owned(),
        path if path == "args" || path.starts_with("args.") || path.starts_with("args[") => path.to_owned(),
        index if index.starts_with('[') => format!("args{index}"),
        path => format!("args.{path}"),
    };
    let message = error.message.split(" at line ").next().unwrap_or_default();
    FieldError::new(field_of(&path, message), plain(message))
}

fn at_most(given: Duration, limit: Duration, field: &str, wrong: &mut Vec<FieldError>) -> Duration {
    if given > limit {
        wrong.push(FieldError::new(field, format!("at most {} is expected", job::duration::format(limit))));
    }
    given.min(limit)
}

fn tags(given: Vec<Cow<'_, str>>, wrong: &mut Vec<FieldError>) -> Vec<String> {
    let (most, longest) = TAGS;
    if given.len() > most {
        wrong.push(FieldError::new("tags", format!("at most {most} are allowed")));
        return Vec::new();
    }
    let mut seen = HashSet::new();
    for (i, tag) in given.iter().enumerate() {
        if tag.is_empty() || tag.len() > longest || tag.chars().any(char::is_control) {
            wrong.push(FieldError::new(
                format!("tags[{i}]"),
                format!("1 to {longest} bytes of visible text are expected"),
            ));
        } else if !seen.insert(tag) {
            wrong.push(FieldError::new(format!("tags[{i}]"), "given twice"));
        }
    }
    given.into_iter().map(Cow::into_owned).collect()
}
