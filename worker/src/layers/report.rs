//! Judges how a run ended, tells of it, and hands it to the consumer, which writes it.

use std::sync::Arc;
use std::time::Duration;

use job::{Clock, Priority, RetryPolicy};
use queue::consumer::Finisher;
use queue::{Disposition, Finish};
use telemetry::redact::Text;
use tower::Layer;
use tracing::{debug, error, warn};

use crate::layers::{Parts, RunService, wraps};
use crate::registry::Registry;
use crate::run::{Ending, Run};
use crate::verdict::{Facts, judge};

/// Makes [`Report`].
#[derive(Clone)]
pub struct ReportLayer {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Arc<Registry>,
    finisher: Finisher,
    unknown_grace: Duration,
    clock: Arc<dyn Clock>,
}

impl ReportLayer {
    pub(super) fn new(parts: &Parts, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            registry: Arc::clone(&parts.registry),
            finisher: parts.finisher.clone(),
            unknown_grace: parts.unknown_grace,
            clock,
        };
        Self { shared: Arc::new(shared) }
    }
}

impl<S> Layer<S> for ReportLayer {
    type Service = Report<S>;

    fn layer(&self, inner: S) -> Report<S> {
        Report { inner, shared: Arc::clone(&self.shared) }
    }
}

/// See the module.
#[derive(Clone)]
pub struct Report<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S: RunService> Report<S> {
    fn wrap(&mut self, run: Run) -> Ending {
        let leased = &run.held.leased;
        let (share, lease) = (run.held.share, leased.lease);
        let envelope = leased.envelope.as_ref().ok();
        let unique = envelope.and_then(|e| Some((e.unique_key.clone()?, e.unique_for)));
        let priority = envelope.map_or_else(Priority::default, |e| e.priority);
        let facts = Facts {
            attempt: leased.attempt,
            max_attempts: envelope.map_or(1, |e| e.max_attempts),
            retry: envelope
                .and_then(|e| self.shared.registry.find(&e.kind))
                .map_or_else(RetryPolicy::default, |entry| entry.retry),
            timeout: envelope.map_or(Duration::ZERO, |e| e.timeout),
            unknown_since: leased.unknown_since,
            unknown_grace: self.shared.unknown_grace,
        };
        let shared = Arc::clone(&self.shared);
        let running = self.inner.call(run);
        Box::pin(async move {
            let ended = running.await?;
            match judge(ended.clone(), &facts, shared.clock.now(), rand::random()) {
                None => shared.finisher.lost(share, lease),
                Some(disposition) => {
                    tell(&disposition);
                    shared.finisher.finish(share, Finish { lease, disposition, priority, unique });
                }
            }
            Ok(ended)
        })
    }
}

/// One line for what did not go as it should; what goes well is counted only. What a job says of its failure may come from
/// outside.
fn tell(disposition: &Disposition) {
    match disposition {
        Disposition::Dead { error } => error!(error = %Text(error), "job is dead"),
        Disposition::Retry { error, delay } => warn!(error = %Text(error), ?delay, "job failed and is tried again"),
        Disposition::Snooze { reason, delay, .. } => debug!(reason = %Text(reason), ?delay, "job waits"),
        _ => {}
    }
}

wraps!(Report);
