//! Intent before enqueue: the jobs that stored rows stand for.
//!
//! What a person would miss is a row in the store first; its job can be made again from the row at any time, under the
//! same id and the same unique key, so that making it twice is harmless.

use jiff::Timestamp;
use job::{Envelope, JobId, Kind, QueueName, UniqueKey};
use serde_json::value::to_raw_value;
use store::{BookingEventKind, DeliveryRef, Intent, NotificationRef, TickRef};
use uuid::Uuid;

use crate::bookings::event::EventArgs;
use crate::jobs::alert_notify::AlertNotify;
use crate::jobs::booking_cancelled::BookingCancelled;
use crate::jobs::booking_completed::BookingCompleted;
use crate::jobs::booking_confirmed::BookingConfirmed;
use crate::jobs::booking_no_show::BookingNoShow;
use crate::jobs::booking_rescheduled::BookingRescheduled;
use crate::jobs::email_send::EmailSend;
use crate::ticks;

/// The job of a booking event.
#[must_use]
pub fn booking_event(
    booking_id: &str,
    version: i64,
    event: BookingEventKind,
    job_id: Uuid,
    now: Timestamp,
) -> Envelope {
    let args = EventArgs { booking_id: booking_id.to_owned(), version };
    let key = format!("booking:{booking_id}:v{version}");
    match event {
        BookingEventKind::Confirmed => keyed(&BookingConfirmed(args), job_id, &key, now),
        BookingEventKind::Rescheduled => keyed(&BookingRescheduled(args), job_id, &key, now),
        BookingEventKind::Cancelled => keyed(&BookingCancelled(args), job_id, &key, now),
        BookingEventKind::Completed => keyed(&BookingCompleted(args), job_id, &key, now),
        BookingEventKind::NoShow => keyed(&BookingNoShow(args), job_id, &key, now),
    }
}

/// The job of a mail; of one that is for later, it waits until then.
#[must_use]
pub fn delivery(delivery: &DeliveryRef, now: Timestamp) -> Envelope {
    let key = format!("delivery:{}:r{}", delivery.id, delivery.release);
    let mut envelope = keyed(&EmailSend { delivery_id: delivery.id }, delivery.job_id, &key, now);
    envelope.run_at = delivery.send_at.map_or(now, |at| at.max(now));
    envelope
}

/// The job of a tick; `None` if the row names a kind or a queue that cannot be one.
#[must_use]
pub fn tick(tick: &TickRef, now: Timestamp) -> Option<Envelope> {
    let (kind, queue) = (Kind::new(&tick.kind).ok()?, QueueName::new(&tick.queue).ok()?);
    let args = to_raw_value(&tick.args).ok()?;
    let mut envelope = Envelope::raw(JobId::from_uuid(tick.job_id), kind, queue, args, now)
        .with_limits(tick.max_attempts, tick.timeout)
        .with_unique_key(ticks::key(&tick.schedule, tick.planned_at));
    envelope.run_at = tick.run_at.max(now);
    envelope.tags = vec![tick.schedule.clone()];
    Some(envelope)
}

/// The job of a message about incidents that is to be posted.
#[must_use]
pub fn notification(message: &NotificationRef, now: Timestamp) -> Envelope {
    keyed(&AlertNotify { notification_id: message.id }, message.job_id, &format!("alert:{}", message.id), now)
}

/// The job of any intent.
#[must_use]
pub fn envelope(intent: &Intent, now: Timestamp) -> Option<Envelope> {
    match intent {
        Intent::BookingEvent { booking_id, version, event, job_id } => {
            Some(booking_event(booking_id, *version, *event, *job_id, now))
        }
        Intent::Delivery(row) => Some(delivery(row, now)),
        Intent::Tick(row) => tick(row, now),
        Intent::Notification(row) => Some(notification(row, now)),
    }
}

fn keyed<J: job::Job + serde::Serialize>(job: &J, id: Uuid, key: &str, now: Timestamp) -> Envelope {
    Envelope::of(job, JobId::from_uuid(id), now)
        .expect("arguments of ids and numbers are always JSON")
        .with_unique_key(UniqueKey::new(key).expect("ids of at most 128 visible characters make a unique key"))
}
