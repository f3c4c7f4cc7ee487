//! Applying an event: projection, mails and what is no longer true, in one transaction.

use jiff::Timestamp;

use super::event::{self, BookingEvent};
use super::projection::{self, Booking};
use super::reminders::note_next;
use super::{BookingStatus, EventState};
use crate::db::{At, Session, Store};
use crate::deliveries::{self, DeliveryRef, NewDelivery};
use crate::error::StoreError;

/// What follows from a booking as it is now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FanOut {
    /// The mails to write.
    pub mails: Vec<NewDelivery>,
    /// When the scan for reminders has to look at the booking next.
    pub next_reminder_at: Option<Timestamp>,
}

impl From<Vec<NewDelivery>> for FanOut {
    fn from(mails: Vec<NewDelivery>) -> Self {
        Self { mails, next_reminder_at: None }
    }
}

/// What applying an event led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventApplied {
    /// The projection shows this event.
    Applied {
        /// The projection.
        booking: Box<Booking>,
        /// The whole fan-out, in its order: the rows of this call and those of an earlier one.
        deliveries: Vec<DeliveryRef>,
    },
    /// A higher version is in the projection; the event sends nothing.
    Superseded {
        /// That version.
        current: i64,
    },
    /// No such event was ever accepted.
    Missing,
}

impl Store {
    /// Applies an accepted event, in one transaction.
    ///
    /// 1. The snapshot becomes the projection, if its version is higher than the one there.
    /// 2. Mails of the booking that still wait and that this makes untrue are called off.
    /// 3. `fan_out` sees the event and the projection and names the mails; they are written to the ledger under their
    ///    keys, so that those that are there already stay as they are. It also says when the first reminder is due.
    /// 4. The event is marked as applied, or as superseded by a higher version (then `fan_out` is not called).
    ///
    /// Applying the same version again changes nothing and answers the same.
    ///
    /// # Errors
    /// As the database says.
    pub async fn apply_event(
        &self,
        booking_id: &str,
        version: i64,
        now: Timestamp,
        fan_out: impl FnOnce(&BookingEvent, &Booking) -> FanOut + Send,
    ) -> Result<EventApplied, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(event) = event::find(&mut transaction, booking_id, version).await? else {
            return Ok(EventApplied::Missing);
        };
        let projected = projection::project(&mut transaction, &event, now).await?;
        let is_new = projected.is_some();
        let mut booking = match projected {
            Some(booking) => booking,
            None => projection::find(&mut transaction, booking_id)
                .await?
                .ok_or_else(|| StoreError::Corrupt(format!("booking {booking_id} is neither written nor there")))?,
        };
        if booking.version > version {
            event::close(&mut transaction, &event, EventState::Superseded, now).await?;
            transaction.commit().await?;
            return Ok(EventApplied::Superseded { current: booking.version });
        }
        let FanOut { mails, next_reminder_at } = fan_out(&event, &booking);
        if is_new {
            call_off(&mut transaction, &booking, now).await?;
            // A booking that is applied again may be on its way to its next reminder: only the scan moves it on.
            if next_reminder_at.is_some() {
                note_next(&mut transaction, &[(booking_id, next_reminder_at)]).await?;
                booking.next_reminder_at = next_reminder_at.map(to_the_millisecond);
            }
        }
        let deliveries = deliveries::insert(&mut transaction, &mails, now).await?;
        event::close(&mut transaction, &event, EventState::Applied, now).await?;
        transaction.commit().await?;
        Ok(EventApplied::Applied { booking: Box::new(booking), deliveries })
    }
}

/// As a column holds it.
fn to_the_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Calls off what waits and tells of an older version, of another start, or of a lesson that will not take place. What is
/// being sent is asked again before it goes.
async fn call_off(session: &mut Session, booking: &Booking, now: Timestamp) -> Result<(), StoreError> {
    session
        .sql(
            "UPDATE deliveries
             SET state = 'cancelled', last_error = $5, lease_token = NULL, next_attempt_at = NULL, touched_at = $6
             WHERE booking_id = $1 AND state IN ('queued', 'deferred', 'held')
               AND (booking_version < $2 OR booking_moves < $3 OR (booking_moves IS NOT NULL AND $4))",
        )
        .bind(booking.id.as_str())
        .bind(booking.version)
        .bind(booking.moves)
        .bind(booking.status != BookingStatus::Confirmed)
        .bind(format!("version {} of the booking made it untrue", booking.version))
        .bind(At(now))
        .run()
        .await?;
    Ok(())
}
