//! The schedules that come with the platform, in one list, and what the configuration makes of them.
//!
//! A table `[schedules.NAME]` with a name of this list changes what it says of that schedule and leaves the rest; one with
//! another name is a further schedule. `enabled = false` takes one out; of a name that is none, it is a mistake.

use std::fmt;
use std::time::Duration;

use config::{Config, ScheduleEntry};
use job::QueueName;
use serde_json::{Value, json};
use store::{CatchUp, Overlap, ScheduleSpec};
use worker::Registry;
use worker::schedule::{Draft, check_name, outlasting};

/// The kind of the search reports.
const REPORT: &str = "search.report";
const MINUTE: Duration = Duration::from_secs(60);

/// A schedule that comes with the platform.
struct Standard {
    name: &'static str,
    cron: &'static str,
    /// Its zone; none: `scheduler.timezone`.
    timezone: Option<&'static str>,
    kind: &'static str,
    args: fn(&Config) -> Value,
    catch_up: CatchUp,
    overlap: Overlap,
    jitter: Duration,
}

impl Standard {
    /// One that fires once after a downtime and never beside itself.
    const fn new(name: &'static str, cron: &'static str, kind: &'static str) -> Self {
        let (catch_up, overlap) = (CatchUp::Once, Overlap::Skip);
        Self { name, cron, timezone: None, kind, args: |_| json!({}), catch_up, overlap, jitter: Duration::ZERO }
    }
}

/// The list. What cannot wait a minute is the workers' own clockwork and no schedule: alerts that are due and incidents that
/// were not heard of in time, each second (`worker::alerts::clockwork`).
fn standard() -> Vec<Standard> {
    vec![
        // The platform itself: its beat is worth nothing a minute later.
        Standard { catch_up: CatchUp::None, ..Standard::new("heartbeat", "* * * * *", "platform.heartbeat") },
        // What is to be looked at each minute: a reminder is late by that much at most.
        Standard::new("reminders", "* * * * *", "reminders.scan"),
        // Whether everything that must have been mailed was.
        Standard { jitter: MINUTE, ..Standard::new("reconcile", "47 * * * *", "reconcile") },
        // What the DNS says of the senders' domains, before somebody's mail finds out.
        Standard { jitter: MINUTE, ..Standard::new("domains", "17 * * * *", "domains.check") },
        // Searches are counted soon after they came, an hour that is over and a day that is over with it.
        Standard::new("search_rollup", "*/5 * * * *", "search.rollup"),
        // What people searched for, before the operators begin their day. A report that waited for a day is still one. Days
        // and weeks are those of UTC: in another zone a Monday may begin before the week is over.
        Standard {
            timezone: Some("UTC"),
            args: |_| json!({ "period": "daily" }),
            ..Standard::new("search_report_daily", "0 4 * * *", REPORT)
        },
        Standard {
            timezone: Some("UTC"),
            args: |_| json!({ "period": "weekly" }),
            ..Standard::new("search_report_weekly", "5 4 * * MON", REPORT)
        },
        // What has grown old goes at night; not on the minute, when others begin.
        Standard {
            args: retention,
            jitter: MINUTE.saturating_mul(10),
            ..Standard::new("retention", "30 3 * * *", "store.retention")
        },
    ]
}

fn retention(config: &Config) -> Value {
    let kept = &config.ledger.retention;
    let text = job::duration::format;
    json!({
        "mail_contents": text(kept.contents),
        "mails": text(kept.mails),
        "booking_events": text(kept.booking_events),
        "ticks": text(kept.ticks),
        "search_events": text(config.search.retention.events),
        "guest_searches": text(config.search.retention.guests),
        "hourly_queries": text(config.search.retention.hourly_queries),
    })
}

/// A schedule of the configuration that cannot be: start-up is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredError(
    /// The key and what is wrong with it.
    pub Vec<(String, String)>,
);

impl fmt::Display for ConfiguredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used")?;
        self.0.iter().try_for_each(|(key, why)| write!(f, "\n  {key}: {why}"))
    }
}

impl std::error::Error for ConfiguredError {}

/// All schedules of this installation, checked: kinds exist and take their arguments, queues are consumed.
///
/// # Errors
/// Every key that is wrong.
pub fn configured(
    config: &Config,
    registry: &Registry,
    queues: &[QueueName],
) -> Result<Vec<(String, ScheduleSpec)>, ConfiguredError> {
    let mut drafts: Vec<(String, Draft)> =
        standard().into_iter().map(|standard| (standard.name.to_owned(), draft_of(&standard, config))).collect();
    let mut wrong = Vec::new();
    for (name, entry) in &config.schedules {
        let place = drafts.iter().position(|(known, _)| known == name);
        if entry.enabled == Some(false) {
            match place {
                Some(place) => {
                    drafts.remove(place);
                }
                // One of one's own that is switched off for a while says what it was.
                None if entry.cron.is_none() && entry.kind.is_none() => {
                    let known = standard().iter().map(|standard| standard.name).collect::<Vec<_>>().join(", ");
                    wrong
                        .push((format!("schedules.{name}"), format!("no schedule of the platform; there are {known}")));
                }
                None => {}
            }
            continue;
        }
        if let Err(e) = check_name(name) {
            wrong.push((format!("schedules.{name}"), e.message));
        }
        match place {
            Some(place) => lay_over(&mut drafts[place].1, entry),
            None => {
                for (key, value) in [("cron", &entry.cron), ("kind", &entry.kind)] {
                    if value.is_none() {
                        wrong.push((format!("schedules.{name}.{key}"), "must be set".to_owned()));
                    }
                }
                let mut draft = Draft { timezone: Some(config.scheduler.timezone.clone()), ..Draft::default() };
                lay_over(&mut draft, entry);
                if entry.cron.is_some() && entry.kind.is_some() {
                    drafts.push((name.clone(), draft));
                }
            }
        }
    }
    let mut checked = Vec::with_capacity(drafts.len());
    for (name, draft) in drafts {
        match draft.check(registry, queues).and_then(|spec| outlasting(spec, config.reconcile.window)) {
            Ok(spec) => checked.push((name, spec)),
            Err(errors) => {
                wrong.extend(errors.into_iter().map(|e| (format!("schedules.{name}.{}", e.field), e.message)));
            }
        }
    }
    if wrong.is_empty() { Ok(checked) } else { Err(ConfiguredError(wrong)) }
}

fn draft_of(standard: &Standard, config: &Config) -> Draft {
    Draft {
        cron: standard.cron.to_owned(),
        timezone: Some(standard.timezone.map_or_else(|| config.scheduler.timezone.clone(), str::to_owned)),
        kind: standard.kind.to_owned(),
        args: Some((standard.args)(config)),
        catch_up: Some(standard.catch_up),
        overlap: Some(standard.overlap),
        jitter: Some(standard.jitter),
        ..Draft::default()
    }
}

/// Takes over what the configuration says.
fn lay_over(draft: &mut Draft, entry: &ScheduleEntry) {
    fn take<T: Clone>(mine: &mut T, said: Option<T>) {
        if let Some(said) = said {
            *mine = said;
        }
    }
    take(&mut draft.cron, entry.cron.clone());
    take(&mut draft.kind, entry.kind.clone());
    take(&mut draft.timezone, entry.timezone.clone().map(Some));
    take(&mut draft.queue, entry.queue.clone().map(Some));
    take(&mut draft.args, entry.args.clone().map(Some));
    take(&mut draft.max_lateness, entry.max_lateness.map(Some));
    take(&mut draft.jitter, entry.jitter.map(Some));
    take(&mut draft.failure_limit, entry.failure_limit.map(Some));
    take(
        &mut draft.catch_up,
        entry.catch_up.map(|word| {
            Some(match word {
                config::CatchUp::None => CatchUp::None,
                config::CatchUp::Once => CatchUp::Once,
                config::CatchUp::All => CatchUp::All,
            })
        }),
    );
    take(
        &mut draft.overlap,
        entry.overlap.map(|word| {
            Some(match word {
                config::Overlap::Allow => Overlap::Allow,
                config::Overlap::Skip => Overlap::Skip,
                config::Overlap::QueueOne => Overlap::QueueOne,
            })
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        change(&mut config);
        config
    }

    fn of(config: &Config) -> Result<Vec<(String, ScheduleSpec)>, ConfiguredError> {
        let queues: Vec<QueueName> = config.queues.keys().map(|name| QueueName::new(name).unwrap()).collect();
        configured(config, &Registry::standard(true), &queues)
    }

    fn spec(all: &[(String, ScheduleSpec)], name: &str) -> ScheduleSpec {
        all.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}")).1.clone()
    }

    #[test]
    fn the_schedules_of_the_platform_fit_its_kinds() {
        let all = of(&Config::default()).unwrap();
        assert_eq!(all.len(), standard().len());
        let retention = spec(&all, "retention");
        assert_eq!((retention.cron.as_str(), &retention.args["mails"]), ("30 3 * * *", &json!("400d")));
    }

    #[test]
    fn a_table_changes_what_it_says_and_leaves_the_rest() {
        let late = ScheduleEntry { cron: Some("0 5 * * *".to_owned()), ..ScheduleEntry::default() };
        let off = ScheduleEntry { enabled: Some(false), ..ScheduleEntry::default() };
        let all = of(&config(|config| {
            config.scheduler.timezone = "Europe/Berlin".to_owned();
            config.schedules = [("retention".to_owned(), late), ("heartbeat".to_owned(), off)].into();
        }))
        .unwrap();
        let retention = spec(&all, "retention");
        assert_eq!((retention.cron.as_str(), retention.kind.as_str()), ("0 5 * * *", "store.retention"));
        assert_eq!(retention.timezone, "Europe/Berlin");
        for report in ["search_report_daily", "search_report_weekly"] {
            assert_eq!(spec(&all, report).timezone, "UTC", "its days are those of UTC");
        }
        assert!(!all.iter().any(|(name, _)| name == "heartbeat"));
    }

    #[test]
    fn a_mistyped_name_is_not_switched_off_in_silence_and_one_of_ones_own_is() {
        let off = || ScheduleEntry { enabled: Some(false), ..ScheduleEntry::default() };
        let refused = of(&config(|config| config.schedules = [("retetnion".to_owned(), off())].into())).unwrap_err();
        assert_eq!(refused.0[0].0, "schedules.retetnion");
        assert!(refused.0[0].1.contains("retention"), "{refused}");
        let own = ScheduleEntry { cron: Some("@daily".to_owned()), kind: Some("debug.noop".to_owned()), ..off() };
        let all = of(&config(|config| config.schedules = [("mine".to_owned(), own)].into())).unwrap();
        assert!(!all.iter().any(|(name, _)| name == "mine"));
    }

    #[test]
    fn mails_outlast_what_the_reconciliation_looks_back_over() {
        let args = json!({"mail_contents": "1d", "mails": "2d", "booking_events": "400d", "ticks": "90d"});
        let short = ScheduleEntry { args: Some(args), ..ScheduleEntry::default() };
        let refused = of(&config(|config| config.schedules = [("retention".to_owned(), short)].into())).unwrap_err();
        assert_eq!(refused.0[0].0, "schedules.retention.args.mails");
        assert!(refused.0[0].1.contains("reconcile.window (7d)"), "{refused}");
    }

    #[test]
    fn what_cannot_be_is_named_by_its_key() {
        let entry = |cron: &str, kind: &str, queue: &str| ScheduleEntry {
            cron: Some(cron.to_owned()),
            kind: Some(kind.to_owned()),
            queue: Some(queue.to_owned()),
            ..ScheduleEntry::default()
        };
        let refused = of(&config(|config| {
            config.schedules = [
                ("a".to_owned(), entry("0 25 * * *", "debug.noop", "debug")),
                ("b".to_owned(), entry("* * * * *", "no.such", "debug")),
                ("c".to_owned(), entry("* * * * *", "debug.noop", "nobody")),
                ("d".to_owned(), ScheduleEntry::default()),
            ]
            .into();
        }))
        .unwrap_err();
        let keys: Vec<&str> = refused.0.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            ["schedules.d.cron", "schedules.d.kind", "schedules.a.cron", "schedules.b.kind", "schedules.c.queue"]
        );
        let said = refused.to_string();
        for line in ["hour 25 is out of 0–23", "no such kind: no.such", "no worker consumes nobody"] {
            assert!(said.contains(line), "{said}");
        }
    }
}
