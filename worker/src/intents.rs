//! Intent before enqueue: the jobs that stored rows stand for.
//!
//! What a person would miss is a row in the store first; its job can be made again from the row at any time, under the
//! same id and the same unique key, so that making it twice is harmless.

use jiff::Timestamp;
use job::{Envelope, JobId, UniqueKey};
use store::{BookingEventKind, DeliveryRef, Intent};
use uuid::Uuid;

use crate::jobs::booking_confirmed::BookingConfirmed;
use crate::jobs::email_send::EmailSend;

/// The job of a booking event; `None` for an event that this release has no job for.
#[must_use]
pub fn booking_event(
    booking_id: &str,
    version: i64,
    event: BookingEventKind,
    job_id: Uuid,
    now: Timestamp,
) -> Option<Envelope> {
    match event {
        BookingEventKind::Confirmed => {
            let job = BookingConfirmed { booking_id: booking_id.to_owned(), version };
            Some(keyed(&job, job_id, &format!("booking:{booking_id}:v{version}"), now))
        }
        _ => None,
    }
}

/// The job of a mail.
#[must_use]
pub fn delivery(delivery: &DeliveryRef, now: Timestamp) -> Envelope {
    let key = format!("delivery:{}:r{}", delivery.id, delivery.release);
    keyed(&EmailSend { delivery_id: delivery.id }, delivery.job_id, &key, now)
}

/// The job of any intent.
#[must_use]
pub fn envelope(intent: &Intent, now: Timestamp) -> Option<Envelope> {
    match intent {
        Intent::BookingEvent { booking_id, version, event, job_id } => {
            booking_event(booking_id, *version, *event, *job_id, now)
        }
        Intent::Delivery(row) => Some(delivery(row, now)),
    }
}

fn keyed<J: job::Job + serde::Serialize>(job: &J, id: Uuid, key: &str, now: Timestamp) -> Envelope {
    Envelope::of(job, JobId::from_uuid(id), now)
        .expect("arguments of ids and numbers are always JSON")
        .with_unique_key(UniqueKey::new(key).expect("ids of at most 128 visible characters make a unique key"))
}
