//! `booking.confirmed`: a booking was confirmed; both parties are told by mail.
//!
//! Enqueued by `POST /v1/bookings/{id}/events`, under `booking:{id}:v{version}`, after the event's row was written.
//! Effect: the projection is brought to this version and one `email.send` a party is enqueued.
//! Twice is harmless: the projection only moves forward, and each mail has a row under its own key.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Attempt, Completed, FieldError, Job, Outcome, Unfinished};
use queue::Enqueue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Booking, DeliveryState, EventApplied, NewDelivery, Party};
use uuid::Uuid;

use crate::context::Context;
use crate::intents;
use crate::jobs::{email_send::EmailSend, queue_failed, store_failed};

/// How long a booking's mail is worth sending.
const WORTH_SENDING: Duration = Duration::from_secs(24 * 3600);

/// The arguments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingConfirmed {
    /// The booking.
    pub booking_id: String,
    /// The version of the event: its row holds the snapshot.
    pub version: i64,
}

impl Job for BookingConfirmed {
    const KIND: &'static str = "booking.confirmed";
    const QUEUE: &'static str = "bookings";
    const TIMEOUT: Duration = Duration::from_secs(30);
    const INTERNAL: bool = true;
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.version {
            1.. => Ok(()),
            _ => Err(vec![FieldError::new("version", "1 or more")]),
        }
    }

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        let now = context.clock.now();
        let fan_out = |booking: &Booking| {
            let parties = [("student", &booking.student), ("instructor", &booking.instructor)];
            parties.map(|(role, party)| mail_to(context, booking, self.version, role, party, now)).to_vec()
        };
        let applied = context
            .store
            .apply_event(&self.booking_id, self.version, now, |_, booking| fan_out(booking))
            .await
            .map_err(|e| store_failed(&e))?;
        let deliveries = match applied {
            EventApplied::Applied { deliveries, .. } => deliveries,
            EventApplied::Superseded { current } => {
                return Ok(Completed::with(json!({ "superseded_by": current })));
            }
            EventApplied::Missing => {
                let what = format!("no event of version {} is stored for booking {}", self.version, self.booking_id);
                return Err(Unfinished::fail(what));
            }
        };
        let waiting: Vec<Enqueue> = deliveries
            .iter()
            .filter(|delivery| delivery.state == DeliveryState::Queued)
            .map(|delivery| intents::delivery(delivery, now).into())
            .collect();
        context.broker.enqueue(&waiting).await.map_err(|e| queue_failed(&e))?;
        let ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id).collect();
        Ok(Completed::with(json!({ "deliveries": ids })))
    }
}

fn mail_to(
    context: &Context,
    booking: &Booking,
    version: i64,
    role: &str,
    party: &Party,
    now: Timestamp,
) -> NewDelivery {
    let job_id = context.ids.next(&EmailSend::queue()).uuid();
    // A confirmation that comes after the lesson began is no use; one for a lesson about to begin still is.
    let deadline = match booking.starts_at {
        starts_at if starts_at > after(now, Duration::from_secs(3600)) => starts_at.min(after(now, WORTH_SENDING)),
        _ => after(now, WORTH_SENDING),
    };
    NewDelivery {
        id: job_id,
        idempotency_key: format!("booking:{}:v{version}:booking_confirmed:{role}", booking.id),
        template: format!("booking_confirmed_{role}"),
        sender: "bookings".to_owned(),
        class: "booking".to_owned(),
        recipient: party.email.clone(),
        recipient_name: Some(party.name.clone()),
        data: template_data(booking, party),
        booking_id: Some(booking.id.clone()),
        job_id,
        deadline: Some(deadline),
    }
}

/// What the template shows: the time is told in the recipient's own zone.
fn template_data(booking: &Booking, recipient: &Party) -> Value {
    let duration = Duration::from_secs(u64::from(booking.duration_minutes) * 60);
    let when = mail::when::describe(booking.starts_at, &recipient.timezone, duration)
        // The zone was checked at the edge; data from before a zone was dropped still says something true.
        .or_else(|_| mail::when::describe(booking.starts_at, "UTC", duration))
        .unwrap_or_else(|_| booking.starts_at.to_string());
    json!({
        "booking_id": booking.id,
        "service": booking.service,
        "when": when,
        "duration_minutes": booking.duration_minutes,
        "location": booking.location,
        "url": booking.url,
        "price": booking.price.as_ref().map(|price| format!("{} {}", price.currency, price.amount)),
        "recipient": { "name": recipient.name },
        "student": { "name": booking.student.name },
        "instructor": { "name": booking.instructor.name },
    })
}
