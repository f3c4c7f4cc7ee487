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
use store::{Booking, BookingEvent, Category, DeliveryState, EventApplied, NewDelivery, Party};
use uuid::Uuid;

use crate::context::Context;
use crate::intents;
use crate::jobs::{email_send::EmailSend, queue_failed, store_failed};

/// How long a confirmation of a lesson that lies ahead is worth sending, at most and at least: one that begins in a minute
/// still gets a few attempts.
const AHEAD_AT_MOST: Duration = Duration::from_secs(24 * 3600);
const AHEAD_AT_LEAST: Duration = Duration::from_secs(10 * 60);
/// How long after the event a confirmation of a lesson that has begun is.
const BEGUN: Duration = Duration::from_secs(3600);

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
        let fan_out = |event: &BookingEvent, booking: &Booking| {
            let deadline = deadline(booking.starts_at, event.received_at, now);
            let parties = [("student", &booking.student), ("instructor", &booking.instructor)];
            parties.map(|(role, party)| mail_to(context, booking, self.version, role, party, deadline)).to_vec()
        };
        let applied = context
            .store
            .apply_event(&self.booking_id, self.version, now, fan_out)
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

/// When the confirmation is worth nothing any more.
///
/// - The lesson lies ahead: when it begins, but no later than 24 hours and no sooner than 10 minutes from now.
/// - It has begun, or is long over: an hour after the event was received. Who reports a booking that has begun gets its
///   confirmation; a confirmation that was kept waiting until the lesson was over is not sent a day later.
fn deadline(starts_at: Timestamp, received_at: Timestamp, now: Timestamp) -> Timestamp {
    if starts_at > now {
        starts_at.min(after(now, AHEAD_AT_MOST)).max(after(now, AHEAD_AT_LEAST))
    } else {
        after(received_at, BEGUN)
    }
}

fn mail_to(
    context: &Context,
    booking: &Booking,
    version: i64,
    role: &str,
    party: &Party,
    deadline: Timestamp,
) -> NewDelivery {
    let job_id = context.ids.next(&EmailSend::queue()).uuid();
    let key = format!("booking:{}:v{version}:booking_confirmed:{role}", booking.id);
    let template = format!("booking_confirmed_{role}");
    NewDelivery {
        recipient_name: Some(party.name.clone()),
        locale: party.locale.clone(),
        data: template_data(booking, party),
        booking_id: Some(booking.id.clone()),
        deadline: Some(deadline),
        ..NewDelivery::new(job_id, key, Category::Booking, template, "bookings", party.email.as_str())
    }
}

/// What the template shows: the time is told in the recipient's own zone.
fn template_data(booking: &Booking, recipient: &Party) -> Value {
    let duration = Duration::from_secs(u64::from(booking.duration_minutes) * 60);
    let locale = mail::Locale::or_english(recipient.locale.as_deref());
    let when = mail::when::describe(booking.starts_at, &recipient.timezone, duration, &locale)
        // The zone was checked at the edge; data from before a zone was dropped still says something true.
        .or_else(|_| mail::when::describe(booking.starts_at, "UTC", duration, &locale))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-23T{time}:00Z").parse().unwrap()
    }

    #[test]
    fn a_lesson_ahead_is_confirmed_until_it_begins_within_a_day() {
        let noon = at("12:00");
        assert_eq!(deadline(at("18:00"), noon, noon), at("18:00"));
        assert_eq!(deadline(after(noon, Duration::from_secs(9 * 86_400)), noon, noon), after(noon, AHEAD_AT_MOST));
    }

    #[test]
    fn a_lesson_about_to_begin_still_has_time_for_its_confirmation() {
        assert_eq!(deadline(at("12:01"), at("12:00"), at("12:00")), at("12:10"));
    }

    #[test]
    fn a_lesson_that_had_begun_when_it_was_reported_is_confirmed_within_the_hour() {
        assert_eq!(deadline(at("09:00"), at("12:00"), at("12:00")), at("13:00"));
        assert_eq!(deadline(at("12:00"), at("12:00"), at("12:00")), at("13:00"));
    }

    #[test]
    fn a_confirmation_that_waited_until_the_lesson_was_over_is_late() {
        let (received, begins, now) = (at("08:00"), at("10:00"), at("18:00"));
        assert!(deadline(begins, received, now) < now);
    }
}
