//! Counts runs and how they ended, and times them.

use job::{Stop, Unfinished};
use telemetry::metrics::{Meters, Outcome};
use tokio::time::Instant;

use crate::layers::{RunService, wraps};
use crate::run::{Ended, Ending, Run};

/// See the module.
#[derive(Clone)]
pub struct Measure<S> {
    inner: S,
    meters: Meters,
}

impl<S: RunService> Measure<S> {
    pub(super) fn new(inner: S, meters: Meters) -> Self {
        Self { inner, meters }
    }

    fn wrap(&mut self, run: Run) -> Ending {
        let job = self.meters.job(run.held.queue.as_str(), run.kind());
        let queue = self.meters.queue(run.held.queue.as_str());
        job.started(1);
        queue.entered(1);
        let leased = &run.held.leased;
        let is_last = leased.envelope.as_ref().is_ok_and(|e| leased.attempt >= e.max_attempts);
        let began = Instant::now();
        let running = self.inner.call(run);
        Box::pin(async move {
            let ended = running.await;
            queue.left(1);
            if let Ok(ended) = &ended {
                job.finished(outcome(ended, is_last), began.elapsed());
            }
            ended
        })
    }
}

fn outcome(ended: &Ended, is_last: bool) -> Outcome {
    let retried = if is_last { Outcome::Dead } else { Outcome::Retried };
    match ended {
        Ended::Said(Ok(_)) => Outcome::Completed,
        Ended::Said(Err(Unfinished::Retry { .. } | Unfinished::RetryAfter { .. })) => retried,
        Ended::TimedOut | Ended::Panicked(_) => retried,
        Ended::Said(Err(Unfinished::Snooze { .. })) | Ended::Unknown(_) => Outcome::Snoozed,
        Ended::Said(Err(Unfinished::Fail { .. })) | Ended::Unreadable(_) => Outcome::Dead,
        Ended::Said(Err(Unfinished::Cancelled)) | Ended::Stopped(Stop::Cancelled) => Outcome::Cancelled,
        Ended::Said(Err(Unfinished::Expired)) => Outcome::Expired,
        Ended::Stopped(Stop::CutOff) => Outcome::Released,
        Ended::Stopped(Stop::Lost) => Outcome::Lost,
    }
}

wraps!(Measure);
