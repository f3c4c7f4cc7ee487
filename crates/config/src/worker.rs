//! `[worker]`: how much runs at once in a process, and how it stops.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;

/// Settings of a worker process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Jobs that run at the same time in this process, 1…10,000.
    pub concurrency: u32,
    /// Loops that fetch and run, 1…64; 0 means one a core ([`Worker::loops_on`]).
    pub loops: u32,
    /// After SIGTERM: how long running jobs may finish before they are told to stop.
    #[serde(deserialize_with = "duration::deserialize")]
    pub shutdown_soft: Duration,
    /// After SIGTERM: when the process ends, whatever still runs. Not below `shutdown_soft`.
    #[serde(deserialize_with = "duration::deserialize")]
    pub shutdown_hard: Duration,
    /// How long a stored row may be without news before its job is looked for, and enqueued again if it was lost.
    #[serde(deserialize_with = "duration::deserialize")]
    pub sweep_after: Duration,
    /// Where `/metrics`, `/healthz` and `/readyz` of a worker are served; none by default.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 64,
            loops: 0,
            shutdown_soft: Duration::from_secs(20),
            shutdown_hard: Duration::from_secs(30),
            sweep_after: Duration::from_secs(30),
            metrics_listen: None,
        }
    }
}

impl Worker {
    /// The number of loops on a machine with `cores` cores: `loops`, or one a core, never more than `concurrency`.
    #[must_use]
    pub fn loops_on(&self, cores: usize) -> usize {
        let wanted = if self.loops == 0 { cores } else { self.loops as usize };
        wanted.clamp(1, self.concurrency.max(1) as usize)
    }

    pub(crate) fn validate(&self, check: &mut Check) {
        check.number("concurrency", self.concurrency, 1..=10_000);
        check.number("loops", self.loops, 0..=64);
        check.time("shutdown_soft", self.shutdown_soft, Duration::ZERO..=Duration::from_secs(3600));
        check.time("shutdown_hard", self.shutdown_hard, Duration::from_secs(1)..=Duration::from_secs(3600));
        check.time("sweep_after", self.sweep_after, Duration::from_secs(1)..=Duration::from_secs(3600));
        let order = format!("must not be less than worker.shutdown_soft ({})", duration::show(self.shutdown_soft));
        check.that(self.shutdown_hard >= self.shutdown_soft, "shutdown_hard", order);
    }
}

#[cfg(test)]
mod tests {
    use super::Worker;

    #[test]
    fn loops_follow_the_cores_unless_set_and_never_exceed_the_concurrency() {
        let worker = |loops, concurrency| Worker { loops, concurrency, ..Worker::default() };
        assert_eq!(worker(0, 64).loops_on(4), 4);
        assert_eq!(worker(2, 64).loops_on(8), 2);
        assert_eq!(worker(0, 1).loops_on(8), 1);
    }
}
