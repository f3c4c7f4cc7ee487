//! Leases: the right to run a job for a while, and to say how it ended.
//!
//! A lease is a job id and a token. The token changes with every lease, so a worker that was away too long can no longer
//! touch the job (fencing, after Kleppmann, "How to do distributed locking").

use std::time::Duration;

use jiff::Timestamp;
use job::{Envelope, JobId, Priority, UniqueKey, WireError};

use crate::record::PastError;

/// The right to run one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The fencing token.
    pub token: u64,
}

/// How many jobs a worker can take, and whether it holds none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRequest {
    /// At most so many, up to [`crate::broker::MAX_BATCH`].
    pub max: usize,
    /// The token for what is leased by this call: unique to each call of each process (random 64 bits).
    pub token: u64,
    /// Who asks: unique to each start of a worker process; 0 to decline being chosen for suspects.
    pub worker: u64,
    /// Whether the worker holds no job at all: only such a worker is given a suspect job, alone.
    pub idle: bool,
}

/// A job that was leased.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The lease.
    pub lease: Lease,
    /// The job, or why its bytes cannot be read.
    pub envelope: Result<Envelope, WireError>,
    /// The attempt that begins with this lease, from 1.
    pub attempt: u32,
    /// How often a worker was lost with it.
    pub losses: u32,
    /// It was leased alone because of its losses: take nothing else until it is finished.
    pub solo: bool,
    /// The errors of earlier attempts, oldest first.
    pub errors: Vec<PastError>,
    /// When a worker first saw that it cannot read or does not know this job.
    pub unknown_since: Option<Timestamp>,
}

/// How a leased job ended, or goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// The lease; if it is stale nothing happens.
    pub lease: Lease,
    /// What becomes of the job.
    pub disposition: Disposition,
    /// The job's priority, for those that go back to wait.
    pub priority: Priority,
    /// The job's unique key and how long it is held after the end.
    pub unique: Option<(UniqueKey, Duration)>,
}

/// What becomes of a leased job.
#[derive(Debug, Clone, PartialEq)]
pub enum Disposition {
    /// Done, with an optional small JSON result.
    Completed {
        /// JSON text.
        result: Option<String>,
    },
    /// Failed, to be tried again after `delay`; the attempt is spent.
    Retry {
        /// How long from now, by the broker's clock.
        delay: Duration,
        /// Why.
        error: String,
    },
    /// Not now: due again after `delay`; the attempt is given back.
    Snooze {
        /// How long from now.
        delay: Duration,
        /// Why.
        reason: String,
        /// Set when the worker does not know the job: since when that is so.
        unknown_since: Option<Timestamp>,
    },
    /// Never again by itself.
    Dead {
        /// Why.
        error: String,
    },
    /// Called off.
    Cancelled,
    /// Too late.
    Expired,
    /// Given back unstarted (or cut off by a shutdown): available again at once, nothing charged.
    Release,
}

/// What became of one [`Finish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishResult {
    /// It was written.
    Done,
    /// The lease is stale: nothing was changed.
    Stale,
}

/// The answer of [`crate::Broker::exchange`].
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// The broker's clock at that moment: what [`Exchange::next_due`] is to be compared with.
    pub now: Timestamp,
    /// One for each finish, in order.
    pub finished: Vec<FinishResult>,
    /// The jobs that were leased.
    pub leased: Vec<Leased>,
    /// When the next scheduled job of this queue is due, if none was left to lease.
    pub next_due: Option<Timestamp>,
    /// How many that were found too late were moved to `expired` on the way.
    pub expired: u32,
    /// Whether suspect jobs wait for a worker that holds nothing else.
    pub solo: Solo,
}

/// Suspect jobs (two losses) and who is to take the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Solo {
    /// None waits.
    #[default]
    None,
    /// Some wait and another worker makes room for them.
    Elsewhere,
    /// Some wait and the asking worker was chosen: it leases nothing until it holds nothing, then asks as idle.
    MakeRoom,
}

/// One answer of [`crate::Broker::extend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// Renewed.
    Renewed,
    /// Renewed, and the job is to be cancelled.
    CancelRequested,
    /// The lease is lost: stop, and do not finish.
    Lost,
}

/// What one step of housekeeping did.
#[derive(Debug, Clone, Default)]
pub struct Maintained {
    /// Scheduled jobs that became available.
    pub promoted: u32,
    /// Jobs taken from lost workers.
    pub reaped: u32,
    /// Of those, jobs that are dead (`crashed`).
    pub crashed: u32,
    /// Ended jobs that were removed.
    pub trimmed: u32,
    /// Running jobs that somebody wants cancelled (at most 512).
    pub cancel_requested: Vec<JobId>,
    /// The step reached its bound: call again soon.
    pub more: bool,
}
