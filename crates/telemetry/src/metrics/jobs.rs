//! What is counted about the runs of a kind.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use super::{JOB_DURATION, JOBS_ENQUEUED, JOBS_FINISHED, JOBS_STARTED};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done.
    Completed,
    /// To be tried again; the attempt counts.
    Retried,
    /// To be run later; the attempt does not count.
    Snoozed,
    /// Given up: a dead letter.
    Dead,
    /// Cancelled by someone.
    Cancelled,
    /// Its time was over before it ran.
    Expired,
    /// Given back unfinished, because the process stops.
    Released,
    /// Finished under a lease that was lost: the result counts for nothing.
    Lost,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Completed,
        Self::Retried,
        Self::Snoozed,
        Self::Dead,
        Self::Cancelled,
        Self::Expired,
        Self::Released,
        Self::Lost,
    ];

    /// The label, and the word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}

/// Handles of one kind in one queue.
pub struct JobMeter {
    enqueued: Counter,
    started: Counter,
    finished: [Counter; Outcome::ALL.len()],
    duration: Histogram,
}

impl JobMeter {
    pub(super) fn new(queue: &str, kind: &str) -> Self {
        let labels = [("queue", queue.to_owned()), ("kind", kind.to_owned())];
        let finished = Outcome::ALL.map(|outcome| {
            counter!(JOBS_FINISHED, "queue" => queue.to_owned(), "kind" => kind.to_owned(), "outcome" => outcome.as_str())
        });
        Self {
            enqueued: counter!(JOBS_ENQUEUED, &labels),
            started: counter!(JOBS_STARTED, &labels),
            finished,
            duration: histogram!(JOB_DURATION, &labels),
        }
    }

    /// `count` jobs were accepted.
    pub fn enqueued(&self, count: u64) {
        self.enqueued.increment(count);
    }

    /// `count` runs began.
    pub fn started(&self, count: u64) {
        self.started.increment(count);
    }

    /// One run took `took` and ended so.
    pub fn finished(&self, outcome: Outcome, took: Duration) {
        self.finished_unrun(outcome, 1);
        self.duration.record(took.as_secs_f64());
    }

    /// `count` jobs ended so without having run (expired at lease, dead for an unknown kind).
    pub fn finished_unrun(&self, outcome: Outcome, count: u64) {
        // `ALL` is in the order of declaration.
        self.finished[outcome as usize].increment(count);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Outcome;
    use crate::metrics::{Meters, recorder::rendered};

    #[test]
    fn the_labels_stand_in_the_order_of_the_outcomes() {
        for (i, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, i);
        }
    }

    #[test]
    fn runs_are_counted_by_outcome_and_sorted_into_buckets() {
        let text = rendered(|| {
            let meter = Meters::default().job("emails", "email.send");
            meter.started(2);
            meter.finished(Outcome::Completed, Duration::from_micros(80));
            meter.finished(Outcome::Retried, Duration::from_secs(45));
            meter.finished_unrun(Outcome::Expired, 5);
        });
        let line = |line: &str| assert!(text.contains(line), "{line}\n{text}");
        line(r#"postrider_jobs_started_total{queue="emails",kind="email.send"} 2"#);
        line(r#"postrider_jobs_finished_total{queue="emails",kind="email.send",outcome="completed"} 1"#);
        line(r#"postrider_jobs_finished_total{queue="emails",kind="email.send",outcome="expired"} 5"#);
        line(r#"postrider_jobs_duration_seconds_bucket{queue="emails",kind="email.send",le="0.0001"} 1"#);
        line(r#"postrider_jobs_duration_seconds_bucket{queue="emails",kind="email.send",le="60"} 2"#);
        line(r#"postrider_jobs_duration_seconds_count{queue="emails",kind="email.send"} 2"#);
    }
}
