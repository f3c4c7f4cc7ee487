//! The job of the latency measurement: it notes how long it waited.

use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use job::{Attempt, Completed, Job, Outcome};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use worker::Context;

/// Where all stamps are counted from.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
static WAITED: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

/// A job that carries the moment it was enqueued.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// Microseconds since the measurement began.
    at_us: u64,
}

impl Stamp {
    /// A job that is enqueued now.
    pub fn now() -> Self {
        Self { at_us: BEGAN.elapsed().as_micros() as u64 }
    }

    /// How long the jobs so far had waited when they began.
    pub fn waited() -> Vec<Duration> {
        WAITED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Job for Stamp {
    const KIND: &'static str = "bench.stamp";
    const QUEUE: &'static str = "bench";
    type Context = Context;

    async fn run(self, _: &Context, _: &Attempt) -> Outcome {
        let waited = BEGAN.elapsed().saturating_sub(Duration::from_micros(self.at_us));
        WAITED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(waited);
        Ok(Completed::default())
    }
}
