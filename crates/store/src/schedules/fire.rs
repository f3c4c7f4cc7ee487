//! Writing what a leader has decided, and letting go on what waited. Everything here happens under the leader's epoch, in
//! one transaction: all of it, or, for a leader that is none any more, nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::lease::{SchedulerLease, leads};
use super::policy::{Overlap, TickCause, TickState};
use super::record::{Schedule, ms};
use super::tick::{TickRef, tick_ref_columns};
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// Ticks that one call lets go on.
const CHUNK: i64 = 200;

/// A tick that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTick {
    /// The instant.
    pub planned_at: Timestamp,
    /// Why.
    pub cause: TickCause,
    /// What is to be told of it.
    pub note: Option<String>,
    /// When its job is due.
    pub run_at: Timestamp,
    /// Its job, if it gets one.
    pub job_id: Uuid,
    /// Whether it waits rather than being skipped while an earlier one is not done, whatever the schedule says.
    pub patient: bool,
}

/// Attempts and time that the kind of the jobs has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickLimits {
    /// Attempts before a job is dead.
    pub max_attempts: u32,
    /// How long one may take.
    pub timeout: Duration,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// It was written; the ticks that were new, in their order, skipped ones too.
    Written(Vec<TickRef>),
    /// Another one leads.
    NotLeading,
    /// The schedule was changed, paused or deleted meanwhile: look at it again.
    Changed,
}

struct Unfinished(TickState);

impl Record for Unfinished {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("state")?))
    }
}

impl Store {
    /// Writes the ticks of a schedule and that everything up to `decided_until` is decided, if `lease` still leads and
    /// the schedule is still as it was read. What its overlap policy says is looked at here.
    ///
    /// # Errors
    /// As the database says. Repeating a call whose fate is unknown answers [`Fired::Changed`] if it had happened.
    pub async fn fire_schedule(
        &self,
        lease: &SchedulerLease,
        schedule: &Schedule,
        limits: TickLimits,
        ticks: &[NewTick],
        decided_until: Timestamp,
        now: Timestamp,
    ) -> Result<Fired, StoreError> {
        let mut transaction = self.begin().await?;
        if !leads(&mut transaction, lease).await? {
            return Ok(Fired::NotLeading);
        }
        let unchanged = transaction
            .sql(
                "UPDATE schedules SET decided_until = $4
                 WHERE name = $1 AND revision = $2 AND decided_until = $3 AND paused_at IS NULL",
            )
            .bind(schedule.name.as_str())
            .bind(schedule.revision)
            .bind(At(schedule.decided_until))
            .bind(At(decided_until))
            .run()
            .await?;
        if unchanged == 0 {
            return Ok(Fired::Changed);
        }
        let mut before = Before::look(&mut transaction, schedule, !ticks.is_empty()).await?;
        let mut written = Vec::with_capacity(ticks.len());
        for tick in ticks {
            let (state, note) = before.place(schedule.spec.overlap, tick);
            let row = Writing { schedule, limits, tick, state, note, epoch: Some(lease.epoch), now };
            if let Some(new) = row.insert(&mut transaction).await? {
                before.count(state);
                written.push(new);
            }
        }
        transaction.commit().await?;
        Ok(Fired::Written(written))
    }

    /// Lets the oldest waiting tick go on of each schedule whose earlier ticks are done; its job is due at once. `None`
    /// if `lease` leads no more.
    ///
    /// # Errors
    /// As the database says.
    pub async fn let_waiting_ticks_go_on(
        &self,
        lease: &SchedulerLease,
        now: Timestamp,
    ) -> Result<Option<Vec<TickRef>>, StoreError> {
        let mut transaction = self.begin().await?;
        if !leads(&mut transaction, lease).await? {
            return Ok(None);
        }
        let due: Vec<TickRef> = transaction
            .sql(concat!(
                "SELECT ",
                tick_ref_columns!(),
                " FROM schedule_ticks w
                 WHERE state = 'waiting' AND state IN ('open', 'waiting')
                   AND NOT EXISTS (SELECT 1 FROM schedule_ticks o
                                   WHERE o.schedule = w.schedule AND o.state IN ('open', 'waiting')
                                     AND (o.state = 'open' OR o.planned_at < w.planned_at))
                 ORDER BY planned_at LIMIT $1",
            ))
            .bind(CHUNK)
            .all()
            .await?;
        let mut going = Vec::with_capacity(due.len());
        for tick in due {
            let moved: Option<TickRef> = transaction
                .sql(concat!(
                    "UPDATE schedule_ticks SET state = 'open', run_at = $3, sweep_from = $3
                     WHERE schedule = $1 AND planned_at = $2 AND state = 'waiting'
                     RETURNING ",
                    tick_ref_columns!()
                ))
                .bind(tick.schedule.as_str())
                .bind(At(tick.planned_at))
                .bind(At(now))
                .optional()
                .await?;
            going.extend(moved);
        }
        transaction.commit().await?;
        Ok(Some(going))
    }
}

/// What there is of a schedule that is not done.
struct Before {
    open: bool,
    waiting: bool,
}

impl Before {
    async fn look(session: &mut Session, schedule: &Schedule, needed: bool) -> Result<Self, StoreError> {
        if !needed || schedule.spec.overlap == Overlap::Allow {
            return Ok(Self { open: false, waiting: false });
        }
        let found: Vec<Unfinished> = session
            .sql("SELECT DISTINCT state FROM schedule_ticks WHERE schedule = $1 AND state IN ('open', 'waiting')")
            .bind(schedule.name.as_str())
            .all()
            .await?;
        let any = |state| found.iter().any(|row| row.0 == state);
        Ok(Self { open: any(TickState::Open), waiting: any(TickState::Waiting) })
    }

    fn place(&self, overlap: Overlap, tick: &NewTick) -> (TickState, Option<String>) {
        let busy = self.open || self.waiting;
        match overlap {
            Overlap::Allow => (TickState::Open, tick.note.clone()),
            _ if !busy => (TickState::Open, tick.note.clone()),
            _ if tick.patient => (TickState::Waiting, tick.note.clone()),
            Overlap::QueueOne if !self.waiting => (TickState::Waiting, tick.note.clone()),
            Overlap::QueueOne => (TickState::Skipped, Some("another one waits already".to_owned())),
            Overlap::Skip => (TickState::Skipped, Some("the job of an earlier one is not done".to_owned())),
        }
    }

    fn count(&mut self, state: TickState) {
        self.open |= state == TickState::Open;
        self.waiting |= state == TickState::Waiting;
    }
}

/// A tick's row that is being written.
pub(super) struct Writing<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) limits: TickLimits,
    pub(super) tick: &'a NewTick,
    pub(super) state: TickState,
    pub(super) note: Option<String>,
    pub(super) epoch: Option<i64>,
    pub(super) now: Timestamp,
}

impl Writing<'_> {
    /// Writes it; `None` if there is one for the instant.
    pub(super) async fn insert(self, session: &mut Session) -> Result<Option<TickRef>, StoreError> {
        let (spec, tick) = (&self.schedule.spec, self.tick);
        session
            .sql(concat!(
                "INSERT INTO schedule_ticks (schedule, planned_at, state, cause, note, kind, queue, args, max_attempts,
                     timeout_ms, run_at, job_id, epoch, created_at, sweep_from, ended_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                 ON CONFLICT (schedule, planned_at) DO NOTHING
                 RETURNING ",
                tick_ref_columns!()
            ))
            .bind(self.schedule.name.as_str())
            .bind(At(tick.planned_at))
            .bind(self.state)
            .bind(tick.cause)
            .bind(self.note)
            .bind(spec.kind.as_str())
            .bind(spec.queue.as_str())
            .bind(Json::<&Value>(&spec.args))
            .bind(i64::from(self.limits.max_attempts))
            .bind(ms(self.limits.timeout))
            .bind(At(tick.run_at))
            .bind(tick.job_id)
            .bind(self.epoch)
            .bind(At(self.now))
            .bind(At(self.now.max(tick.run_at)))
            .bind((self.state == TickState::Skipped).then_some(At(self.now)))
            .optional()
            .await
    }
}
