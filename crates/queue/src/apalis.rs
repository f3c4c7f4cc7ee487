//! Our queue as an apalis backend: what an apalis worker polls for its next job.
//!
//! The backend only hands over what the [`crate::consumer`] has leased: apalis drives the loop, its tower layers and its
//! shutdown; leases, batching, fairness and faults stay on our side of the seam. A backend error would end an apalis
//! worker, so this one has none to give: a queue that is away is a quiet queue.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use apalis_core::backend::{Backend, BackendConfig, finalize::Ephemeral};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use tower_layer::Identity;

use crate::consumer::{Buffer, Held};

/// One loop's view of the consumer's buffer. Several loops of a process share one buffer.
#[derive(Debug)]
pub struct BrokerBackend {
    buffer: Arc<Buffer>,
    running: Arc<AtomicUsize>,
    limit: usize,
}

/// A place among the running jobs of a loop, freed when it is dropped: the runner keeps it as long as the job.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// A job and its place among the running ones.
#[derive(Debug)]
pub struct Placed {
    /// The job.
    pub held: Held,
    /// Its place.
    pub place: Place,
}

impl BrokerBackend {
    /// A backend that hands out jobs while fewer than `limit` of this loop run.
    #[must_use]
    pub fn new(buffer: Arc<Buffer>, limit: usize) -> Self {
        Self { buffer, running: Arc::default(), limit: limit.max(1) }
    }
}

impl Backend for BrokerBackend {
    type Task = Task<Placed>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        // A job that ends is itself what polls this loop again: no waker is needed.
        match self.running.load(Ordering::Acquire) < self.limit {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.buffer.poll_take(cx).map(|held| {
            self.running.fetch_add(1, Ordering::AcqRel);
            Some(Ok(Task::new(Placed { held, place: Place(Arc::clone(&self.running)) })))
        })
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for BrokerBackend {
    type Args = Placed;
    type Id = u64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
