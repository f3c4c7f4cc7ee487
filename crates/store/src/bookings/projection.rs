//! The newest state of each booking.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::event::BookingEvent;
use super::{BookingStatus, CancelledBy, Party, Price};
use crate::db::{At, Record, Row, Session, Store};
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
    /// When this start became known, of a booking that stands: what was due before is not made up for.
    pub start_known_at: Timestamp,
    /// The start before, if this version moved it.
    pub previous_starts_at: Option<Timestamp>,
    /// When the scan for reminders has to look next; none when nothing will be due any more.
    pub next_reminder_at: Option<Timestamp>,
    /// Where a later version asks for other reminders: those that were due before this are not made up for.
    pub reminders_from: Option<Timestamp>,
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
            start_known_at: row.get::<At>("start_known_at")?.0,
            previous_starts_at: row.get::<Option<At>>("previous_starts_at")?.map(|at| at.0),
            next_reminder_at: row.get::<Option<At>>("next_reminder_at")?.map(|at| at.0),
            reminders_from: row.get::<Option<At>>("reminders_from")?.map(|at| at.0),
        })
    }
}

/// Names the columns of [`Booking`].
macro_rules! booking_columns {
    () => {
        "id, version, moves, sequence, status, service, starts_at, duration_minutes, location, url, price_amount,
         price_currency, student, instructor, reason, cancelled_by, reminders, updated_at, start_known_at,
         previous_starts_at, next_reminder_at, reminders_from"
    };
}
pub(super) use booking_columns;

impl Store {
    /// The projection of a booking. Every mail about one asks: those that ask at the same moment share a statement.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_booking(&self, id: &str) -> Result<Option<Booking>, StoreError> {
        let store = self.clone();
        let run = move |ids: Vec<String>| {
            let store = store.clone();
            async move { store.bookings_of(&ids).await }
        };
        self.batches().bookings.ask(id.to_owned(), run).await
    }

    async fn bookings_of(&self, ids: &[String]) -> Result<Vec<Option<Booking>>, StoreError> {
        let text = format!(
            "SELECT {columns} FROM bookings WHERE id IN (SELECT value FROM {each}($1))",
            columns = booking_columns!(),
            each = self.backend().each_text(),
        );
        let mut session = self.read().await?;
        let statement = session.sql(AssertSqlSafe(text)).bind(Json(ids)).planned_afresh();
        let found: Vec<Booking> = statement.all().await?;
        let found: HashMap<&str, &Booking> = found.iter().map(|booking| (booking.id.as_str(), booking)).collect();
        Ok(ids.iter().map(|id| found.get(id.as_str()).map(|booking| (*booking).clone())).collect())
    }
}

/// Reads a booking within a session.
pub(super) async fn find(session: &mut Session, id: &str) -> Result<Option<Booking>, StoreError> {
    session.sql(concat!("SELECT ", booking_columns!(), " FROM bookings WHERE id = $1")).bind(id).optional().await
}

/// Puts the snapshot into the projection if its version is the highest; answers nothing if it is not. Either way the
/// booking's row is locked until the end of the transaction, so that two events of one booking are applied in turn.
///
/// What is due next is left to who knows how long before a lesson people are reminded.
pub(super) async fn project(
    session: &mut Session,
    event: &BookingEvent,
    now: Timestamp,
) -> Result<Option<Booking>, StoreError> {
    let snapshot = &event.snapshot;
    session
        .sql(concat!(
            "INSERT INTO bookings (id, version, moves, sequence, status, service, starts_at, duration_minutes, location,
                 url, price_amount, price_currency, student, instructor, reason, cancelled_by, reminders, updated_at,
                 start_known_at)
             VALUES ($1, $2, 0, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT (id) DO UPDATE SET
                 version          = excluded.version,
                 start_known_at   = CASE WHEN bookings.starts_at = excluded.starts_at AND bookings.status = 'confirmed'
                                         THEN bookings.start_known_at ELSE excluded.start_known_at END,
                 previous_starts_at = CASE WHEN bookings.starts_at = excluded.starts_at
                                           THEN NULL ELSE bookings.starts_at END,
                 -- What was armed and not looked at yet is still to come.
                 reminders_from   = CASE WHEN bookings.reminders IS NOT DISTINCT FROM excluded.reminders
                                         THEN bookings.reminders_from
                                         WHEN bookings.next_reminder_at < excluded.start_known_at
                                         THEN bookings.next_reminder_at
                                         ELSE excluded.start_known_at END,
                 next_reminder_at = NULL,
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
            booking_columns!()
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
        .bind(At(event.received_at))
        .optional()
        .await
}
