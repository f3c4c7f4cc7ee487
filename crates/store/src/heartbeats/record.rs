//! A heartbeat's row as it is read.

use std::time::Duration;

use alerting::Severity;
use jiff::Timestamp;

use crate::db::{At, Record, Row};
use crate::error::StoreError;
use crate::schedules::Origin;
use crate::words::words;

words! {
    /// Where a heartbeat stands.
    pub enum HeartbeatState {
        /// It has beaten in time, or its first time is not up.
        Ok = "ok",
        /// It should have beaten.
        Late = "late",
        /// It is gone, and its incident is to end.
        Removed = "removed",
    }
}

/// Something that has to report regularly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Its name, unique.
    pub name: String,
    /// Who defines it.
    pub origin: Origin,
    /// How often it has to beat.
    pub period: Duration,
    /// How much later it may be.
    pub grace: Duration,
    /// How much it matters when it is late.
    pub severity: Severity,
    /// Where it stands.
    pub state: HeartbeatState,
    /// Since when.
    pub since: Timestamp,
    /// How often it has beaten.
    pub beats: i64,
    /// When it last did; none: never yet.
    pub last_beat_at: Option<Timestamp>,
    /// From here on it is late.
    pub due_at: Timestamp,
    /// Raised with each change of the state.
    pub turn: i64,
    /// The turn that the incidents know of.
    pub told_turn: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

/// Names the columns of [`Heartbeat`].
macro_rules! heartbeat_columns {
    () => {
        "name, origin, period_ms, grace_ms, severity, state, since, beats, last_beat_at, due_at, turn, told_turn,
         created_at, updated_at"
    };
}
pub(super) use heartbeat_columns;

impl Record for Heartbeat {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let ms = |column| Ok::<_, StoreError>(Duration::from_millis(row.number(column)?));
        let severity: String = row.get("severity")?;
        Ok(Self {
            name: row.get("name")?,
            origin: row.get("origin")?,
            period: ms("period_ms")?,
            grace: ms("grace_ms")?,
            severity: severity.parse().map_err(|e| StoreError::Corrupt(format!("severity {severity}: {e}")))?,
            state: row.get("state")?,
            since: row.get::<At>("since")?.0,
            beats: row.get("beats")?,
            last_beat_at: row.get::<Option<At>>("last_beat_at")?.map(|at| at.0),
            due_at: row.get::<At>("due_at")?.0,
            turn: row.get("turn")?,
            told_turn: row.get("told_turn")?,
            created_at: row.get::<At>("created_at")?.0,
            updated_at: row.get::<At>("updated_at")?.0,
        })
    }
}
