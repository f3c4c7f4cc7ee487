//! What `postrider doctor` looks at: whether this configuration, on this machine, can keep the promise that what was
//! accepted is never lost.
//!
//! 1. Each area is one file that adds [`Check`]s to a [`Report`]: what was looked at, what was found, what to do.
//! 2. Nothing is changed, and no file is made: a doctor that creates an empty database hides the disease.
//! 3. Areas do not stop each other: a store that is away says so, and mail is looked at all the same.

mod dns;
mod files;
mod mail;
mod queue;
mod redis;
mod secrets;
mod store;

use std::sync::Arc;
use std::time::Duration;

use config::Config;
use job::{Clock, SystemClock};
use serde::Serialize;

use crate::output::short;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but a promise is weaker than it could be.
    Warn,
    /// It does not work, or will not for long.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    /// `configuration`, `queue`, `redis`, `store`, `mail`, `disk`.
    pub area: &'static str,
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub status: Level,
    /// What was found.
    pub found: String,
    /// What to do; null if nothing.
    pub advice: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order in which to read them.
    pub checks: Vec<Check>,
}

impl Report {
    /// The worst of it.
    pub fn worst(&self) -> Level {
        self.checks.iter().map(|check| check.status).max().unwrap_or(Level::Ok)
    }

    /// How many checks ended so.
    pub fn count(&self, level: Level) -> usize {
        self.checks.iter().filter(|check| check.status == level).count()
    }

    /// What is as it should be.
    pub fn ok(&mut self, area: &'static str, name: impl Into<String>, found: impl Into<String>) {
        self.add(area, name, Level::Ok, found, None);
    }

    /// What is weaker than it could be, and what to do.
    pub fn warn(
        &mut self,
        area: &'static str,
        name: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(area, name, Level::Warn, found, Some(advice.into()));
    }

    /// What does not work, and what to do.
    pub fn fail(
        &mut self,
        area: &'static str,
        name: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(area, name, Level::Fail, found, Some(advice.into()));
    }

    fn add(
        &mut self,
        area: &'static str,
        name: impl Into<String>,
        status: Level,
        found: impl Into<String>,
        advice: Option<String>,
    ) {
        self.checks.push(Check { area, name: name.into(), status, found: found.into(), advice });
    }
}

/// Looks at everything. `dev` says that this is the folder of `postrider dev`, which brings its own relay.
pub async fn examine(config: &Config, dev: bool) -> Report {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut report = Report::default();
    report.ok("configuration", "loads", "every key is known and every value fits");
    queue::check(&mut report, config, &*clock).await;
    store::check(&mut report, config).await;
    mail::check(&mut report, config, dev).await;
    dns::look(&mut report, config, dev).await;
    secrets::check(&mut report, config, dev);
    files::disk(&mut report, config);
    report
}

/// How long a round trip took.
fn milliseconds(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1_000.0;
    if ms < 0.05 { "under 0.1 ms".to_owned() } else { format!("{ms:.1} ms") }
}

/// The difference between another clock and this machine's, in milliseconds: positive if the other one is ahead. It was
/// read between `before` and `after`; the middle is the best guess.
fn offset(other: jiff::Timestamp, before: jiff::Timestamp, after: jiff::Timestamp) -> i64 {
    other.as_millisecond() - (before.as_millisecond() + after.as_millisecond()) / 2
}

/// Judges a clock difference. Due times are written by one machine's clock and compared with the server's.
fn clock_check(report: &mut Report, area: &'static str, name: &str, offset: i64) {
    const WARN: u64 = 1_000;
    const FAIL: u64 = 60_000;
    let far = offset.unsigned_abs();
    let way = if offset >= 0 { "ahead of" } else { "behind" };
    let found = match far {
        0..20 => "agrees with this machine's".to_owned(),
        _ => format!("{} {way} this machine's", short(Duration::from_millis(far))),
    };
    let advice =
        "run an NTP client (chrony, systemd-timesyncd) on both machines: jobs start early or late by the difference";
    match far {
        0..WARN => report.ok(area, name, found),
        WARN..FAIL => report.warn(area, name, found, advice),
        _ => report.fail(area, name, found, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_its_distance_either_way() {
        for (offset, level) in
            [(0, Level::Ok), (-999, Level::Ok), (1_000, Level::Warn), (-3_000, Level::Warn), (60_000, Level::Fail)]
        {
            let mut report = Report::default();
            clock_check(&mut report, "redis", "clock", offset);
            assert_eq!(report.worst(), level, "{offset} ms");
        }
    }

    #[test]
    fn an_answer_is_dated_in_the_middle_of_its_round_trip() {
        let at = |ms| job::clock::from_ms(ms);
        assert_eq!(offset(at(1_060), at(1_000), at(1_100)), 10);
    }
}
