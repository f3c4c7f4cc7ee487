//! `search.rollup`: counts the hours and days that hold search events which are not counted yet.
//!
//! Enqueued by a schedule, every minute or few, without arguments: it counts whatever is due. With `from` and `to` it counts
//! those hours and their days, due or not. What it does not finish within its time the next one does.
//! Twice is harmless, at the same time too: a count replaces its window in one transaction, and the latest stands.

use std::time::Duration;

use jiff::Timestamp;
use job::{Attempt, Completed, FieldError, Job, Outcome};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::context::Context;
use crate::search::{Wanted, is_near, roll_up};

/// When it stops by itself, between two windows.
const TIME: Duration = Duration::from_secs(20 * 60);

/// Which windows; none: those that are due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRollup {
    /// The beginning of the first hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The end of the last hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl SearchRollup {
    /// What is to be counted.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.from.zip(self.to).map_or(Wanted::Due, |(from, to)| Wanted::All(from, to))
    }
}

impl Job for SearchRollup {
    const KIND: &'static str = "search.rollup";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        for (field, at) in [("from", self.from), ("to", self.to)] {
            if at.is_some_and(|at| !is_near(at)) {
                return Err(vec![FieldError::new(field, "a time in the years 1970 to 9000 is expected")]);
            }
        }
        match (self.from, self.to) {
            (None, None) => Ok(()),
            (Some(from), Some(to)) if from < to => Ok(()),
            (Some(_), Some(_)) => Err(vec![FieldError::new("to", "must be after from")]),
            (Some(_), None) => Err(vec![FieldError::new("to", "must be given with from")]),
            (None, Some(_)) => Err(vec![FieldError::new("from", "must be given with to")]),
        }
    }

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let end = Instant::now() + TIME;
        let enough = || Instant::now() >= end || attempt.control.is_cancel_requested();
        let done = roll_up(context, self.wanted(), enough).await?;
        Ok(Completed(serde_json::to_value(done).ok()))
    }
}
