//! Turns a panic into an end like any other: the job is retried, its neighbours never hear of it.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use crate::layers::{RunService, wraps};
use crate::run::{Ended, Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct CatchPanic<S> {
    inner: S,
}

impl<S: RunService> CatchPanic<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }

    fn wrap(&mut self, run: Run) -> Ending {
        // What a job shares with others (store, broker) keeps its own state sound: unwinding leaves nothing half done.
        let running = AssertUnwindSafe(self.inner.call(run)).catch_unwind();
        running.map(|ended| ended.unwrap_or_else(|cause| Ok(Ended::Panicked(message(&*cause))))).boxed()
    }
}

fn message(cause: &(dyn Any + Send)) -> String {
    cause
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

wraps!(CatchPanic);
