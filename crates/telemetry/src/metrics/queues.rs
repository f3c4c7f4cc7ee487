//! What is told about a queue: how full it is, and what this process runs of it.

use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};

use super::{JOBS_IN_FLIGHT, LEASE_LOSSES, QUEUE_DEPTH, QUEUE_OLDEST, QUEUE_PAUSED};

/// A state whose jobs are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueState {
    /// Waits for its time.
    Scheduled,
    /// Could run now.
    Available,
    /// Runs.
    Running,
    /// Ended well, still kept.
    Completed,
    /// A dead letter, still kept.
    Dead,
    /// Cancelled, still kept.
    Cancelled,
    /// Expired, still kept.
    Expired,
}

impl QueueState {
    const ALL: [Self; 7] =
        [Self::Scheduled, Self::Available, Self::Running, Self::Completed, Self::Dead, Self::Cancelled, Self::Expired];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// Handles of one queue.
pub struct QueueMeter {
    depth: [Gauge; QueueState::ALL.len()],
    oldest: Gauge,
    paused: Gauge,
    lease_losses: Counter,
    in_flight: Gauge,
}

impl QueueMeter {
    pub(super) fn new(queue: &str) -> Self {
        let labels = [("queue", queue.to_owned())];
        let depth =
            QueueState::ALL.map(|state| gauge!(QUEUE_DEPTH, "queue" => queue.to_owned(), "state" => state.as_str()));
        Self {
            depth,
            oldest: gauge!(QUEUE_OLDEST, &labels),
            paused: gauge!(QUEUE_PAUSED, &labels),
            lease_losses: counter!(LEASE_LOSSES, &labels),
            in_flight: gauge!(JOBS_IN_FLIGHT, &labels),
        }
    }

    /// So many jobs are in `state`.
    pub fn depth(&self, state: QueueState, jobs: u64) {
        // Exact below 2⁵³, far above any queue.
        self.depth[state as usize].set(jobs as f64);
    }

    /// The oldest job that could run has waited so long; zero when none waits.
    pub fn oldest(&self, age: Duration) {
        self.oldest.set(age.as_secs_f64());
    }

    /// Whether the queue is paused.
    pub fn paused(&self, paused: bool) {
        self.paused.set(if paused { 1.0 } else { 0.0 });
    }

    /// `count` leases ran out under a worker.
    pub fn lease_losses(&self, count: u64) {
        self.lease_losses.increment(count);
    }

    /// `count` more jobs run in this process.
    pub fn entered(&self, count: u32) {
        self.in_flight.increment(f64::from(count));
    }

    /// `count` fewer jobs run in this process.
    pub fn left(&self, count: u32) {
        self.in_flight.decrement(f64::from(count));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::QueueState;
    use crate::metrics::{Meters, recorder::rendered};

    #[test]
    fn the_labels_stand_in_the_order_of_the_states() {
        for (i, state) in QueueState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, i);
        }
    }

    #[test]
    fn a_queue_shows_its_depth_its_age_and_what_runs() {
        let text = rendered(|| {
            let meter = Meters::default().queue("emails");
            meter.depth(QueueState::Available, 7);
            meter.oldest(Duration::from_millis(1500));
            meter.paused(true);
            meter.lease_losses(2);
            meter.entered(3);
            meter.left(1);
        });
        let line = |line: &str| assert!(text.contains(line), "{line}\n{text}");
        line(r#"postrider_queue_depth{queue="emails",state="available"} 7"#);
        line(r#"postrider_queue_oldest_seconds{queue="emails"} 1.5"#);
        line(r#"postrider_queue_paused{queue="emails"} 1"#);
        line(r#"postrider_lease_losses_total{queue="emails"} 2"#);
        line(r#"postrider_jobs_in_flight{queue="emails"} 2"#);
    }
}
