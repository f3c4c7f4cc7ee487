//! `operator.notify`: one notice to the operators' webhook.
//!
//! Enqueued by whoever raises or resolves a notice. Effect: it is posted to `alerts.webhook`.
//! Twice is harmless: it is posted under the job's id, by which receivers know that it is the same.

use std::time::Duration;

use jiff::Timestamp;
use job::{Attempt, Completed, Job, Outcome, Unfinished};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::Context;
use crate::notices::Notice;

/// The arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorNotify {
    /// Whether it begins; otherwise it is over.
    pub raised: bool,
    /// What it is.
    pub notice: Notice,
    /// When it was raised or resolved.
    pub at: Timestamp,
}

impl Job for OperatorNotify {
    const KIND: &'static str = "operator.notify";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30);
    const INTERNAL: bool = true;
    type Context = Context;

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let Some(webhook) = context.notices.webhook() else {
            return Ok(Completed::with(json!({ "posted": false, "reason": "no webhook is configured here" })));
        };
        match webhook.post(&attempt.job.to_string(), &self, context.clock.now()).await {
            Ok(()) => Ok(Completed::with(json!({ "posted": true }))),
            Err(error) if error.is_transient() => Err(Unfinished::retry(error)),
            Err(error) => Err(Unfinished::fail(error)),
        }
    }
}
