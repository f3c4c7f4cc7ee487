//! What the jobs of all booking events do. Which mails an event leads to stands in `tellings`.
//!
//! 1. The event's row is applied: one transaction brings the projection to its version, writes the mails, calls off those
//!    that it makes untrue, and notes when the first reminder is due.
//! 2. The mails are enqueued; one that is for later waits in the queue until then.
//!
//! Twice is harmless: the projection only moves forward, and each mail has a row under its own key.

use std::time::Duration;

use jiff::Timestamp;
use job::{Completed, FieldError, Job, Outcome, Unfinished};
use queue::Enqueue;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Booking, BookingEvent, DeliveryRef, DeliveryState, EventApplied, FanOut};
use uuid::Uuid;

use super::{letter, plan, tellings};
use crate::context::Context;
use crate::intents;
use crate::jobs::email_send::EmailSend;
use crate::jobs::{queue_failed, store_failed};

/// How long one attempt may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The arguments of the jobs of booking events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventArgs {
    /// The booking.
    pub booking_id: String,
    /// The version of the event: its row holds the snapshot.
    pub version: i64,
}

impl EventArgs {
    /// Versions count from 1.
    pub(crate) fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.version {
            1.. => Ok(()),
            _ => Err(vec![FieldError::new("version", "1 or more")]),
        }
    }
}

/// Applies the event and enqueues its mails.
pub(crate) async fn run(context: &Context, args: &EventArgs) -> Outcome {
    match apply(context, args).await? {
        EventApplied::Applied { deliveries, .. } => {
            let ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id).collect();
            Ok(Completed::with(json!({ "deliveries": ids })))
        }
        EventApplied::Superseded { current } => Ok(Completed::with(json!({ "superseded_by": current }))),
        EventApplied::Missing => {
            let what = format!("no event of version {} is stored for booking {}", args.version, args.booking_id);
            Err(Unfinished::fail(what))
        }
    }
}

/// The same, answering what became of the event.
pub(super) async fn apply(context: &Context, args: &EventArgs) -> Result<EventApplied, Unfinished> {
    let now = context.clock.now();
    let fan_out = |event: &BookingEvent, booking: &Booking| fan_out(context, event, booking, now);
    let applied = context.store.apply_event(&args.booking_id, args.version, now, fan_out).await;
    let applied = applied.map_err(|e| store_failed(&e))?;
    if let EventApplied::Applied { deliveries, .. } = &applied {
        enqueue(context, deliveries, now).await?;
    }
    Ok(applied)
}

fn fan_out(context: &Context, event: &BookingEvent, booking: &Booking, now: Timestamp) -> FanOut {
    let rules = &context.bookings;
    let told = tellings::of(event.event, booking.cancelled_by, rules.review.is_some());
    let mail = |telling| letter::of_event(rules, event, booking, telling, new_id(context), now);
    FanOut { mails: told.into_iter().map(mail).collect(), next_reminder_at: plan::first(booking, &rules.offsets) }
}

/// An id for a mail and its job.
pub(crate) fn new_id(context: &Context) -> Uuid {
    context.ids.next(&EmailSend::queue()).uuid()
}

/// Enqueues the mails that wait. Those whose job is there already are left as they are.
pub(crate) async fn enqueue(context: &Context, mails: &[DeliveryRef], now: Timestamp) -> Result<(), Unfinished> {
    let waiting: Vec<Enqueue> = mails
        .iter()
        .filter(|mail| mail.state == DeliveryState::Queued)
        .map(|mail| intents::delivery(mail, now).into())
        .collect();
    context.broker.enqueue(&waiting).await.map_err(|e| queue_failed(&e))?;
    Ok(())
}
