//! Drops a run when it is told to stop: cancelled (after its grace), cut off by a shutdown, or its lease lost.

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
        let control = std::sync::Arc::clone(&run.held.control);
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
