//! Who leads: one row with an epoch that rises each time that somebody else takes over.
//!
//! The time of expiry only says when another may try. That nobody fires under an old epoch is checked where ticks are
//! written, in the same transaction.

use std::time::Duration;

use jiff::Timestamp;

use super::fire::free_to_go_on;
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// The right to fire, as long as nobody else has taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerLease {
    /// The scheduler that holds it.
    pub holder: String,
    /// Its number: higher than that of every lease before.
    pub epoch: i64,
}

/// What a scheduler looks at between two ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerState {
    /// Who leads or led last; empty if nobody ever did.
    pub holder: String,
    /// Under which epoch.
    pub epoch: i64,
    /// Until when, unless it renews.
    pub expires_at: Timestamp,
    /// Raised with each change of a schedule.
    pub changes: i64,
    /// Whether a tick has waited long enough: no earlier one of its schedule is under way, and no pause holds it.
    pub may_go_on: bool,
}

impl Record for SchedulerState {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            holder: row.get("holder")?,
            epoch: row.get("epoch")?,
            expires_at: row.get::<At>("expires_at")?.0,
            changes: row.get("changes")?,
            may_go_on: row.get("may_go_on")?,
        })
    }
}

struct Epoch(i64);

impl Record for Epoch {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("epoch")?))
    }
}

impl Store {
    /// Takes the lead for `lasts`, if nobody holds it at `now`. Each taking has an epoch of its own, that of the same
    /// holder too.
    ///
    /// # Errors
    /// As the database says.
    pub async fn take_scheduler_lease(
        &self,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<Option<SchedulerLease>, StoreError> {
        let taken: Option<Epoch> = self
            .write_one()
            .await?
            .sql(
                "UPDATE scheduler_lease SET epoch = epoch + 1, holder = $1, expires_at = $2
                 WHERE id = 1 AND expires_at <= $3
                 RETURNING epoch",
            )
            .bind(holder)
            .bind(At(until(now, lasts)))
            .bind(At(now))
            .optional()
            .await?;
        Ok(taken.map(|taken| SchedulerLease { holder: holder.to_owned(), epoch: taken.0 }))
    }

    /// Keeps the lead for `lasts` from `now`; `false` if another has taken it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn renew_scheduler_lease(
        &self,
        lease: &SchedulerLease,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let renewed = self
            .write_one()
            .await?
            .sql("UPDATE scheduler_lease SET expires_at = $3 WHERE id = 1 AND epoch = $1 AND holder = $2")
            .bind(lease.epoch)
            .bind(lease.holder.as_str())
            .bind(At(until(now, lasts)))
            .run()
            .await?;
        Ok(renewed > 0)
    }

    /// Gives the lead back, so that another need not wait for its end.
    ///
    /// # Errors
    /// As the database says.
    pub async fn release_scheduler_lease(&self, lease: &SchedulerLease, now: Timestamp) -> Result<(), StoreError> {
        self.renew_scheduler_lease(lease, Duration::ZERO, now).await?;
        Ok(())
    }

    /// Who leads, whether schedules have changed, whether ticks that waited may go on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn scheduler_state(&self) -> Result<SchedulerState, StoreError> {
        self.read()
            .await?
            .sql(concat!(
                "SELECT holder, epoch, expires_at, changes, EXISTS (",
                free_to_go_on!(),
                ") AS may_go_on FROM scheduler_lease WHERE id = 1",
            ))
            .optional()
            .await?
            .ok_or_else(|| StoreError::Corrupt("scheduler_lease has lost its row".to_owned()))
    }
}

fn until(now: Timestamp, lasts: Duration) -> Timestamp {
    now.checked_add(lasts).unwrap_or(Timestamp::MAX)
}

/// Whether `lease` still leads. Until the end of the transaction nobody else can take over.
pub(super) async fn leads(transaction: &mut Session, lease: &SchedulerLease) -> Result<bool, StoreError> {
    let held = transaction
        .sql("UPDATE scheduler_lease SET holder = $2 WHERE id = 1 AND epoch = $1 AND holder = $2")
        .bind(lease.epoch)
        .bind(lease.holder.as_str())
        .run()
        .await?;
    Ok(held > 0)
}
