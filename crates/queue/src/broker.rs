//! The seam: what a queue backend must do. Both backends pass `tests/conformance`.
//!
//! A job's walk through it:
//! 1. [`Broker::enqueue`] writes it as `scheduled` or `available`; the same id, or a unique key that is held, is a
//!    duplicate and changes nothing. [`Broker::reserve`] comes first when the caller gave an idempotency key.
//! 2. [`Broker::wait`] tells a worker that there may be work; [`Broker::exchange`] hands back what it finished and leases
//!    what it can take, in one round trip.
//! 3. [`Broker::extend`] keeps the leases alive; [`Broker::maintain`] promotes what is due, takes jobs from lost workers
//!    and trims what ended long ago. Every worker calls it; it is safe and cheap to call from many.
//! 4. [`Broker::cancel`], [`Broker::redrive`], [`Broker::pause`], [`Broker::resume`] are the operator's hands;
//!    [`Broker::get`], [`Broker::list`], [`Broker::stats`] the eyes.
//!
//! Durability: when a method that writes returns, the write is as durable as the backend is configured to be.
//! Errors: every method returns [`BrokerError::Unavailable`] for what passes by itself; the caller waits and calls again.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use job::{Envelope, JobId, QueueName};

use crate::error::BrokerError;
use crate::lease::{Exchange, Extended, Finish, Lease, LeaseRequest, Maintained};
use crate::record::{Cancelled, Cursor, Filter, JobRecord, Page, QueueStats, Redriven};

/// The most jobs that one call may carry: no call keeps the server from its other clients for long.
pub const MAX_BATCH: usize = 256;

/// A queue backend.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Writes jobs, of any queues, in any number; answers in the same order. Each job stands for itself: a duplicate
    /// does not fail its neighbours. Enqueueing an id that the queue still knows is a duplicate.
    ///
    /// If the backend goes away midway, the error is returned although some jobs may have been written: calling again
    /// with the same ids is safe.
    async fn enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError>;

    /// Reserves `id` under an idempotency key for 24 hours, in a slot that does not depend on the queue. `scope` is who
    /// asks and for what (API key and route); `digest` is SHA-256 of the payload.
    async fn reserve(&self, scope: &str, key: &str, digest: [u8; 32], id: JobId) -> Result<Reservation, BrokerError>;

    /// Finishes jobs of `queue` and leases others from it, in one round trip. At most [`MAX_BATCH`] of each.
    /// A stale lease among `finishes` changes nothing and harms none of its neighbours.
    async fn exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError>;

    /// Gives back, uncharged, what an [`Broker::exchange`] leased under `token` and could not deliver because its answer
    /// was lost; says how many. A backend whose answers cannot be lost has nothing to do.
    async fn disown(&self, _queue: &QueueName, _token: u64) -> Result<u32, BrokerError> {
        Ok(0)
    }

    /// Renews leases of `queue` for another lease time and says which are lost and which jobs are to be cancelled.
    /// A lease that expired but was not reaped yet is renewed. Same order as asked.
    async fn extend(&self, queue: &QueueName, leases: &[Lease]) -> Result<Vec<Extended>, BrokerError>;

    /// One bounded step of housekeeping for `queue`: promote, reap, trim. Call it about twice a second; when
    /// [`Maintained::more`] is set there is more to do at once.
    async fn maintain(&self, queue: &QueueName) -> Result<Maintained, BrokerError>;

    /// Returns when there may be work in one of `queues`, or after `at_most`. Spurious wake-ups are allowed; a lost
    /// wake-up is bounded by `at_most`.
    async fn wait(&self, queues: &[QueueName], at_most: Duration);

    /// Cancels a job: a waiting one at once, a running one by asking its worker ([`Maintained::cancel_requested`]).
    async fn cancel(&self, id: JobId) -> Result<Cancelled, BrokerError>;

    /// Makes a dead, cancelled or expired job available again, with its attempts and losses counted from 0, its expiry lifted.
    async fn redrive(&self, id: JobId) -> Result<Redriven, BrokerError>;

    /// One job with all that is known of it; `None` if it was never there or was trimmed.
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, BrokerError>;

    /// Jobs that match `filter`, newest first within a state, at most `limit` (1 to 1,000). One call looks at a bounded
    /// number of jobs, so a page may be short, even empty, although a cursor follows.
    async fn list(&self, filter: &Filter, limit: usize, cursor: Option<Cursor>) -> Result<Page, BrokerError>;

    /// Counts by state and the age of the oldest due job, for every queue that is known.
    async fn stats(&self) -> Result<Vec<QueueStats>, BrokerError>;

    /// Stops leasing from a queue; running jobs go on.
    async fn pause(&self, queue: &QueueName) -> Result<(), BrokerError>;

    /// Leases from the queue again.
    async fn resume(&self, queue: &QueueName) -> Result<(), BrokerError>;

    /// The backend's clock: the one that due times are compared with.
    async fn now(&self) -> Result<Timestamp, BrokerError>;

    /// Whether the backend can take work at this moment. Errors say why not.
    async fn ping(&self) -> Result<(), BrokerError>;
}

/// A job to be enqueued.
#[derive(Debug, Clone)]
pub struct Enqueue {
    /// The job.
    pub envelope: Envelope,
    /// Remember the id for 24 hours after enqueueing, even when the job is long done and trimmed, so that a repeated
    /// enqueue of it stays a duplicate: for ids that were reserved under an idempotency key.
    pub once: bool,
}

impl From<Envelope> for Enqueue {
    fn from(envelope: Envelope) -> Self {
        Self { envelope, once: false }
    }
}

/// What became of one job of [`Broker::enqueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It was written.
    New,
    /// It was not: this job, by the same id or unique key, is there already.
    Duplicate(JobId),
}

/// The answer of [`Broker::reserve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// The key was free: enqueue under the id that was passed.
    New,
    /// The key is taken by the same payload: enqueue under this id (a duplicate, unless the first caller died midway).
    Same(JobId),
    /// The key is taken by another payload.
    Conflict,
}
