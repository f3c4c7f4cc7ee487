//! The sweep's view of the store: what was written down to be done and has been silent for too long.
//!
//! Whoever writes an intent enqueues its job right afterwards. If it dies in between, or the queue loses the job, the row
//! stays as it is. The sweep asks for such rows, enqueues their jobs again under the same ids (harmless where the job is
//! alive) and touches the rows, so that the next sweep looks at others first.
//!
//! The tables have a partial index for this question: it costs nothing for rows that are done.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::bookings::BookingEventKind;
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::DeliveryRef;
use crate::error::StoreError;
use crate::incidents::NotificationRef;
use crate::schedules::{TickRef, tick_ref_columns};

/// Rows that one statement touches.
const CHUNK: usize = 200;

/// Something that was written down to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A booking event that was accepted and not yet applied.
    BookingEvent {
        /// The booking.
        booking_id: String,
        /// Its version.
        version: i64,
        /// What happened.
        event: BookingEventKind,
        /// The job that applies it.
        job_id: Uuid,
    },
    /// A mail that is to be sent, or whose next attempt is overdue, or whose attempt has not reported.
    Delivery(DeliveryRef),
    /// A tick of a schedule whose job is to be done.
    Tick(TickRef),
    /// A message about incidents that is to be posted.
    Notification(NotificationRef),
}

impl Intent {
    /// The job that would do it.
    #[must_use]
    pub fn job_id(&self) -> Uuid {
        match self {
            Self::BookingEvent { job_id, .. } => *job_id,
            Self::Delivery(delivery) => delivery.job_id,
            Self::Tick(tick) => tick.job_id,
            Self::Notification(notification) => notification.job_id,
        }
    }
}

/// An intent and since when it is silent.
struct Silent {
    since: Timestamp,
    intent: Intent,
}

struct SilentEvent(Silent);

impl Record for SilentEvent {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let intent = Intent::BookingEvent {
            booking_id: row.get("booking_id")?,
            version: row.get("version")?,
            event: row.get("event")?,
            job_id: row.get("job_id")?,
        };
        Ok(Self(Silent { since: row.get::<At>("sweep_from")?.0, intent }))
    }
}

struct SilentDelivery(Silent);

impl Record for SilentDelivery {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let intent = Intent::Delivery(DeliveryRef::read(row)?);
        Ok(Self(Silent { since: row.get::<At>("sweep_from")?.0, intent }))
    }
}

struct SilentTick(Silent);

impl Record for SilentTick {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let intent = Intent::Tick(TickRef::read(row)?);
        Ok(Self(Silent { since: row.get::<At>("sweep_from")?.0, intent }))
    }
}

struct SilentNotification(Silent);

impl Record for SilentNotification {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let intent = Intent::Notification(NotificationRef::read(row)?);
        Ok(Self(Silent { since: row.get::<At>("sweep_from")?.0, intent }))
    }
}

impl Store {
    /// Up to `limit` intents that have been silent for longer than `quiet_for`, the most silent first. A deferred mail
    /// counts from the time of its next attempt.
    ///
    /// # Errors
    /// As the database says.
    pub async fn stale_intents(
        &self,
        quiet_for: Duration,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Intent>, StoreError> {
        let before = At(now.checked_sub(quiet_for).unwrap_or(Timestamp::MIN));
        let mut session = self.read().await?;
        let events: Vec<SilentEvent> = session
            .sql(
                "SELECT booking_id, version, event, job_id, sweep_from
                 FROM booking_events
                 WHERE state = 'accepted' AND sweep_from < $1
                 ORDER BY sweep_from LIMIT $2",
            )
            .bind(before)
            .bind(i64::from(limit))
            .all()
            .await?;
        let deliveries: Vec<SilentDelivery> = session
            .sql(
                "SELECT id, idempotency_key, job_id, release, state, send_at, sweep_from
                 FROM deliveries
                 WHERE state IN ('queued', 'sending', 'deferred') AND sweep_from < $1
                 ORDER BY sweep_from LIMIT $2",
            )
            .bind(before)
            .bind(i64::from(limit))
            .all()
            .await?;

        let ticks: Vec<SilentTick> = session
            .sql(concat!(
                "SELECT ",
                tick_ref_columns!(),
                ", sweep_from FROM schedule_ticks
                 WHERE state = 'open' AND sweep_from < $1
                 ORDER BY sweep_from LIMIT $2",
            ))
            .bind(before)
            .bind(i64::from(limit))
            .all()
            .await?;

        let notifications: Vec<SilentNotification> = session
            .sql(
                "SELECT id, job_id, sweep_from FROM alert_notifications
                 WHERE state = 'queued' AND sweep_from < $1
                 ORDER BY sweep_from LIMIT $2",
            )
            .bind(before)
            .bind(i64::from(limit))
            .all()
            .await?;

        let mut silent: Vec<Silent> = events.into_iter().map(|row| row.0).collect();
        silent.extend(deliveries.into_iter().map(|row| row.0));
        silent.extend(ticks.into_iter().map(|row| row.0));
        silent.extend(notifications.into_iter().map(|row| row.0));
        silent.sort_by_key(|silent| silent.since);
        silent.truncate(limit as usize);
        Ok(silent.into_iter().map(|silent| silent.intent).collect())
    }

    /// Notes that the sweep has dealt with these intents. One that is silent on purpose until later stays so.
    ///
    /// # Errors
    /// As the database says.
    pub async fn touch_intents(&self, intents: &[Intent], now: Timestamp) -> Result<(), StoreError> {
        for chunk in intents.chunks(CHUNK) {
            let (mut events, mut deliveries, mut ticks) = (Vec::new(), Vec::new(), Vec::new());
            let mut notifications = Vec::new();
            for intent in chunk {
                match intent {
                    Intent::BookingEvent { booking_id, version, .. } => events.push((booking_id.as_str(), *version)),
                    Intent::Delivery(delivery) => deliveries.push(delivery.id),
                    Intent::Tick(tick) => ticks.push((tick.schedule.as_str(), tick.planned_at)),
                    Intent::Notification(notification) => notifications.push(notification.id),
                }
            }
            let mut transaction = self.begin().await?;
            touch_events(&mut transaction, &events, now).await?;
            touch_deliveries(&mut transaction, &deliveries, now).await?;
            touch_ticks(&mut transaction, &ticks, now).await?;
            touch_notifications(&mut transaction, &notifications, now).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

async fn touch_events(session: &mut Session, events: &[(&str, i64)], now: Timestamp) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..events.len()).map(|n| format!("(${}, ${})", 2 * n + 2, 2 * n + 3)).collect();
    let text = format!(
        "UPDATE booking_events SET sweep_from = $1
         WHERE state = 'accepted' AND sweep_from < $1 AND (booking_id, version) IN (VALUES {})",
        rows.join(", ")
    );
    let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
    for (booking_id, version) in events {
        statement = statement.bind(*booking_id).bind(*version);
    }
    statement.run().await?;
    Ok(())
}

async fn touch_deliveries(session: &mut Session, ids: &[Uuid], now: Timestamp) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (0..ids.len()).map(|n| format!("${}", n + 2)).collect();
    let text = format!(
        "UPDATE deliveries SET sweep_from = $1
         WHERE state IN ('queued', 'sending', 'deferred') AND sweep_from < $1 AND id IN ({})",
        places.join(", ")
    );
    let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
    for id in ids {
        statement = statement.bind(*id);
    }
    statement.run().await?;
    Ok(())
}

async fn touch_ticks(session: &mut Session, ticks: &[(&str, Timestamp)], now: Timestamp) -> Result<(), StoreError> {
    if ticks.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..ticks.len()).map(|n| format!("(${}, ${})", 2 * n + 2, 2 * n + 3)).collect();
    let text = format!(
        "UPDATE schedule_ticks SET sweep_from = $1
         WHERE state = 'open' AND sweep_from < $1 AND (schedule, planned_at) IN (VALUES {})",
        rows.join(", ")
    );
    let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
    for (schedule, planned_at) in ticks {
        statement = statement.bind(*schedule).bind(At(*planned_at));
    }
    statement.run().await?;
    Ok(())
}

async fn touch_notifications(session: &mut Session, ids: &[Uuid], now: Timestamp) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (0..ids.len()).map(|n| format!("${}", n + 2)).collect();
    let text = format!(
        "UPDATE alert_notifications SET sweep_from = $1
         WHERE state = 'queued' AND sweep_from < $1 AND id IN ({})",
        places.join(", ")
    );
    let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
    for id in ids {
        statement = statement.bind(*id);
    }
    statement.run().await?;
    Ok(())
}
