//! How an attempt ended. The author of a job must say it: there is no conversion from any error type, so that nobody
//! retries what can never succeed or gives up on what only needs time.

use std::time::Duration;

use serde_json::Value;

/// What [`crate::Job::run`] returns.
pub type Outcome = Result<Completed, Unfinished>;

/// The job is done; it may leave a small result that `GET /v1/jobs/{id}` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completed(pub Option<Value>);

impl Completed {
    /// Done, with a result (kept up to 4 KiB, then cut to a note that says so).
    #[must_use]
    pub fn with(result: Value) -> Self {
        Self(Some(result))
    }
}

/// The job is not done.
#[derive(Debug, Clone, PartialEq)]
pub enum Unfinished {
    /// Try again after the kind's own back-off. Costs an attempt; after the last one the job is dead.
    Retry {
        /// Why, for the operator.
        error: String,
    },
    /// Try again after `delay`. Costs an attempt.
    RetryAfter {
        /// Why, for the operator.
        error: String,
        /// How long to wait.
        delay: Duration,
    },
    /// Not now: something that the job needs is away. Costs no attempt.
    Snooze {
        /// What is away.
        reason: String,
        /// How long to wait.
        delay: Duration,
    },
    /// Never: dead at once, for an operator to look at.
    Fail {
        /// Why, for the operator.
        error: String,
    },
    /// The job was called off and stopped where it was.
    Cancelled,
    /// The job is no longer wanted: its time has passed.
    Expired,
}

impl Unfinished {
    /// [`Unfinished::Retry`] from anything that can be said.
    pub fn retry(error: impl ToString) -> Self {
        Self::Retry { error: error.to_string() }
    }

    /// [`Unfinished::Fail`] from anything that can be said.
    pub fn fail(error: impl ToString) -> Self {
        Self::Fail { error: error.to_string() }
    }

    /// [`Unfinished::Snooze`] from anything that can be said.
    pub fn snooze(reason: impl ToString, delay: Duration) -> Self {
        Self::Snooze { reason: reason.to_string(), delay }
    }
}
