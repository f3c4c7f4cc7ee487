//! What both backends are told: times, bounds and whose clock counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use job::{Clock, QueueName};

/// Settings of a broker.
#[derive(Clone)]
pub struct Settings {
    /// How long a lease holds without renewal. 15 s unless said otherwise.
    pub lease: Duration,
    /// After a silence of housekeeping of this length (the backend was away, or nobody worked) the reaper waits one
    /// lease before it takes jobs from workers that had no chance to renew. 5 s unless said otherwise.
    pub silence: Duration,
    /// What is kept of jobs that ended.
    pub retention: Retention,
    /// Completed jobs that are kept of a queue, where they are not as many as [`Retention::completed_count`] says.
    pub completed_counts: BTreeMap<QueueName, u64>,
    /// Whose clock counts.
    pub time: Time,
    /// Queues that exist from the start, so that a job is found by its id before any worker or caller named its queue.
    pub queues: Vec<QueueName>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            silence: Duration::from_secs(5),
            retention: Retention::default(),
            completed_counts: BTreeMap::new(),
            time: Time::Server,
            queues: Vec::new(),
        }
    }
}

impl Settings {
    /// How many completed jobs of a queue are kept.
    #[must_use]
    pub fn completed_count(&self, queue: &QueueName) -> u64 {
        self.completed_counts.get(queue).copied().unwrap_or(self.retention.completed_count)
    }
}

/// What is kept of jobs that ended, for each queue: what exceeds a count or an age is removed in small steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Completed jobs: at most so many.
    pub completed_count: u64,
    /// Completed jobs: at most so old.
    pub completed_age: Duration,
    /// Dead, cancelled and expired jobs, each: at most so many.
    pub ended_count: u64,
    /// Dead, cancelled and expired jobs: at most so old.
    pub ended_age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            completed_count: 10_000,
            completed_age: Duration::from_secs(24 * 3600),
            ended_count: 100_000,
            ended_age: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// Whose clock counts.
#[derive(Clone)]
pub enum Time {
    /// The backend's: Redis `TIME`, or this machine's for SQLite.
    Server,
    /// A virtual one, for tests.
    Virtual(Arc<dyn Clock>),
}
