//! Keeps leases alive and the house in order, from tasks of its own that no job can block.

use std::sync::Arc;
use std::time::Duration;

use job::QueueName;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::leases::Leases;
use crate::broker::Broker;
use crate::lease::{Extended, Maintained};

/// How often the house is kept at least: also how soon a cancel reaches a running job.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// How often the house is kept with leases that are renewed every `heartbeat`: often enough that no step finds a
/// silence behind it.
pub(super) fn housekeeping(heartbeat: Duration) -> Duration {
    HOUSEKEEPING.min(heartbeat / 4)
}

/// Who counts what happens to jobs outside their runs; the worker's metrics.
pub trait Observer: Send + Sync + 'static {
    /// One step of housekeeping was done. Its `reaped` are the leases that were lost: they are counted here, by whoever
    /// takes the jobs over, because a worker that was killed counts nothing any more.
    fn maintained(&self, queue: &QueueName, step: &Maintained);
    /// Jobs of `queue` were found too late and have expired.
    fn expired(&self, queue: &QueueName, count: u32);
    /// A queue was away and is back (`true`), or is away now.
    fn reachable(&self, queue: &QueueName, yes: bool);
}

/// Renews the leases of one queue, again and again, until `end`. One task a queue: where one part of a Cluster is away,
/// the leases of the other parts must not run out.
pub(super) async fn renew(
    broker: Arc<dyn Broker>,
    share: usize,
    queue: QueueName,
    heartbeat: Duration,
    leases: Arc<Leases>,
    end: CancellationToken,
) {
    let mut ticks = tokio::time::interval_at(Instant::now() + heartbeat, heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = end.cancelled() => return,
        }
        let held = leases.all(share);
        if held.is_empty() {
            continue;
        }
        match broker.extend(&queue, &held).await {
            Ok(answers) => {
                let mut lost = 0;
                for (lease, answer) in held.iter().zip(answers) {
                    // A job that was finished while the call was under way is not there any more.
                    let Some(control) = leases.control(share, *lease) else { continue };
                    match answer {
                        Extended::Renewed => {}
                        Extended::CancelRequested => control.cancel(),
                        Extended::Lost => {
                            control.lose();
                            lost += 1;
                        }
                    }
                }
                if lost > 0 {
                    warn!(%queue, lost, "leases lost: these jobs run elsewhere");
                }
            }
            // The queue is away: try again soon, long before the leases run out.
            Err(error) => {
                debug!(%queue, %error, "leases not renewed");
                ticks.reset_after(HOUSEKEEPING.min(heartbeat));
            }
        }
    }
}

/// One queue's housekeeping.
pub(super) struct House {
    pub broker: Arc<dyn Broker>,
    pub queue: QueueName,
    pub share: usize,
    pub leases: Arc<Leases>,
    pub observer: Arc<dyn Observer>,
    pub every: Duration,
}

impl House {
    /// Promotes, reaps and trims, again and again, until `end`.
    pub(super) async fn keep(self, end: CancellationToken) {
        loop {
            let pause = match self.broker.maintain(&self.queue).await {
                Ok(step) => {
                    for id in &step.cancel_requested {
                        if let Some(control) = self.leases.control_of(self.share, *id) {
                            control.cancel();
                        }
                    }
                    self.observer.maintained(&self.queue, &step);
                    // A full step means that more is waiting; a breath in between lets the workers at it.
                    if step.more { Duration::from_millis(5) } else { self.every }
                }
                Err(error) => {
                    debug!(queue = %self.queue, %error, "no housekeeping");
                    self.every
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = end.cancelled() => return,
            }
        }
    }
}
