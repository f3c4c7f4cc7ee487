//! Housekeeping, one bounded step at a time.
//!
//! 1. After a silence nobody could renew a lease, so nobody is reaped for one lease time.
//! 2. Due jobs become available.
//! 3. Jobs of lost workers go back with their age in the order and one loss more; after two they wait apart; one that
//!    was lost while it ran alone is dead.
//! 4. What ended long ago, or is too much, goes.
//! 5. Unique keys, remembered ids and reservations whose time is over go.

use async_trait::async_trait;
use job::{JobId, JobState, QueueName};
use sqlx::Row;

use super::entry::{self, Entry};
use super::place::Place;
use super::work::{Operation, Work};
use crate::error::BrokerError;
use crate::lease::Maintained;

/// The most jobs that one step touches.
const STEP: i64 = 512;

/// The most lost jobs in one step, and the most purged keys of each table: they go one by one or cost a look-up each.
const FEW: i64 = 128;

/// One step for one queue.
pub(super) struct Maintaining(pub(super) QueueName);

#[async_trait]
impl Operation for Maintaining {
    type Answer = Maintained;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Maintained, BrokerError> {
        let queue = work.queue(&self.0).await?;
        let mut step = Step { queue, left: STEP, done: Maintained::default() };
        let may_reap = note_the_time(work, queue).await?;
        let promoted = super::lease::promote(work, queue, step.left).await?;
        step.done.promoted = entry::count(promoted);
        step.left -= promoted;
        if may_reap {
            step.reap(work).await?;
        }
        let completed_count = work.settings.completed_count(&self.0);
        step.trim(work, completed_count).await?;
        let purged = purge(work).await?;
        step.done.more |= step.left <= 0 || purged;
        step.done.cancel_requested = to_cancel(work, queue).await?;
        Ok(step.done)
    }
}

/// Notes that housekeeping was here; answers whether jobs may be taken from their workers.
///
/// This process knows exactly when it was here; the file learns it a few times in each [`Settings::silence`], so that a
/// queue where nothing happens writes little. What another process may read is too old at most: it waits a lease more.
///
/// [`Settings::silence`]: crate::Settings::silence
async fn note_the_time(work: &mut Work<'_>, queue: i64) -> Result<bool, BrokerError> {
    let sql = "SELECT maintained_at, reap_after FROM queues WHERE id = ?1";
    let row = sqlx::query(sql).bind(queue).fetch_one(&mut *work.conn).await?;
    let (written, mut reap_after): (Option<i64>, i64) = (row.try_get(0)?, row.try_get(1)?);
    let last = work.keep_house(queue).max(written);
    let silence = i64::try_from(work.settings.silence.as_millis()).unwrap_or(i64::MAX);
    let after_silence = last.is_none_or(|last| work.now - last > silence);
    if after_silence {
        let lease = i64::try_from(work.settings.lease.as_millis()).unwrap_or(i64::MAX);
        reap_after = work.now.saturating_add(lease);
    }
    if after_silence || written.is_none_or(|written| work.now - written > silence / 4) {
        let sql = "UPDATE queues SET maintained_at = ?2, reap_after = ?3 WHERE id = ?1";
        sqlx::query(sql).bind(queue).bind(work.now).bind(reap_after).execute(&mut *work.conn).await?;
    }
    Ok(work.now >= reap_after)
}

struct Step {
    queue: i64,
    left: i64,
    done: Maintained,
}

impl Step {
    async fn reap(&mut self, work: &mut Work<'_>) -> Result<(), BrokerError> {
        const SQL: &str = "SELECT id FROM jobs WHERE queue = ?1 AND state = 2 AND rank < ?2 ORDER BY rank, id LIMIT ?3";
        let limit = self.left.min(FEW);
        if limit <= 0 {
            return Ok(());
        }
        let rows = sqlx::query(SQL).bind(self.queue).bind(work.now).bind(limit).fetch_all(&mut *work.conn).await?;
        for row in &rows {
            let Some(mut job) = Entry::load(work, entry::id(row.try_get(0)?)?).await? else { continue };
            job.losses = (job.losses + 1).min(255);
            self.done.reaped += 1;
            if job.cancel {
                job.end(work, Place::Cancelled).await?;
            } else if job.solo {
                self.done.crashed += 1;
                let n = job.losses;
                job.add_error(
                    work.now,
                    &format!("crashed: {n} workers were lost with it, the last one while it ran alone"),
                )?;
                job.end(work, Place::Dead).await?;
            } else {
                job.attempt = (job.attempt - 1).max(0);
                let due = job.run_at.min(work.now);
                job.wait_until(work, due);
            }
            job.save(work).await?;
        }
        self.left -= rows.len() as i64;
        self.done.more |= rows.len() as i64 == FEW;
        Ok(())
    }

    async fn trim(&mut self, work: &mut Work<'_>, completed_count: u64) -> Result<(), BrokerError> {
        // The counts of this transaction's earlier steps are part of what is trimmed.
        work.count().await?;
        let keep = work.settings.retention;
        let sql = "SELECT completed, dead, cancelled, expired FROM queues WHERE id = ?1";
        let row = sqlx::query(sql).bind(self.queue).fetch_one(&mut *work.conn).await?;
        let places = [Place::Completed, Place::Dead, Place::Cancelled, Place::Expired];
        for (column, place) in places.into_iter().enumerate() {
            let (count, age) = match place {
                Place::Completed => (completed_count, keep.completed_age),
                _ => (keep.ended_count, keep.ended_age),
            };
            let over = row.try_get::<i64, _>(column)?.saturating_sub(i64::try_from(count).unwrap_or(i64::MAX));
            self.drop_oldest(work, place, i64::MAX, over.min(self.left)).await?;
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            self.drop_oldest(work, place, work.now.saturating_sub(age), self.left).await?;
        }
        Ok(())
    }

    /// Removes jobs that ended at `until` or before, the oldest first, at most `limit`.
    async fn drop_oldest(
        &mut self,
        work: &mut Work<'_>,
        place: Place,
        until: i64,
        limit: i64,
    ) -> Result<(), BrokerError> {
        const SQL: &str = "DELETE FROM jobs WHERE id IN (
             SELECT id FROM jobs WHERE queue = ?1 AND state = ?2 AND rank <= ?3 ORDER BY rank, id LIMIT ?4)";
        if limit <= 0 {
            return Ok(());
        }
        let query = sqlx::query(SQL).bind(self.queue).bind(place.code()).bind(until).bind(limit);
        let gone = query.execute(&mut *work.conn).await?.rows_affected() as i64;
        let state: JobState = place.state();
        work.moved(self.queue, Some(state), None, gone);
        self.done.trimmed += entry::count(gone);
        self.left -= gone;
        Ok(())
    }
}

/// Removes what is no longer held or remembered, of all queues; answers whether there may be more.
async fn purge(work: &mut Work<'_>) -> Result<bool, BrokerError> {
    const SQL: [&str; 3] = [
        "DELETE FROM unique_keys WHERE (queue, key) IN (
             SELECT queue, key FROM unique_keys WHERE until <= ?1 AND until IS NOT NULL LIMIT ?2)",
        "DELETE FROM once_ids WHERE id IN (SELECT id FROM once_ids WHERE until <= ?1 LIMIT ?2)",
        "DELETE FROM reservations WHERE (scope, key) IN (
             SELECT scope, key FROM reservations WHERE until <= ?1 LIMIT ?2)",
    ];
    let mut more = false;
    for sql in SQL {
        let gone = sqlx::query(sql).bind(work.now).bind(FEW).execute(&mut *work.conn).await?.rows_affected();
        more |= gone >= FEW as u64;
    }
    Ok(more)
}

async fn to_cancel(work: &mut Work<'_>, queue: i64) -> Result<Vec<JobId>, BrokerError> {
    let sql = "SELECT id FROM jobs WHERE queue = ?1 AND cancel = 1 LIMIT ?2";
    let rows = sqlx::query(sql).bind(queue).bind(STEP).fetch_all(&mut *work.conn).await?;
    rows.iter().map(|row| entry::id(row.try_get(0)?)).collect()
}
