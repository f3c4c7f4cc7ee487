//! `reconcile`: holds what must have been mailed against the ledger, and makes good what is missing.
//!
//! Enqueued by a schedule, and by whoever wants to know. Effect: missing mails are written and enqueued.
//! Twice is harmless: see [`crate::bookings::reconcile`].

use std::time::Duration;

use job::{Attempt, Completed, Job, Outcome, Unfinished};
use serde::{Deserialize, Serialize};

use crate::bookings::reconcile;
use crate::context::Context;

/// It takes no arguments.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {}

impl Job for Reconcile {
    const KIND: &'static str = "reconcile";
    const QUEUE: &'static str = "bookings";
    /// It reads a week of bookings.
    const TIMEOUT: Duration = Duration::from_secs(1800);
    const INTERNAL: bool = true;
    type Context = Context;

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        let report = reconcile::run(context, false).await?;
        let report = serde_json::to_value(&report).map_err(|e| Unfinished::fail(e.to_string()))?;
        Ok(Completed::with(report))
    }
}
