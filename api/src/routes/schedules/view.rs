//! Schedules, their ticks and their next instants, as they are shown. The command line shows the same.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::{CatchUp, Origin, Overlap, PausedBy, Schedule, Tick, TickCause, TickRef, TickState};
use utoipa::ToSchema;
use uuid::Uuid;
use worker::schedule::Timing;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// Its name.
    #[schema(example = "nightly_export")]
    pub name: String,
    /// Who defines it: `config` or `api`.
    #[schema(value_type = String, example = "api")]
    pub origin: Origin,
    /// When: five or six fields, or `@every 15m`.
    #[schema(example = "30 2 * * *")]
    pub cron: String,
    /// The same in English.
    #[schema(example = "At 02:30.")]
    pub describes: String,
    /// By the clocks of this zone.
    #[schema(example = "Europe/Berlin")]
    pub timezone: String,
    /// The kind of its jobs.
    #[schema(example = "debug.noop")]
    pub kind: String,
    /// Where they wait.
    #[schema(example = "debug")]
    pub queue: String,
    /// Their arguments.
    #[schema(value_type = Object)]
    pub args: Value,
    /// What becomes of ticks that nobody fired in time: `none`, `once` or `all`.
    #[schema(value_type = String, example = "once")]
    pub catch_up: CatchUp,
    /// How late they may be.
    #[schema(example = "24h")]
    pub max_lateness: String,
    /// While the job of an earlier tick is not done: `allow`, `skip` or `queue_one`.
    #[schema(value_type = String, example = "skip")]
    pub overlap: Overlap,
    /// Jobs are due up to so much later.
    #[schema(example = "0ms")]
    pub jitter: String,
    /// So many failures in a row pause it; null is never.
    pub failure_limit: Option<u32>,
    /// Failures since the last success.
    pub failures: u32,
    /// Whether it is paused.
    pub paused: bool,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_at: Option<Timestamp>,
    /// By whom: `operator` or `failures`.
    #[schema(value_type = Option<String>)]
    pub paused_by: Option<PausedBy>,
    /// Why.
    pub pause_reason: Option<String>,
    /// When it fires next; null while it is paused.
    pub next: Option<FireView>,
    /// Raised with each change.
    pub revision: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// An instant at which a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FireView {
    /// The instant, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The same by the clocks of the schedule's zone (RFC 9557).
    #[schema(example = "2026-11-25T02:30:00+01:00[Europe/Berlin]")]
    pub local: String,
}

/// What a schedule has fired, or was to fire.
#[derive(Debug, Serialize, ToSchema)]
pub struct TickView {
    /// The schedule.
    pub schedule: String,
    /// The instant.
    #[schema(value_type = String, format = DateTime)]
    pub planned_at: Timestamp,
    /// waiting, open, done, failed, cancelled, expired or skipped.
    #[schema(value_type = String, example = "done")]
    pub state: TickState,
    /// planned, catch_up, run or backfill.
    #[schema(value_type = String, example = "planned")]
    pub cause: TickCause,
    /// Why it was skipped, failed, or stands for others.
    pub note: Option<String>,
    /// Its job; null if it has none.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub job_id: Option<Uuid>,
    /// When the job is, or was, due.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
    /// When the tick was written.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// A tick that somebody asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Asked {
    /// The schedule.
    pub schedule: String,
    /// The instant it stands for.
    #[schema(value_type = String, format = DateTime)]
    pub planned_at: Timestamp,
    /// `open`, or `waiting` for the end of an earlier one.
    #[schema(value_type = String, example = "open")]
    pub state: TickState,
    /// Its job.
    #[schema(value_type = String, format = Uuid)]
    pub job_id: Uuid,
}

/// What a backfill did.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackfillView {
    /// The ticks that were written.
    pub ticks: Vec<Asked>,
    /// Instants of the span that had a tick, which they keep.
    pub present: usize,
}

/// What was called off.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalledOff {
    /// The schedule.
    pub schedule: String,
    /// Its ticks that waited and are called off now.
    pub cancelled: u64,
}

impl ScheduleView {
    /// The schedule as it stands at `now`.
    #[must_use]
    pub fn new(schedule: Schedule, now: Timestamp) -> Self {
        let spec = schedule.spec;
        // What another release wrote and this one cannot read is shown without its next instant.
        let timing = Timing::of(&spec).ok();
        let paused = schedule.paused;
        let next = timing.as_ref().filter(|_| paused.is_none()).and_then(|timing| {
            let at = timing.next_after(schedule.decided_until.max(now))?;
            Some(FireView::new(timing, at))
        });
        Self {
            describes: timing.map(|timing| timing.cron.describe()).unwrap_or_default(),
            next,
            name: schedule.name,
            origin: schedule.origin,
            cron: spec.cron,
            timezone: spec.timezone,
            kind: spec.kind,
            queue: spec.queue,
            args: spec.args,
            catch_up: spec.catch_up,
            max_lateness: job::duration::format(spec.max_lateness),
            overlap: spec.overlap,
            jitter: job::duration::format(spec.jitter),
            failure_limit: spec.failure_limit,
            failures: schedule.failures,
            paused: paused.is_some(),
            paused_at: paused.as_ref().map(|paused| paused.at),
            paused_by: paused.as_ref().map(|paused| paused.by),
            pause_reason: paused.and_then(|paused| paused.reason),
            revision: schedule.revision,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

impl FireView {
    /// The instant, by both clocks.
    #[must_use]
    pub fn new(timing: &Timing, at: Timestamp) -> Self {
        Self { at, local: timing.zone.local(at) }
    }
}

impl From<Tick> for TickView {
    fn from(row: Tick) -> Self {
        let tick = row.tick;
        Self {
            schedule: tick.schedule,
            planned_at: tick.planned_at,
            state: tick.state,
            cause: row.cause,
            note: row.note,
            job_id: (!matches!(tick.state, TickState::Skipped | TickState::Waiting)).then_some(tick.job_id),
            run_at: tick.run_at,
            created_at: row.created_at,
            ended_at: row.ended_at,
        }
    }
}

impl From<TickRef> for Asked {
    fn from(tick: TickRef) -> Self {
        Self { schedule: tick.schedule, planned_at: tick.planned_at, state: tick.state, job_id: tick.job_id }
    }
}
