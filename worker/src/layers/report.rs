//! Judges how a run ended, tells of it, and hands it to the consumer, which writes it.

use std::sync::Arc;
use std::time::Duration;

use job::{Completed, Priority, RetryPolicy};
use queue::consumer::Finisher;
use queue::{Disposition, Finish};
use serde_json::json;
use telemetry::redact::Text;
use tower::Layer;
use tracing::{debug, error, warn};

use crate::context::Context;
use crate::layers::{Parts, RunService, wraps};
use crate::registry::Registry;
use crate::run::{Ended, Ending, Run};
use crate::ticks::OfTick;
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
    context: Arc<Context>,
}

impl ReportLayer {
    pub(super) fn new(parts: &Parts) -> Self {
        let shared = Shared {
            registry: Arc::clone(&parts.registry),
            finisher: parts.finisher.clone(),
            unknown_grace: parts.unknown_grace,
            context: Arc::clone(&parts.context),
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
        let tick = envelope.and_then(OfTick::of);
        let shared = Arc::clone(&self.shared);
        let running = match &tick {
            None => self.inner.call(run),
            Some(tick) => self.unless_done(tick.clone(), run),
        };
        Box::pin(async move {
            let context = &*shared.context;
            let ended = running.await?;
            match judge(ended.clone(), &facts, context.clock.now(), context.chance.share()) {
                None => shared.finisher.lost(share, lease),
                Some(disposition) => {
                    tell(&disposition);
                    if let Some(tick) = &tick {
                        tick.settle(context, &disposition).await;
                    }
                    shared.finisher.finish(share, Finish { lease, disposition, priority, unique });
                }
            }
            Ok(ended)
        })
    }
}

impl<S: RunService> Report<S> {
    /// Runs the job of a tick, unless the tick was done before.
    fn unless_done(&self, tick: OfTick, run: Run) -> Ending {
        let (mut inner, context) = (self.inner.clone(), Arc::clone(&self.shared.context));
        Box::pin(async move {
            match tick.is_done(&context).await {
                true => Ok(Ended::Said(Ok(Completed::with(json!({ "tick": "was done before" }))))),
                false => inner.call(run).await,
            }
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
