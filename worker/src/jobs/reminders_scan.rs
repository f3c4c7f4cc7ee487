//! `reminders.scan`: finds the reminders that are due, and writes and enqueues their mails.
//!
//! Enqueued by a schedule, each minute. Effect: one `email.send` a party for each reminder that is due.
//! Twice is harmless, at the same time too: see [`crate::bookings::remind`].

use std::time::Duration;

use job::{Attempt, Completed, Job, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bookings::remind;
use crate::context::Context;

/// It takes no arguments.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemindersScan {}

impl Job for RemindersScan {
    const KIND: &'static str = "reminders.scan";
    const QUEUE: &'static str = "bookings";
    /// A few seconds are usual; after a long night of downtime there may be much to claim.
    const TIMEOUT: Duration = Duration::from_secs(600);
    const INTERNAL: bool = true;
    type Context = Context;

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        let scanned = remind::scan(context).await?;
        Ok(Completed::with(json!({ "bookings": scanned.bookings, "mails": scanned.mails })))
    }
}
