//! Drops a run when it is told to stop: cancelled (after its grace), cut off by a shutdown, or its lease lost. One that was
//! told so while it waited in this process does not begin.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::ready;

use crate::layers::{RunService, wraps};
use crate::run::{Ended, Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct Stoppable<S> {
    inner: S,
}

impl<S: RunService> Stoppable<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }

    fn wrap(&mut self, run: Run) -> Ending {
        if let Some(stop) = run.held.control.forbids_start() {
            return ready(Ok(Ended::Stopped(stop))).boxed();
        }
        let control = Arc::clone(&run.held.control);
        let mut running = self.inner.call(run);
        Box::pin(async move {
            tokio::select! {
                biased;
                ended = &mut running => ended,
                stop = control.stopped() => Ok(Ended::Stopped(stop)),
            }
        })
    }
}

wraps!(Stoppable);
