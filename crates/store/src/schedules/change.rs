//! What people do to schedules: make, change, pause, resume, delete, look at.

use jiff::Timestamp;
use sqlx::types::Json;

use super::announce;
use super::policy::{Origin, PausedBy};
use super::record::{Paused, Schedule, ScheduleSpec, ms, schedule_columns};
use crate::db::{At, Session, Store};
use crate::error::StoreError;
use crate::page::Page;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done {
        /// The schedule as it is now; as it was, if it was deleted.
        schedule: Box<Schedule>,
        /// The pause that has ended with it.
        ended: Option<Paused>,
    },
    /// There is no such schedule.
    Missing,
    /// The configuration defines it.
    OfConfig,
    /// Somebody else has changed it meanwhile.
    Moved,
}

impl Store {
    /// Makes a schedule of a person's; `None`, and nothing happens, if the name is taken. Its first instant is the first
    /// after `now`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn create_schedule(
        &self,
        name: &str,
        spec: &ScheduleSpec,
        now: Timestamp,
    ) -> Result<Option<Schedule>, StoreError> {
        let mut transaction = self.begin().await?;
        if !insert(&mut transaction, name, Origin::Api, spec, now).await? {
            return Ok(None);
        }
        announce(&mut transaction).await?;
        let made = find(&mut transaction, name).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Gives a person's schedule another definition, if it still has `revision`. With another expression or zone, what was
    /// planned before `now` and not fired is let go; otherwise it fires, as it is defined now. Failures count from 0, and a
    /// pause by failures, which were those of the old definition, ends.
    ///
    /// # Errors
    /// As the database says.
    pub async fn change_schedule(
        &self,
        name: &str,
        revision: i64,
        spec: &ScheduleSpec,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(found) = find_to_change(&mut transaction, name).await? else { return Ok(Changed::Missing) };
        if found.origin == Origin::Config {
            return Ok(Changed::OfConfig);
        }
        if found.revision != revision || !redefine(&mut transaction, name, revision, Origin::Api, spec, now).await? {
            return Ok(Changed::Moved);
        }
        done(transaction, name, by_failures(found.paused)).await
    }

    /// Fires nothing of this schedule, and lets nothing go on that waits, until it is resumed. A pause by failures becomes
    /// the operator's, and is answered as ended; an operator's stays as it is.
    ///
    /// # Errors
    /// As the database says.
    pub async fn pause_schedule(
        &self,
        name: &str,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(found) = find_to_change(&mut transaction, name).await? else { return Ok(Changed::Missing) };
        transaction
            .sql(
                "UPDATE schedules SET paused_at = $2, paused_by = $3, pause_reason = $4, updated_at = $2
                 WHERE name = $1 AND (paused_at IS NULL OR paused_by = 'failures')",
            )
            .bind(name)
            .bind(At(now))
            .bind(PausedBy::Operator)
            .bind(reason)
            .run()
            .await?;
        done(transaction, name, by_failures(found.paused)).await
    }

    /// Fires again, from the first instant after `now` on: what was planned during the pause is let go.
    ///
    /// # Errors
    /// As the database says.
    pub async fn resume_schedule(&self, name: &str, now: Timestamp) -> Result<Changed, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(found) = find_to_change(&mut transaction, name).await? else { return Ok(Changed::Missing) };
        transaction
            .sql(
                "UPDATE schedules
                 SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, failures = 0, updated_at = $2,
                     decided_until = CASE WHEN decided_until > $2 THEN decided_until ELSE $2 END
                 WHERE name = $1 AND paused_at IS NOT NULL",
            )
            .bind(name)
            .bind(At(now))
            .run()
            .await?;
        done(transaction, name, found.paused).await
    }

    /// Deletes a person's schedule. Ticks that wait are called off; jobs that are under way go on; the history stays.
    ///
    /// # Errors
    /// As the database says.
    pub async fn delete_schedule(&self, name: &str, now: Timestamp) -> Result<Changed, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(found) = find_to_change(&mut transaction, name).await? else { return Ok(Changed::Missing) };
        if found.origin == Origin::Config {
            return Ok(Changed::OfConfig);
        }
        remove(&mut transaction, name, now).await?;
        announce(&mut transaction).await?;
        transaction.commit().await?;
        let ended = found.paused.clone();
        Ok(Changed::Done { schedule: Box::new(found), ended })
    }

    /// The schedule of that name.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_schedule(&self, name: &str) -> Result<Option<Schedule>, StoreError> {
        find(&mut self.read().await?, name).await
    }

    /// Schedules by name, up to `limit` a page; the cursor is the last name of the page before.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_schedules(&self, limit: u32, after: Option<&str>) -> Result<Page<Schedule>, StoreError> {
        let mut items: Vec<Schedule> = self
            .read()
            .await?
            .sql(concat!("SELECT ", schedule_columns!(), " FROM schedules WHERE name > $1 ORDER BY name LIMIT $2"))
            .bind(after.unwrap_or(""))
            .bind(i64::from(limit) + 1)
            .all()
            .await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|last| last.name.clone());
        Ok(Page { items, next_cursor })
    }
}

/// Commits, and answers with the schedule as it is now.
async fn done(mut transaction: Session, name: &str, ended: Option<Paused>) -> Result<Changed, StoreError> {
    let Some(schedule) = find(&mut transaction, name).await? else { return Ok(Changed::Missing) };
    announce(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Changed::Done { schedule: Box::new(schedule), ended })
}

/// The pause, if it is one that ends with the definition.
pub(super) fn by_failures(paused: Option<Paused>) -> Option<Paused> {
    paused.filter(|paused| paused.by == PausedBy::Failures)
}

/// The schedule, which nobody else changes until the end of the transaction.
pub(super) async fn find_to_change(session: &mut Session, name: &str) -> Result<Option<Schedule>, StoreError> {
    session.sql("UPDATE schedules SET name = name WHERE name = $1").bind(name).run().await?;
    find(session, name).await
}

pub(super) async fn find(session: &mut Session, name: &str) -> Result<Option<Schedule>, StoreError> {
    session.sql(concat!("SELECT ", schedule_columns!(), " FROM schedules WHERE name = $1")).bind(name).optional().await
}

/// Writes a new row; `false` if the name is taken.
pub(super) async fn insert(
    session: &mut Session,
    name: &str,
    origin: Origin,
    spec: &ScheduleSpec,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let written = session
        .sql(
            "INSERT INTO schedules (name, origin, cron, timezone, kind, queue, args, catch_up, max_lateness_ms, overlap,
                 jitter_ms, failure_limit, revision, decided_until, failures, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, 0, $13, $13)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(origin)
        .bind(spec.cron.as_str())
        .bind(spec.timezone.as_str())
        .bind(spec.kind.as_str())
        .bind(spec.queue.as_str())
        .bind(Json(&spec.args))
        .bind(spec.catch_up)
        .bind(ms(spec.max_lateness))
        .bind(spec.overlap)
        .bind(ms(spec.jitter))
        .bind(spec.failure_limit.map(i64::from))
        .bind(At(now))
        .run()
        .await?;
    Ok(written > 0)
}

/// Writes another definition over `revision`, and ends a pause by failures; `false` if it is not that one any more.
/// Instants that came and were not fired yet stay to be decided, unless they are those of another expression or zone, or of
/// the pause that ends.
pub(super) async fn redefine(
    session: &mut Session,
    name: &str,
    revision: i64,
    origin: Origin,
    spec: &ScheduleSpec,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let written = session
        .sql(
            "UPDATE schedules
             SET origin = $3, cron = $4, timezone = $5, kind = $6, queue = $7, args = $8, catch_up = $9,
                 max_lateness_ms = $10, overlap = $11, jitter_ms = $12, failure_limit = $13, revision = revision + 1,
                 failures = 0, updated_at = $14,
                 paused_at = CASE WHEN paused_by = 'failures' THEN NULL ELSE paused_at END,
                 pause_reason = CASE WHEN paused_by = 'failures' THEN NULL ELSE pause_reason END,
                 paused_by = CASE WHEN paused_by = 'failures' THEN NULL ELSE paused_by END,
                 decided_until = CASE WHEN decided_until > $14 THEN decided_until
                                      WHEN cron = $4 AND timezone = $5 AND coalesce(paused_by, '') <> 'failures'
                                      THEN decided_until
                                      ELSE $14 END
             WHERE name = $1 AND revision = $2",
        )
        .bind(name)
        .bind(revision)
        .bind(origin)
        .bind(spec.cron.as_str())
        .bind(spec.timezone.as_str())
        .bind(spec.kind.as_str())
        .bind(spec.queue.as_str())
        .bind(Json(&spec.args))
        .bind(spec.catch_up)
        .bind(ms(spec.max_lateness))
        .bind(spec.overlap)
        .bind(ms(spec.jitter))
        .bind(spec.failure_limit.map(i64::from))
        .bind(At(now))
        .run()
        .await?;
    Ok(written > 0)
}

/// Calls off the ticks that wait behind an earlier one, for this reason.
pub(super) async fn call_off(session: &mut Session, name: &str, why: &str, now: Timestamp) -> Result<u64, StoreError> {
    session
        .sql(
            "UPDATE schedule_ticks SET state = 'cancelled', note = $2, ended_at = $3
             WHERE schedule = $1 AND state = 'waiting' AND state IN ('open', 'waiting')",
        )
        .bind(name)
        .bind(why)
        .bind(At(now))
        .run()
        .await
}

/// Removes the row; what waits behind an earlier tick is called off.
pub(super) async fn remove(session: &mut Session, name: &str, now: Timestamp) -> Result<(), StoreError> {
    call_off(session, name, "its schedule was deleted", now).await?;
    session.sql("DELETE FROM schedules WHERE name = $1").bind(name).run().await?;
    Ok(())
}
