//! How ticks end, and what failures in a row do to their schedule.

use jiff::Timestamp;
use uuid::Uuid;

use super::announce;
use super::lease::{SchedulerLease, leads};
use super::policy::{PausedBy, TickCause, TickState};
use super::tick::TickRef;
use crate::db::{At, Record, Row, Session, Store};
use crate::endings::JobEnd;
use crate::error::StoreError;

/// How a tick's job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickEnd {
    /// Well.
    Done,
    /// Without doing it.
    Ended(JobEnd),
}

impl TickEnd {
    const fn state(self) -> TickState {
        match self {
            Self::Done => TickState::Done,
            Self::Ended(JobEnd::Dead) => TickState::Failed,
            Self::Ended(JobEnd::Cancelled) => TickState::Cancelled,
            Self::Ended(JobEnd::Expired) => TickState::Expired,
        }
    }
}

/// What an end has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickEnded {
    /// So many failures in a row have just paused the schedule.
    pub paused_after: Option<u32>,
}

struct Ended(TickCause);

impl Record for Ended {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("cause")?))
    }
}

struct Count {
    failures: u32,
    limit: Option<u32>,
}

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { failures: row.number("failures")?, limit: row.optional_number("failure_limit")? })
    }
}

impl Store {
    /// Writes how the job of a tick ended. A tick that ended without being done can still become done: its job was
    /// redriven. Answers `None`, and changes nothing, if the tick is done, has another job, or is not there.
    ///
    /// # Errors
    /// As the database says.
    pub async fn end_tick(
        &self,
        schedule: &str,
        planned_at: Timestamp,
        job_id: Uuid,
        end: TickEnd,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<TickEnded>, StoreError> {
        let mut transaction = self.begin().await?;
        let sources = match end {
            TickEnd::Done => "'open', 'failed', 'cancelled', 'expired'",
            TickEnd::Ended(_) => "'open'",
        };
        let text = format!(
            "UPDATE schedule_ticks SET state = $4, ended_at = $5, note = COALESCE($6, note)
             WHERE schedule = $1 AND planned_at = $2 AND job_id = $3 AND state IN ({sources})
             RETURNING cause"
        );
        let ended: Option<Ended> = transaction
            .sql(sqlx::AssertSqlSafe(text))
            .bind(schedule)
            .bind(At(planned_at))
            .bind(job_id)
            .bind(end.state())
            .bind(At(now))
            .bind(note)
            .optional()
            .await?;
        let Some(Ended(cause)) = ended else { return Ok(None) };
        let paused_after = match end {
            _ if cause == TickCause::Run => None,
            TickEnd::Done => {
                let text = "UPDATE schedules SET failures = 0 WHERE name = $1 AND failures > 0";
                transaction.sql(text).bind(schedule).run().await?;
                None
            }
            TickEnd::Ended(JobEnd::Dead) => count_failure(&mut transaction, schedule, note, now).await?,
            TickEnd::Ended(_) => None,
        };
        transaction.commit().await?;
        Ok(Some(TickEnded { paused_after }))
    }

    /// Pauses a schedule that cannot be served, with the reason, as failures do: for a leader, and if the schedule still has
    /// `revision` and is not paused. Answers whether it did.
    ///
    /// # Errors
    /// As the database says.
    pub async fn pause_unfit_schedule(
        &self,
        lease: &SchedulerLease,
        name: &str,
        revision: i64,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        if !leads(&mut transaction, lease).await? {
            return Ok(false);
        }
        let paused = transaction
            .sql(
                "UPDATE schedules SET paused_at = $3, paused_by = $4, pause_reason = $5, updated_at = $3
                 WHERE name = $1 AND revision = $2 AND paused_at IS NULL",
            )
            .bind(name)
            .bind(revision)
            .bind(At(now))
            .bind(PausedBy::Failures)
            .bind(why)
            .run()
            .await?;
        if paused > 0 {
            announce(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(paused > 0)
    }

    /// Where a tick stands; `None` if there is none.
    ///
    /// # Errors
    /// As the database says.
    pub async fn tick_state(&self, schedule: &str, planned_at: Timestamp) -> Result<Option<TickState>, StoreError> {
        let found: Option<State> = self
            .read()
            .await?
            .sql("SELECT state FROM schedule_ticks WHERE schedule = $1 AND planned_at = $2")
            .bind(schedule)
            .bind(At(planned_at))
            .optional()
            .await?;
        Ok(found.map(|found| found.0))
    }
}

struct State(TickState);

impl Record for State {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("state")?))
    }
}

/// Counts; pauses the schedule where its limit is reached, and answers the count.
async fn count_failure(
    transaction: &mut Session,
    schedule: &str,
    note: Option<&str>,
    now: Timestamp,
) -> Result<Option<u32>, StoreError> {
    let counted: Option<Count> = transaction
        .sql("UPDATE schedules SET failures = failures + 1 WHERE name = $1 RETURNING failures, failure_limit")
        .bind(schedule)
        .optional()
        .await?;
    let Some(Count { failures, limit: Some(limit) }) = counted else { return Ok(None) };
    if failures < limit {
        return Ok(None);
    }
    let times = if failures == 1 { "it failed".to_owned() } else { format!("it failed {failures} times in a row") };
    let reason = match note {
        Some(note) => format!("{times}, at last: {note}"),
        None => times,
    };
    let paused = transaction
        .sql(
            "UPDATE schedules SET paused_at = $2, paused_by = $3, pause_reason = $4, updated_at = $2
             WHERE name = $1 AND paused_at IS NULL",
        )
        .bind(schedule)
        .bind(At(now))
        .bind(PausedBy::Failures)
        .bind(reason)
        .run()
        .await?;
    if paused == 0 {
        return Ok(None);
    }
    announce(transaction).await?;
    Ok(Some(failures))
}

/// Ends a tick whose job ended without doing it, if nothing was heard of it since `silent_since`.
pub(crate) async fn close(
    store: &Store,
    tick: &TickRef,
    ended: JobEnd,
    reason: &str,
    silent_since: Timestamp,
    now: Timestamp,
) -> Result<Option<TickEnded>, StoreError> {
    let silent: Option<State> = store
        .read()
        .await?
        .sql(
            "SELECT state FROM schedule_ticks
             WHERE schedule = $1 AND planned_at = $2 AND state = 'open' AND sweep_from < $3",
        )
        .bind(tick.schedule.as_str())
        .bind(At(tick.planned_at))
        .bind(At(silent_since))
        .optional()
        .await?;
    if silent.is_none() {
        return Ok(None);
    }
    store.end_tick(&tick.schedule, tick.planned_at, tick.job_id, TickEnd::Ended(ended), Some(reason), now).await
}
