//! `[ledger.retention]`: how long the store keeps what has happened.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The record of what has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// `[ledger.retention]`.
    pub retention: LedgerRetention,
}

/// How long each is kept, 1 d…10 y. What is not at its end is kept however old it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRetention {
    /// What mails were filled with; not longer than `mails`.
    #[serde(deserialize_with = "duration::deserialize")]
    pub contents: Duration,
    /// Mails with their attempts, and the keys that keep them from being written again.
    #[serde(deserialize_with = "duration::deserialize")]
    pub mails: Duration,
    /// Booking events.
    #[serde(deserialize_with = "duration::deserialize")]
    pub booking_events: Duration,
    /// What schedules have fired.
    #[serde(deserialize_with = "duration::deserialize")]
    pub ticks: Duration,
}

impl Default for LedgerRetention {
    fn default() -> Self {
        Self { contents: 90 * DAY, mails: 400 * DAY, booking_events: 400 * DAY, ticks: 90 * DAY }
    }
}

impl LedgerRetention {
    pub(crate) fn validate(&self, check: &mut Check) {
        let times = [
            ("contents", self.contents),
            ("mails", self.mails),
            ("booking_events", self.booking_events),
            ("ticks", self.ticks),
        ];
        for (key, time) in times {
            check.time(key, time, DAY..=3_653 * DAY);
        }
        let order = format!("must not be longer than ledger.retention.mails ({})", duration::show(self.mails));
        check.that(self.contents <= self.mails, "contents", order);
    }
}
