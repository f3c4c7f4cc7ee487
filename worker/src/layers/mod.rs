//! The tower layers around every run, from the outside in:
//!
//! 1. [`span`]: puts job id, kind, attempt and queue on every line about the job;
//! 2. [`report`]: judges the end, tells of it and hands it to the consumer; a tick of a schedule ends here too;
//! 3. [`measure`]: counts and times;
//! 4. [`mod@panic`]: turns a panic into an end like any other;
//! 5. [`stop`]: drops the job when it is cancelled, cut off, or its lease is lost;
//! 6. [`timeout`]: drops it when it takes too long;
//! 7. [`execute`]: finds the kind and runs it.

pub mod execute;
pub mod measure;
pub mod panic;
pub mod report;
pub mod span;
pub mod stop;
pub mod timeout;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use queue::consumer::Finisher;
use telemetry::metrics::Meters;
use tower::{Service, ServiceBuilder, layer::layer_fn};

use crate::context::Context;
use crate::registry::Registry;
use crate::run::{Ended, Ending, Run};

/// A service that runs jobs: what each layer wraps, and is.
pub trait RunService:
    Service<Run, Response = Ended, Error = Infallible, Future = Ending> + Clone + Send + 'static
{
}

impl<S: Service<Run, Response = Ended, Error = Infallible, Future = Ending> + Clone + Send + 'static> RunService for S {}

/// What the layers need.
#[derive(Clone)]
pub struct Parts {
    /// The kinds.
    pub registry: Arc<Registry>,
    /// What jobs may use.
    pub context: Arc<Context>,
    /// Where ends are reported.
    pub finisher: Finisher,
    /// How long an unknown job waits for a worker that knows it.
    pub unknown_grace: Duration,
}

/// The whole stack.
pub fn stack(parts: Parts) -> impl RunService + 'static {
    let meters: Meters = parts.context.meters.clone();
    let report = report::ReportLayer::new(&parts);
    let (registry, context) = (Arc::clone(&parts.registry), Arc::clone(&parts.context));
    ServiceBuilder::new()
        .layer(layer_fn(span::Span::new))
        .layer(report)
        .layer(layer_fn(move |inner| measure::Measure::new(inner, meters.clone())))
        .layer(layer_fn(panic::CatchPanic::new))
        .layer(layer_fn(stop::Stoppable::new))
        .layer(layer_fn(move |inner| timeout::Timeout::new(inner, Arc::clone(&registry), Arc::clone(&context))))
        .service(execute::Execute::new(parts.registry, parts.context))
}

/// Implements the wrapping half of a layer's service: readiness is the inner service's.
macro_rules! wraps {
    ($name:ident) => {
        impl<S: crate::layers::RunService> tower::Service<crate::run::Run> for $name<S> {
            type Response = crate::run::Ended;
            type Error = std::convert::Infallible;
            type Future = crate::run::Ending;

            fn poll_ready(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Result<(), std::convert::Infallible>> {
                self.inner.poll_ready(cx)
            }

            fn call(&mut self, run: crate::run::Run) -> crate::run::Ending {
                self.wrap(run)
            }
        }
    };
}
pub(crate) use wraps;
