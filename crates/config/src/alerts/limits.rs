//! `[alerts.storm]` and `[alerts.cap]`: how much people are told when everything breaks at once.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;

/// When many incidents begin at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// More new incidents than this within a minute are told of in one digest, 1…100000.
    pub incidents_per_minute: u32,
    /// Between two digests for the same person, 10 s…1 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub interval: Duration,
}

impl Default for Storm {
    fn default() -> Self {
        Self { incidents_per_minute: 30, interval: Duration::from_mins(5) }
    }
}

impl Storm {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.number("storm.incidents_per_minute", self.incidents_per_minute, 1..=100_000);
        check.time("storm.interval", self.interval, Duration::from_secs(10)..=Duration::from_hours(24));
    }
}

/// How much one person is mailed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Mails of alerts to one person within an hour, 2…1000: the last of them tells what is held back.
    pub mails_per_hour: u32,
}

impl Default for Cap {
    fn default() -> Self {
        Self { mails_per_hour: 30 }
    }
}

impl Cap {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.number("cap.mails_per_hour", self.mails_per_hour, 2..=1_000);
    }
}
