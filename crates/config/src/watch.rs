//! `[watch]`: from when on the platform tells the operators of itself.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;

/// Thresholds of the platform's watch on itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Whether workers look.
    pub enabled: bool,
    /// How often each looks, 1s…1h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub every: Duration,
    /// The span in which failures are counted, 1m…1d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Duration,
    /// How long the oldest due job of a queue may wait, 1s…7d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub oldest_job: Duration,
    /// So many dead letters of a queue within `window` are told, 1…2000.
    pub dead_letters: u32,
    /// So many mails that failed, or whose fate is unknown, within `window` are told, 1…1000000.
    pub failed_mails: u32,
    /// How long a mail may be held, 1m…7d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub held_mails: Duration,
    /// How late a schedule may be, 1m…1d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub schedule_late: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            enabled: true,
            every: Duration::from_secs(30),
            window: minutes(10),
            oldest_job: minutes(5),
            dead_letters: 20,
            failed_mails: 10,
            held_mails: minutes(60),
            schedule_late: minutes(5),
        }
    }
}

impl Watch {
    pub(crate) fn validate(&self, check: &mut Check) {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let (hour, day) = (minute * 60, minute * 60 * 24);
        check.time("every", self.every, second..=hour);
        check.time("window", self.window, minute..=day);
        check.time("oldest_job", self.oldest_job, second..=day * 7);
        check.number("dead_letters", self.dead_letters, 1..=2_000);
        check.number("failed_mails", self.failed_mails, 1..=1_000_000);
        check.time("held_mails", self.held_mails, minute..=day * 7);
        check.time("schedule_late", self.schedule_late, minute..=day);
    }
}
