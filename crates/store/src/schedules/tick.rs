//! A tick's row as it is read, and the part of it that its job is made of.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::policy::{TickCause, TickState};
use crate::db::{At, Record, Row};
use crate::error::StoreError;

/// What is needed to enqueue a tick's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickRef {
    /// The schedule.
    pub schedule: String,
    /// The instant.
    pub planned_at: Timestamp,
    /// Where it stands.
    pub state: TickState,
    /// The kind of its job.
    pub kind: String,
    /// Where the job waits.
    pub queue: String,
    /// The job's arguments.
    pub args: Value,
    /// Attempts that the job has.
    pub max_attempts: u32,
    /// How long one may take.
    pub timeout: Duration,
    /// When the job is due.
    pub run_at: Timestamp,
    /// The job.
    pub job_id: Uuid,
}

/// A tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The tick and its job.
    pub tick: TickRef,
    /// Why there is one.
    pub cause: TickCause,
    /// Why it was skipped, failed, or stands for others.
    pub note: Option<String>,
    /// Of the leader that wrote it; none where a person did.
    pub epoch: Option<i64>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Names the columns of [`TickRef`].
macro_rules! tick_ref_columns {
    () => {
        "schedule, planned_at, state, kind, queue, args, max_attempts, timeout_ms, run_at, job_id"
    };
}
pub(crate) use tick_ref_columns;

impl Record for TickRef {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            schedule: row.get("schedule")?,
            planned_at: row.get::<At>("planned_at")?.0,
            state: row.get("state")?,
            kind: row.get("kind")?,
            queue: row.get("queue")?,
            args: row.get::<Json<Value>>("args")?.0,
            max_attempts: row.number("max_attempts")?,
            timeout: Duration::from_millis(row.number("timeout_ms")?),
            run_at: row.get::<At>("run_at")?.0,
            job_id: row.get("job_id")?,
        })
    }
}

impl Record for Tick {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            tick: TickRef::read(row)?,
            cause: row.get("cause")?,
            note: row.get("note")?,
            epoch: row.get("epoch")?,
            created_at: row.get::<At>("created_at")?.0,
            ended_at: row.get::<Option<At>>("ended_at")?.map(|at| at.0),
        })
    }
}
