//! `[reconcile]`: how far back the ledger is compared with what must have been mailed.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;

/// Settings of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// Only what this installation accepted within this time is looked at, 1h…366d. It must be shorter than the ledger
    /// keeps its rows: a mail whose row was cleaned away would look as if it had never been written.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Duration,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self { window: Duration::from_secs(7 * 86_400) }
    }
}

impl Reconcile {
    /// `kept` is how long the ledger keeps its rows.
    pub(crate) fn validate(&self, kept: Duration, check: &mut Check) {
        check.time("window", self.window, Duration::from_secs(3600)..=Duration::from_secs(366 * 86_400));
        let order = format!("must be shorter than ledger.retention.mails ({})", duration::show(kept));
        check.that(self.window < kept, "window", order);
    }
}
