//! Kinds for trying and testing the platform itself; they exist in `dev` and with `debug.kinds = true`.
//!
//! Enqueued by people and tests over `POST /v1/jobs`. Their only lasting effect is a row in `effects`, by key, which is
//! written once however often they run.

use std::time::Duration;

use job::{Attempt, Completed, FieldError, Job, Outcome, RetryPolicy, Unfinished};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::Context;

const QUEUE: &str = "debug";

/// Does nothing: what the benchmark runs. It takes any arguments on purpose, where every other kind refuses fields that it
/// does not know: so a queue can be filled with jobs of any size.
#[derive(Debug, Serialize, Deserialize)]
pub struct Noop {}

impl Job for Noop {
    const KIND: &'static str = "debug.noop";
    const QUEUE: &'static str = QUEUE;
    type Context = Context;

    async fn run(self, _: &Context, _: &Attempt) -> Outcome {
        Ok(Completed::default())
    }
}

/// Takes its time, and stops when it is asked to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sleep {
    /// How long, in milliseconds.
    pub ms: u64,
}

impl Job for Sleep {
    const KIND: &'static str = "debug.sleep";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(3600);
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.ms {
            0..=3_600_000 => Ok(()),
            _ => Err(vec![FieldError::new("ms", "at most 3600000, an hour")]),
        }
    }

    async fn run(self, _: &Context, attempt: &Attempt) -> Outcome {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(self.ms)) => Ok(Completed::default()),
            () = attempt.control.cancel_requested() => Err(Unfinished::Cancelled),
        }
    }
}

/// Fails as often as it is told to, then succeeds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// How many attempts fail.
    pub times: u32,
}

impl Job for Fail {
    const KIND: &'static str = "debug.fail";
    const QUEUE: &'static str = QUEUE;
    type Context = Context;

    fn retry_policy() -> RetryPolicy {
        RetryPolicy::Fixed(Duration::from_millis(50))
    }

    async fn run(self, _: &Context, attempt: &Attempt) -> Outcome {
        if attempt.number <= self.times {
            return Err(Unfinished::retry(format!("failure {} of {}", attempt.number, self.times)));
        }
        Ok(Completed::with(json!({ "attempts": attempt.number })))
    }
}

/// Has an effect that can be counted: `GET /v1/debug/effects?key=`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What the effect is counted under.
    pub key: String,
}

impl Job for Effect {
    const KIND: &'static str = "debug.effect";
    const QUEUE: &'static str = QUEUE;
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.key.len() {
            1..=200 if !self.key.contains('\0') => Ok(()),
            _ => Err(vec![FieldError::new("key", "1 to 200 bytes, none of them NUL")]),
        }
    }

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        match context.store.record_effect(&self.key).await {
            Ok(effect) => Ok(Completed::with(json!({ "runs": effect.runs, "effects": effect.effects }))),
            Err(e) => Err(crate::jobs::store_failed(&e)),
        }
    }
}

/// Panics, always.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panic {}

impl Job for Panic {
    const KIND: &'static str = "debug.panic";
    const QUEUE: &'static str = QUEUE;
    type Context = Context;

    fn retry_policy() -> RetryPolicy {
        RetryPolicy::Fixed(Duration::from_millis(50))
    }

    async fn run(self, _: &Context, attempt: &Attempt) -> Outcome {
        panic!("debug.panic was asked to, attempt {}", attempt.number)
    }
}

/// Ends the process at once, as a fault in native code would: poison.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {}

impl Job for Crash {
    const KIND: &'static str = "debug.crash";
    const QUEUE: &'static str = QUEUE;
    type Context = Context;

    async fn run(self, _: &Context, _: &Attempt) -> Outcome {
        std::process::abort()
    }
}
