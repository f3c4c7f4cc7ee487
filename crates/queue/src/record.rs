//! Jobs as people look at them: one with its history, lists of them, and the queues with their counts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use job::{Envelope, JobId, JobState, Kind, QueueName, WireError};
use serde::{Deserialize, Serialize};

/// How many errors are kept on a job: the last ones.
pub const KEPT_ERRORS: usize = 10;

/// How long an error text may be, in bytes; the rest is cut.
pub const ERROR_BYTES: usize = 2_048;

/// The error of one past attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastError {
    /// The attempt's number.
    pub attempt: u32,
    /// When it ended.
    pub at: Timestamp,
    /// What went wrong.
    pub error: String,
}

/// All that is known of a job.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// The job's id.
    pub id: JobId,
    /// The queue that holds it.
    pub queue: QueueName,
    /// The job, or why its bytes cannot be read. `envelope.attempt` is the attempts spent so far.
    pub envelope: Result<Envelope, WireError>,
    /// Its state.
    pub state: JobState,
    /// When it is due: for `scheduled` and `available`.
    pub due_at: Option<Timestamp>,
    /// When the latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended, for terminal states.
    pub finished_at: Option<Timestamp>,
    /// Attempts begun and charged.
    pub attempt: u32,
    /// How often a worker was lost with it.
    pub losses: u32,
    /// A cancel was asked for while it runs.
    pub cancel_requested: bool,
    /// The errors of past attempts, oldest first, at most [`KEPT_ERRORS`].
    pub errors: Vec<PastError>,
    /// The result that the job left, JSON text.
    pub result: Option<String>,
    /// Why it was last snoozed, if it was.
    pub snoozed: Option<String>,
}

/// Which jobs to list. An empty filter means all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this queue.
    pub queue: Option<QueueName>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this kind.
    pub kind: Option<Kind>,
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The jobs.
    pub items: Vec<JobRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// Where a list goes on: opaque to clients, made and read by the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = std::convert::Infallible;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(Self(s.to_owned()))
    }
}

/// A queue at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStats {
    /// Its name.
    pub queue: QueueName,
    /// How many jobs are in each state, in the order of [`JobState::ALL`].
    pub counts: [u64; 7],
    /// How long the oldest available job has been due.
    pub oldest: Option<Duration>,
    /// Whether leasing is paused.
    pub paused: bool,
}

impl QueueStats {
    /// How many jobs are in `state`.
    #[must_use]
    pub fn count(&self, state: JobState) -> u64 {
        JobState::ALL.iter().position(|s| *s == state).map_or(0, |i| self.counts[i])
    }
}

/// The answer of [`crate::Broker::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It waited and is cancelled now.
    Now,
    /// It runs: its worker was asked, within a second.
    Requested,
    /// It had ended before.
    Ended(JobState),
    /// No such job.
    NotFound,
}

/// The answer of [`crate::Broker::redrive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redriven {
    /// It is available again.
    Now,
    /// It is not dead, cancelled or expired.
    WrongState(JobState),
    /// Its unique key is held by this other job.
    KeyHeld(JobId),
    /// No such job.
    NotFound,
}
