//! Finding the bookings of which somebody has to be reminded, and claiming the reminders.
//!
//! 1. Each booking says when it is to be looked at next (`next_reminder_at`), so that a scan reads an index and not the
//!    bookings.
//! 2. A reminder is claimed by its mail, written under a key of its own; the booking is moved on in the same transaction.
//!    Two scans at the same time take different bookings, and whatever dies in between, the claim and the mail are both
//!    there or both not.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::apply::FanOut;
use super::projection::{Booking, booking_columns};
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::deliveries::{self, DeliveryRef};
use crate::error::StoreError;

/// Rows that one statement moves on.
const CHUNK: usize = 500;

/// What a step of the scan did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claimed {
    /// Bookings that were looked at: fewer than asked for means that no more are due.
    pub bookings: usize,
    /// Their reminders: the rows of this call, and those that were there under their keys.
    pub deliveries: Vec<DeliveryRef>,
}

/// The bookings that are due, the longest overdue first. In Postgres those that another scan has in hand are left to it;
/// in SQLite there is one writer at a time.
fn due(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => concat!(
            "SELECT ",
            booking_columns!(),
            " FROM bookings WHERE next_reminder_at <= $1 ORDER BY next_reminder_at LIMIT $2 FOR UPDATE SKIP LOCKED"
        ),
        Backend::Sqlite => concat!(
            "SELECT ",
            booking_columns!(),
            " FROM bookings WHERE next_reminder_at <= $1 ORDER BY next_reminder_at LIMIT $2"
        ),
    }
}

/// A line of a plan.
struct Step(String);

impl Record for Step {
    fn read(row: &Row) -> Result<Self, StoreError> {
        // Each database has a name of its own for it.
        row.get("QUERY PLAN").or_else(|_| row.get("detail")).map(Self)
    }
}

impl Store {
    /// Takes up to `limit` (1…1000) bookings whose time to be looked at has come, in one transaction: `decide` sees each
    /// and names the reminders to send and the time of the next look.
    ///
    /// # Errors
    /// As the database says.
    pub async fn claim_reminders(
        &self,
        now: Timestamp,
        limit: u32,
        mut decide: impl FnMut(&Booking) -> FanOut + Send,
    ) -> Result<Claimed, StoreError> {
        let mut transaction = self.begin().await?;
        let statement = transaction.sql(due(self.backend())).bind(At(now)).bind(i64::from(limit.clamp(1, 1000)));
        let bookings: Vec<Booking> = statement.all().await?;
        let (mut mails, mut next) = (Vec::new(), Vec::with_capacity(bookings.len()));
        for booking in &bookings {
            let decided = decide(booking);
            mails.extend(decided.mails);
            next.push((booking.id.as_str(), decided.next_reminder_at));
        }
        let deliveries = deliveries::insert(&mut transaction, &mails, now).await?;
        note_next(&mut transaction, &next).await?;
        transaction.commit().await?;
        Ok(Claimed { bookings: bookings.len(), deliveries })
    }

    /// How the database finds the bookings of [`Store::claim_reminders`]: its plan of that statement, a line a step. For
    /// tests and for whoever wonders.
    ///
    /// # Errors
    /// As the database says.
    #[doc(hidden)]
    pub async fn plan_of_due_reminders(&self, now: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        let explain = match self.backend() {
            Backend::Postgres => "EXPLAIN",
            Backend::Sqlite => "EXPLAIN QUERY PLAN",
        };
        let mut transaction = self.begin().await?;
        let text = format!("{explain} {}", due(self.backend()));
        let statement = transaction.sql(AssertSqlSafe(text)).bind(At(now)).bind(i64::from(limit));
        let steps: Vec<Step> = statement.all().await?;
        Ok(steps.into_iter().map(|step| step.0).collect())
    }

    /// Sets when a booking is looked at next, if it is still of this version and was to be looked at when `found` says:
    /// for who found that this is not what its reminders ask for.
    ///
    /// # Errors
    /// As the database says.
    pub async fn rearm_reminders(
        &self,
        booking: &Booking,
        next_reminder_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let changed = self
            .write_one()
            .await?
            .sql(
                "UPDATE bookings SET next_reminder_at = $4
                 WHERE id = $1 AND version = $2 AND next_reminder_at IS NOT DISTINCT FROM $3",
            )
            .bind(booking.id.as_str())
            .bind(booking.version)
            .bind(booking.next_reminder_at.map(At))
            .bind(next_reminder_at.map(At))
            .run()
            .await?;
        Ok(changed > 0)
    }
}

/// Writes when bookings are to be looked at next.
pub(super) async fn note_next(session: &mut Session, next: &[(&str, Option<Timestamp>)]) -> Result<(), StoreError> {
    for chunk in next.chunks(CHUNK) {
        let rows: Vec<String> = (0..chunk.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2)).collect();
        // Both databases call the columns of a list of values so.
        let text = format!(
            "UPDATE bookings SET next_reminder_at = new.column2
             FROM (VALUES {}) AS new WHERE bookings.id = new.column1",
            rows.join(", ")
        );
        let mut statement = session.sql(AssertSqlSafe(text));
        if chunk.len() > 1 && chunk.len() < CHUNK {
            statement = statement.unprepared();
        }
        for (id, at) in chunk {
            statement = statement.bind(*id).bind(at.map(At));
        }
        statement.run().await?;
    }
    Ok(())
}
