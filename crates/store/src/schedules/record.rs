//! A schedule's row as it is read, and what defines one.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Json;

use super::policy::{CatchUp, Origin, Overlap, PausedBy};
use crate::db::{At, Record, Row};
use crate::error::StoreError;

/// What defines a schedule. The texts were checked before they came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// When: a cron expression.
    pub cron: String,
    /// By the clocks of this IANA zone.
    pub timezone: String,
    /// The kind of its jobs.
    pub kind: String,
    /// Where they wait.
    pub queue: String,
    /// Their arguments, an object.
    pub args: Value,
    /// What becomes of ticks that nobody fired in time.
    pub catch_up: CatchUp,
    /// How late they may be.
    pub max_lateness: Duration,
    /// What becomes of a tick while the job of an earlier one is not done.
    pub overlap: Overlap,
    /// Jobs are due up to so much later, each by its own share, so that not everything begins at the full hour.
    pub jitter: Duration,
    /// So many failures in a row pause it; none: never.
    pub failure_limit: Option<u32>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name, unique.
    pub name: String,
    /// Who defines it.
    pub origin: Origin,
    /// What it does.
    pub spec: ScheduleSpec,
    /// Raised with each change of the definition.
    pub revision: i64,
    /// Every planned instant up to here has been decided.
    pub decided_until: Timestamp,
    /// Failures since the last success.
    pub failures: u32,
    /// Whether it is paused.
    pub paused: Option<Paused>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// That a schedule is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub by: PausedBy,
    /// Why, in words.
    pub reason: Option<String>,
}

/// Names the columns of [`Schedule`].
macro_rules! schedule_columns {
    () => {
        "name, origin, cron, timezone, kind, queue, args, catch_up, max_lateness_ms, overlap, jitter_ms, failure_limit,
         revision, decided_until, failures, paused_at, paused_by, pause_reason, created_at, updated_at"
    };
}
pub(super) use schedule_columns;

impl Record for Schedule {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let ms = |column| Ok::<_, StoreError>(Duration::from_millis(row.number(column)?));
        let paused_at = row.get::<Option<At>>("paused_at")?;
        let paused_by = row.get::<Option<PausedBy>>("paused_by")?;
        let reason = row.get("pause_reason")?;
        Ok(Self {
            name: row.get("name")?,
            origin: row.get("origin")?,
            spec: ScheduleSpec {
                cron: row.get("cron")?,
                timezone: row.get("timezone")?,
                kind: row.get("kind")?,
                queue: row.get("queue")?,
                args: row.get::<Json<Value>>("args")?.0,
                catch_up: row.get("catch_up")?,
                max_lateness: ms("max_lateness_ms")?,
                overlap: row.get("overlap")?,
                jitter: ms("jitter_ms")?,
                failure_limit: row.optional_number("failure_limit")?,
            },
            revision: row.get("revision")?,
            decided_until: row.get::<At>("decided_until")?.0,
            failures: row.number("failures")?,
            paused: paused_at.zip(paused_by).map(|(at, by)| Paused { at: at.0, by, reason }),
            created_at: row.get::<At>("created_at")?.0,
            updated_at: row.get::<At>("updated_at")?.0,
        })
    }
}

/// A length of time in a column.
pub(super) fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
