//! Accepting an event: the row that must exist before anybody is told that the event was accepted.

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::{BookingEventKind, EventState, Snapshot};
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// An event to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBookingEvent {
    /// The marketplace's id of the booking.
    pub booking_id: String,
    /// The marketplace's version of the booking, 1…2⁵³−1.
    pub version: i64,
    /// What happened.
    pub event: BookingEventKind,
    /// See [`super::content_hash`].
    pub content_hash: [u8; 32],
    /// The booking after it.
    pub snapshot: Snapshot,
    /// The job that will apply it, if this is the first time that it is reported.
    pub job_id: Uuid,
}

/// What became of a reported event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It was written. (Reporting it again with the same job id is the same report.)
    New {
        /// The job to enqueue.
        job_id: Uuid,
    },
    /// It had been written before, with the same content.
    Duplicate {
        /// Its job, as a rule that of the first report: enqueueing it again is harmless. For an event that had failed it
        /// is the job of this report, and the event is on its way again.
        job_id: Uuid,
    },
    /// This version was reported before with another content; nothing changed.
    Conflict,
}

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingEvent {
    /// The marketplace's id of the booking.
    pub booking_id: String,
    /// The marketplace's version of the booking.
    pub version: i64,
    /// What happened.
    pub event: BookingEventKind,
    /// The booking after it.
    pub snapshot: Snapshot,
    /// The job that applies it.
    pub job_id: Uuid,
    /// How far it has come.
    pub state: EventState,
    /// When it was first reported.
    pub received_at: Timestamp,
    /// When it was applied or superseded.
    pub applied_at: Option<Timestamp>,
    /// What became of the job of an event that has failed; kept until it is applied after all.
    pub failure: Option<String>,
}

impl Record for BookingEvent {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            booking_id: row.get("booking_id")?,
            version: row.get("version")?,
            event: row.get("event")?,
            snapshot: row.get::<Json<Snapshot>>("snapshot")?.0,
            job_id: row.get("job_id")?,
            state: row.get("state")?,
            received_at: row.get::<At>("received_at")?.0,
            applied_at: row.get::<Option<At>>("applied_at")?.map(|at| at.0),
            failure: row.get("failure")?,
        })
    }
}

/// The job of a row that an upsert touched, and why the row had failed before.
struct Touched {
    job_id: Uuid,
    failure: Option<String>,
}

impl Record for Touched {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { job_id: row.get("job_id")?, failure: row.get("failure")? })
    }
}

impl Store {
    /// Writes an event, once. The sweep leaves it alone for a while from `now`. One that had failed is accepted again, under
    /// the new job.
    ///
    /// # Errors
    /// As the database says; a version out of range is refused.
    pub async fn accept_event(&self, new: &NewBookingEvent, now: Timestamp) -> Result<Accepted, StoreError> {
        let touched = self
            .write_one()
            .await?
            .sql(
                "INSERT INTO booking_events
                     (booking_id, version, event, content_hash, snapshot, job_id, state, received_at, sweep_from)
                 VALUES ($1, $2, $3, $4, $5, $6, 'accepted', $7, $7)
                 ON CONFLICT (booking_id, version) DO UPDATE SET
                     sweep_from = excluded.sweep_from,
                     job_id = CASE booking_events.state WHEN 'failed' THEN excluded.job_id
                                                        ELSE booking_events.job_id END,
                     state = CASE booking_events.state WHEN 'failed' THEN 'accepted' ELSE booking_events.state END
                 WHERE booking_events.content_hash = excluded.content_hash
                 RETURNING job_id, failure",
            )
            .bind(new.booking_id.as_str())
            .bind(new.version)
            .bind(new.event)
            .bind(new.content_hash.as_slice())
            .bind(Json(&new.snapshot))
            .bind(new.job_id)
            .bind(At(now))
            .optional::<Touched>()
            .await?;
        Ok(match touched {
            Some(Touched { job_id, failure: None }) if job_id == new.job_id => Accepted::New { job_id },
            Some(Touched { job_id, .. }) => Accepted::Duplicate { job_id },
            None => Accepted::Conflict,
        })
    }

    /// The event that was accepted as `version` of a booking.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_event(&self, booking_id: &str, version: i64) -> Result<Option<BookingEvent>, StoreError> {
        find(&mut self.read().await?, booking_id, version).await
    }
}

/// Reads an event within a session.
pub(super) async fn find(
    session: &mut Session,
    booking_id: &str,
    version: i64,
) -> Result<Option<BookingEvent>, StoreError> {
    session
        .sql(
            "SELECT booking_id, version, event, snapshot, job_id, state, received_at, applied_at, failure
             FROM booking_events WHERE booking_id = $1 AND version = $2",
        )
        .bind(booking_id)
        .bind(version)
        .optional()
        .await
}

/// Marks an event as dealt with; one that is marked already keeps its mark.
pub(super) async fn close(
    session: &mut Session,
    event: &BookingEvent,
    state: EventState,
    now: Timestamp,
) -> Result<(), StoreError> {
    session
        .sql(
            "UPDATE booking_events SET state = $3, applied_at = $4, failure = NULL
             WHERE booking_id = $1 AND version = $2 AND state IN ('accepted', 'failed')",
        )
        .bind(event.booking_id.as_str())
        .bind(event.version)
        .bind(state)
        .bind(At(now))
        .run()
        .await?;
    Ok(())
}
