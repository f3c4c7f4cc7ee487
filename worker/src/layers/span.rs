//! Puts job id, kind, attempt and queue on every line that is logged while a job runs, and on the line about its end.

use futures::FutureExt;
use tracing::Instrument;

use crate::layers::{RunService, wraps};
use crate::run::{Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct Span<S> {
    inner: S,
}

impl<S: RunService> Span<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }

    fn wrap(&mut self, run: Run) -> Ending {
        let (held, kind) = (&run.held, run.kind());
        let trace_parent = held.leased.envelope.as_ref().ok().and_then(|e| e.trace_parent.as_deref());
        // As grave as the gravest line in it: a filter that lets an error through keeps what it is about.
        let span = tracing::error_span!(
            "job",
            job_id = %held.leased.lease.id,
            kind,
            attempt = held.leased.attempt,
            queue = held.queue.as_str(),
            trace_parent,
        );
        self.inner.call(run).instrument(span).boxed()
    }
}

wraps!(Span);
