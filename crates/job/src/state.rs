//! The states of a job and the moves between them (drawn in `docs/JOBS.md`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time.
    Scheduled,
    /// Due: the next worker takes it.
    Available,
    /// Leased to a worker.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly: out of attempts, refused by its own author, unreadable, or lost with three workers.
    Dead,
    /// Called off before or while it ran.
    Cancelled,
    /// Its `expires_at` passed before it could run.
    Expired,
}

impl JobState {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 7] =
        [Self::Scheduled, Self::Available, Self::Running, Self::Completed, Self::Dead, Self::Cancelled, Self::Expired];

    /// Whether a job in this state never runs again by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Dead | Self::Cancelled | Self::Expired)
    }

    /// Whether an operator may redrive a job out of this state.
    #[must_use]
    pub fn may_redrive(self) -> bool {
        matches!(self, Self::Dead | Self::Cancelled | Self::Expired)
    }

    /// The state's name, as in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no job state: scheduled, available, running, completed, dead, cancelled or expired")]
pub struct UnknownState(String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(s: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == s)
            .ok_or_else(|| UnknownState(s.chars().take(40).collect()))
    }
}
