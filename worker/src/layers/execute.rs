//! The innermost service: finds the kind of the job and runs it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures::FutureExt;
use futures::future::ready;
use job::{Attempt, Unfinished, WireError};
use tower::Service;

use crate::context::Context;
use crate::registry::Registry;
use crate::run::{Ended, Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct Execute {
    registry: Arc<Registry>,
    context: Arc<Context>,
}

impl Execute {
    pub(super) fn new(registry: Arc<Registry>, context: Arc<Context>) -> Self {
        Self { registry, context }
    }
}

impl Service<Run> for Execute {
    type Response = Ended;
    type Error = Infallible;
    type Future = Ending;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, run: Run) -> Ending {
        let envelope = match run.held.leased.envelope {
            Ok(envelope) => envelope,
            Err(e @ WireError::Newer(_)) => return at_once(Ended::Unknown(e.to_string())),
            Err(e @ WireError::Broken(_)) => return at_once(Ended::Unreadable(e.to_string())),
        };
        // The broker looked when it leased; the job may have waited in this process since.
        if envelope.expires_at.is_some_and(|at| at <= self.context.clock.now()) {
            return at_once(Ended::Said(Err(Unfinished::Expired)));
        }
        let Some(entry) = self.registry.find(&envelope.kind) else {
            return at_once(Ended::Unknown(format!("this worker knows no kind {}", envelope.kind)));
        };
        let attempt = Attempt {
            job: envelope.id,
            number: run.held.leased.attempt,
            max_attempts: envelope.max_attempts,
            lease: run.held.leased.lease.token,
            expires_at: envelope.expires_at,
            control: run.held.control,
        };
        entry.run(envelope.args, Arc::clone(&self.context), attempt).map(|outcome| Ok(Ended::Said(outcome))).boxed()
    }
}

fn at_once(ended: Ended) -> Ending {
    ready(Ok(ended)).boxed()
}
