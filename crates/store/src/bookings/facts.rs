//! What must have been mailed, for who compares it with the ledger.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::event::BookingEvent;
use super::projection::{Booking, booking_columns};
use crate::db::{At, Record, Row, Store};
use crate::deliveries::DeliveryRef;
use crate::error::StoreError;

/// Keys that one statement asks for.
const CHUNK: usize = 500;

/// An event and the version that its booking has reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFact {
    /// The event.
    pub event: BookingEvent,
    /// The version of the projection; none before any event was applied.
    pub current: Option<i64>,
}

impl Record for EventFact {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { event: BookingEvent::read(row)?, current: row.get("current")? })
    }
}

impl Store {
    /// Up to `limit` events that were received from `since` on, the oldest first; after the one named by `after`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn events_since(
        &self,
        since: Timestamp,
        after: Option<&BookingEvent>,
        limit: u32,
    ) -> Result<Vec<EventFact>, StoreError> {
        let (received_at, booking_id, version) =
            after.map_or((since, "", 0), |event| (event.received_at, event.booking_id.as_str(), event.version));
        self.read()
            .await?
            .sql(
                "SELECT e.booking_id, e.version, e.event, e.snapshot, e.job_id, e.state, e.received_at, e.applied_at,
                     e.failure, b.version AS current
                 FROM booking_events e LEFT JOIN bookings b ON b.id = e.booking_id
                 WHERE (e.received_at, e.booking_id, e.version) > ($1, $2, $3)
                 ORDER BY e.received_at, e.booking_id, e.version LIMIT $4",
            )
            .bind(At(received_at))
            .bind(booking_id)
            .bind(version)
            .bind(i64::from(limit))
            .all()
            .await
    }

    /// Up to `limit` bookings that are to take place and start at `since` or later, the first to start first; after the one
    /// named by `after`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn upcoming_bookings(
        &self,
        since: Timestamp,
        after: Option<&Booking>,
        limit: u32,
    ) -> Result<Vec<Booking>, StoreError> {
        let (starts_at, id) = after.map_or((since, ""), |booking| (booking.starts_at, booking.id.as_str()));
        self.read()
            .await?
            .sql(concat!(
                "SELECT ",
                booking_columns!(),
                " FROM bookings WHERE status = 'confirmed' AND (starts_at, id) > ($1, $2)
                  ORDER BY starts_at, id LIMIT $3"
            ))
            .bind(At(starts_at))
            .bind(id)
            .bind(i64::from(limit))
            .all()
            .await
    }

    /// The mails in the ledger under these keys.
    ///
    /// # Errors
    /// As the database says.
    pub async fn deliveries_under(&self, keys: &[String]) -> Result<HashMap<String, DeliveryRef>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        let mut session = self.read().await?;
        for chunk in keys.chunks(CHUNK) {
            let places: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
            let text = format!(
                "SELECT id, idempotency_key, job_id, release, state, send_at FROM deliveries
                 WHERE idempotency_key IN ({})",
                places.join(", ")
            );
            let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
            for key in chunk {
                statement = statement.bind(key.as_str());
            }
            let rows: Vec<DeliveryRef> = statement.all().await?;
            found.extend(rows.into_iter().map(|row| (row.idempotency_key.clone(), row)));
        }
        Ok(found)
    }
}
