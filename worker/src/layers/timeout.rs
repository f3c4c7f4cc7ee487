//! Drops a run that takes longer than its envelope allows, or than its kind needs here, whichever is longer; a shielded run
//! is left to reach its shield's end.

use std::sync::Arc;

use crate::context::Context;
use crate::layers::{RunService, wraps};
use crate::registry::Registry;
use crate::run::{Ended, Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct Timeout<S> {
    inner: S,
    registry: Arc<Registry>,
    context: Arc<Context>,
}

impl<S: RunService> Timeout<S> {
    pub(super) fn new(inner: S, registry: Arc<Registry>, context: Arc<Context>) -> Self {
        Self { inner, registry, context }
    }

    fn wrap(&mut self, run: Run) -> Ending {
        let Ok(envelope) = run.held.leased.envelope.as_ref() else { return self.inner.call(run) };
        let at_least = self.registry.find(&envelope.kind).map(|kind| kind.at_least(&self.context));
        let limit = envelope.timeout.max(at_least.unwrap_or_default());
        let control = Arc::clone(&run.held.control);
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
