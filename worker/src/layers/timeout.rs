//! Drops a run that takes longer than its envelope allows; a shielded run is left to reach its shield's end.

use crate::layers::{RunService, wraps};
use crate::run::{Ended, Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct Timeout<S> {
    inner: S,
}

impl<S: RunService> Timeout<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }

    fn wrap(&mut self, run: Run) -> Ending {
        let Ok(limit) = run.held.leased.envelope.as_ref().map(|e| e.timeout) else { return self.inner.call(run) };
        let control = std::sync::Arc::clone(&run.held.control);
        let mut running = self.inner.call(run);
        Box::pin(async move {
            match tokio::time::timeout(limit, &mut running).await {
                Ok(ended) => ended,
                Err(_) => tokio::select! {
                    biased;
                    ended = &mut running => ended,
                    () = control.unshielded() => Ok(Ended::TimedOut),
                },
            }
        })
    }
}

wraps!(Timeout);
