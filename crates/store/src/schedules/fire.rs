//! Writing what a leader has decided, and letting go on what waited. Everything here happens under the leader's epoch, in
//! one transaction: all of it, or, for a leader that is none any more, nothing.
//!
//! Where no two jobs may run at a time ([`Before::place`] decides):
//! 1. What is planned is skipped, or waits (`queue_one`), while the job of an earlier tick is not done.
//! 2. A person's backfill never costs a planned tick: that one waits for the job that is under way, and goes before the
//!    backfilled ones that wait.
//! 3. While missed ticks are caught up, each for itself (`all`), what comes meanwhile waits behind them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::lease::{SchedulerLease, leads};
use super::policy::{CatchUp, Overlap, TickCause, TickState};
use super::record::{Schedule, ScheduleSpec, ms};
use super::tick::{TickRef, tick_ref_columns};
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// Ticks that one call lets go on.
const CHUNK: i64 = 200;

/// Names the schedules of which a waiting tick may go on: nothing of theirs is under way, and they are not paused.
macro_rules! free_to_go_on {
    () => {
        "SELECT s.name FROM schedules s
         WHERE s.paused_at IS NULL
           AND EXISTS (SELECT 1 FROM schedule_ticks w
                       WHERE w.schedule = s.name AND w.state = 'waiting' AND w.state IN ('open', 'waiting'))
           AND NOT EXISTS (SELECT 1 FROM schedule_ticks o
                           WHERE o.schedule = s.name AND o.state = 'open' AND o.state IN ('open', 'waiting'))"
    };
}
pub(super) use free_to_go_on;

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

/// How many ticks of a state and a cause are not done, and the first of them.
struct Unfinished {
    state: TickState,
    cause: TickCause,
    count: u64,
    first: Timestamp,
}

impl Record for Unfinished {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            state: row.get("state")?,
            cause: row.get("cause")?,
            count: row.number("count")?,
            first: row.get::<At>("earliest")?.0,
        })
    }
}

struct Free(String);

impl Record for Free {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("name")?))
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
            let (state, note) = before.place(&schedule.spec, tick, now);
            let row = Writing { schedule, limits, tick, state, note, epoch: Some(lease.epoch), now };
            if let Some(new) = row.insert(&mut transaction).await? {
                before.count(tick, state);
                written.push(new);
            }
        }
        transaction.commit().await?;
        Ok(Fired::Written(written))
    }

    /// Lets a waiting tick go on of each schedule of which nothing is under way and which is not paused: the oldest, a
    /// backfilled one after all others. Its job is due at once. `None` if `lease` leads no more.
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
        let free: Vec<Free> =
            transaction.sql(concat!(free_to_go_on!(), " ORDER BY s.name LIMIT $1")).bind(CHUNK).all().await?;
        let mut going = Vec::with_capacity(free.len());
        for Free(schedule) in free {
            let moved: Option<TickRef> = transaction
                .sql(concat!(
                    "UPDATE schedule_ticks SET state = 'open', run_at = $2, sweep_from = $2
                     WHERE schedule = $1 AND state = 'waiting' AND planned_at = coalesce(
                         (SELECT min(planned_at) FROM schedule_ticks
                          WHERE schedule = $1 AND state = 'waiting' AND state IN ('open', 'waiting')
                            AND cause <> 'backfill'),
                         (SELECT min(planned_at) FROM schedule_ticks
                          WHERE schedule = $1 AND state = 'waiting' AND state IN ('open', 'waiting')))
                     RETURNING ",
                    tick_ref_columns!()
                ))
                .bind(schedule.as_str())
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
#[derive(Default)]
struct Before {
    /// A job is under way that no person backfilled.
    open: bool,
    /// A job is under way that a person backfilled.
    filling: bool,
    /// Ticks that wait, backfilled ones aside.
    waiting: u64,
    /// The instant of the first of them.
    first: Option<Timestamp>,
    /// One of them is a missed one.
    missed: bool,
}

impl Before {
    async fn look(session: &mut Session, schedule: &Schedule, needed: bool) -> Result<Self, StoreError> {
        let mut before = Self::default();
        if !needed || schedule.spec.overlap == Overlap::Allow {
            return Ok(before);
        }
        let found: Vec<Unfinished> = session
            .sql(
                "SELECT state, cause, count(*) AS count, min(planned_at) AS earliest FROM schedule_ticks
                 WHERE schedule = $1 AND state IN ('open', 'waiting') GROUP BY state, cause",
            )
            .bind(schedule.name.as_str())
            .all()
            .await?;
        for Unfinished { state, cause, count, first } in found {
            match (state, cause) {
                (TickState::Open, TickCause::Backfill) => before.filling = true,
                (TickState::Open, _) => before.open = true,
                (_, TickCause::Backfill) => {}
                _ => before.wait(cause, count, first),
            }
        }
        Ok(before)
    }

    fn place(&self, spec: &ScheduleSpec, tick: &NewTick, now: Timestamp) -> (TickState, Option<String>) {
        let busy = self.open || self.filling || self.waiting > 0;
        let unless_one_waits = |why: &str| match self.waiting {
            0 => (TickState::Waiting, tick.note.clone()),
            _ => (TickState::Skipped, Some(why.to_owned())),
        };
        match spec.overlap {
            Overlap::Allow => (TickState::Open, tick.note.clone()),
            _ if !busy => (TickState::Open, tick.note.clone()),
            _ if tick.patient || self.catches_up(spec, now) => (TickState::Waiting, tick.note.clone()),
            Overlap::QueueOne => unless_one_waits("another one waits already"),
            Overlap::Skip if self.filling && !self.open => unless_one_waits("another one waits already"),
            Overlap::Skip => (TickState::Skipped, Some("the job of an earlier one is not done".to_owned())),
        }
    }

    /// Whether missed ticks, or what came behind them, are still being worked off: more wait than otherwise ever do. The
    /// first of them is none that has become too late itself, so that no schedule piles up for ever which is slower than
    /// its pace.
    fn catches_up(&self, spec: &ScheduleSpec, now: Timestamp) -> bool {
        let ordinary = u64::from(spec.overlap == Overlap::QueueOne || self.filling);
        let in_time = self.first.is_some_and(|first| first.checked_add(spec.max_lateness).is_ok_and(|end| end >= now));
        spec.catch_up == CatchUp::All && in_time && (self.missed || self.waiting > ordinary)
    }

    fn count(&mut self, tick: &NewTick, state: TickState) {
        self.open |= state == TickState::Open;
        if state == TickState::Waiting {
            self.wait(tick.cause, 1, tick.planned_at);
        }
    }

    fn wait(&mut self, cause: TickCause, count: u64, first: Timestamp) {
        self.waiting += count;
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.missed |= cause == TickCause::CatchUp;
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
