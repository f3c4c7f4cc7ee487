//! The newest state of each booking, and the step that gets it there.

use jiff::Timestamp;
use sqlx::types::Json;

use super::event::{self, BookingEvent};
use super::{BookingStatus, CancelledBy, EventState, Party, Price};
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::{self, DeliveryRef, NewDelivery};
use crate::error::StoreError;

/// A booking as its newest applied event left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The marketplace's id.
    pub id: String,
    /// The highest version that was applied.
    pub version: i64,
    /// How often `starts_at` has changed, from 0.
    pub moves: i64,
    /// The calendar's SEQUENCE (RFC 5545 §3.8.7.4): from 0, one up with each applied version, 31 bits.
    pub sequence: u32,
    /// How it stands.
    pub status: BookingStatus,
    /// What was booked.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// How long it takes.
    pub duration_minutes: u32,
    /// Where it takes place.
    pub location: Option<String>,
    /// Where it takes place online, or where it is managed.
    pub url: Option<String>,
    /// What it costs.
    pub price: Option<Price>,
    /// Who takes it.
    pub student: Party,
    /// Who gives it.
    pub instructor: Party,
    /// Why it changed.
    pub reason: Option<String>,
    /// Who called it off.
    pub cancelled_by: Option<CancelledBy>,
    /// How long before the start to remind; none is the platform's default.
    pub reminders: Option<Vec<String>>,
    /// When the version was applied.
    pub updated_at: Timestamp,
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

impl Record for Booking {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let amount: Option<String> = row.get("price_amount")?;
        let currency: Option<String> = row.get("price_currency")?;
        Ok(Self {
            id: row.get("id")?,
            version: row.get("version")?,
            moves: row.get("moves")?,
            sequence: row.number("sequence")?,
            status: row.get("status")?,
            service: row.get("service")?,
            starts_at: row.get::<At>("starts_at")?.0,
            duration_minutes: row.number("duration_minutes")?,
            location: row.get("location")?,
            url: row.get("url")?,
            price: amount.zip(currency).map(|(amount, currency)| Price { amount, currency }),
            student: row.get::<Json<Party>>("student")?.0,
            instructor: row.get::<Json<Party>>("instructor")?.0,
            reason: row.get("reason")?,
            cancelled_by: row.get("cancelled_by")?,
            reminders: row.get::<Option<Json<Vec<String>>>>("reminders")?.map(|json| json.0),
            updated_at: row.get::<At>("updated_at")?.0,
        })
    }
}

impl Store {
    /// The projection of a booking.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_booking(&self, id: &str) -> Result<Option<Booking>, StoreError> {
        find(&mut self.read().await?, id).await
    }

    /// Applies an accepted event, in one transaction.
    ///
    /// 1. The snapshot becomes the projection, if its version is higher than the one there.
    /// 2. `fan_out` sees the event and the projection and names the mails; they are written to the ledger under their
    ///    keys, so that those that are there already stay as they are.
    /// 3. The event is marked as applied, or as superseded by a higher version (then `fan_out` is not called).
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
        fan_out: impl FnOnce(&BookingEvent, &Booking) -> Vec<NewDelivery> + Send,
    ) -> Result<EventApplied, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(event) = event::find(&mut transaction, booking_id, version).await? else {
            return Ok(EventApplied::Missing);
        };
        let booking = match project(&mut transaction, &event, now).await? {
            Some(booking) => booking,
            None => find(&mut transaction, booking_id)
                .await?
                .ok_or_else(|| StoreError::Corrupt(format!("booking {booking_id} is neither written nor there")))?,
        };
        if booking.version > version {
            event::close(&mut transaction, &event, EventState::Superseded, now).await?;
            transaction.commit().await?;
            return Ok(EventApplied::Superseded { current: booking.version });
        }
        let mails = fan_out(&event, &booking);
        let deliveries = deliveries::insert(&mut transaction, &mails, now).await?;
        event::close(&mut transaction, &event, EventState::Applied, now).await?;
        transaction.commit().await?;
        Ok(EventApplied::Applied { booking: Box::new(booking), deliveries })
    }
}

macro_rules! columns {
    () => {
        "id, version, moves, sequence, status, service, starts_at, duration_minutes, location, url, price_amount,
         price_currency, student, instructor, reason, cancelled_by, reminders, updated_at"
    };
}

async fn find(session: &mut Session, id: &str) -> Result<Option<Booking>, StoreError> {
    session.sql(concat!("SELECT ", columns!(), " FROM bookings WHERE id = $1")).bind(id).optional().await
}

/// Puts the snapshot into the projection if its version is the highest; answers nothing if it is not. Either way the
/// booking's row is locked until the end of the transaction, so that two events of one booking are applied in turn.
async fn project(session: &mut Session, event: &BookingEvent, now: Timestamp) -> Result<Option<Booking>, StoreError> {
    let snapshot = &event.snapshot;
    session
        .sql(concat!(
            "INSERT INTO bookings (id, version, moves, sequence, status, service, starts_at, duration_minutes, location,
                 url, price_amount, price_currency, student, instructor, reason, cancelled_by, reminders, updated_at)
             VALUES ($1, $2, 0, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (id) DO UPDATE SET
                 version          = excluded.version,
                 moves            = bookings.moves + CASE WHEN bookings.starts_at = excluded.starts_at THEN 0 ELSE 1 END,
                 sequence         = bookings.sequence + CASE WHEN bookings.sequence < 2147483647 THEN 1 ELSE 0 END,
                 status           = excluded.status,
                 service          = excluded.service,
                 starts_at        = excluded.starts_at,
                 duration_minutes = excluded.duration_minutes,
                 location         = excluded.location,
                 url              = excluded.url,
                 price_amount     = excluded.price_amount,
                 price_currency   = excluded.price_currency,
                 student          = excluded.student,
                 instructor       = excluded.instructor,
                 reason           = excluded.reason,
                 cancelled_by     = excluded.cancelled_by,
                 reminders        = excluded.reminders,
                 updated_at       = excluded.updated_at
             WHERE bookings.version < excluded.version
             RETURNING ",
            columns!()
        ))
        .bind(event.booking_id.as_str())
        .bind(event.version)
        .bind(event.event.status())
        .bind(snapshot.service.as_str())
        .bind(At(snapshot.starts_at))
        .bind(i64::from(snapshot.duration_minutes))
        .bind(snapshot.location.as_deref())
        .bind(snapshot.url.as_deref())
        .bind(snapshot.price.as_ref().map(|price| price.amount.as_str()))
        .bind(snapshot.price.as_ref().map(|price| price.currency.as_str()))
        .bind(Json(&snapshot.student))
        .bind(Json(&snapshot.instructor))
        .bind(snapshot.reason.as_deref())
        .bind(snapshot.cancelled_by)
        .bind(snapshot.reminders.as_ref().map(Json))
        .bind(At(now))
        .optional()
        .await
}
