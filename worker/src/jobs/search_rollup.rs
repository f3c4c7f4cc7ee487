//! `search.rollup`: counts the hours and days that hold search events which are not counted yet.
//!
//! Enqueued by a schedule, every minute or few, without arguments: it counts whatever is due. With `from` and `to` (by
//! `postrider search rollup`) it counts those hours and their days, due or not.
//! 1. The next months' partitions are made, where the store has partitions.
//! 2. Interactions that wait for their search are looked after.
//! 3. Hours are counted, the oldest first, then days. What it does not finish within its time the next one does.
//!
//! Twice is harmless, at the same time too: a count replaces its window in one transaction, and the latest stands.

use std::time::Duration;

use jiff::Timestamp;
use job::{Attempt, Completed, FieldError, Job, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{DirtyWindow, Granularity};
use tokio::time::Instant;

use crate::context::Context;
use crate::jobs::store_failed;
use crate::search::is_due;

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

impl Job for SearchRollup {
    const KIND: &'static str = "search.rollup";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match (self.from, self.to) {
            (None, None) => Ok(()),
            (Some(from), Some(to)) if from < to => Ok(()),
            (Some(_), Some(_)) => Err(vec![FieldError::new("to", "must be after from")]),
            (Some(_), None) => Err(vec![FieldError::new("to", "must be given with from")]),
            (None, Some(_)) => Err(vec![FieldError::new("from", "must be given with to")]),
        }
    }

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let store = &context.store;
        let now = context.clock.now();
        let queue = Self::queue();
        let token = || context.ids.next(&queue).uuid();
        store.make_search_partitions_ahead(now).await.map_err(|e| store_failed(&e))?;
        let settled = store.settle_searches(&context.search.rules, token(), now).await.map_err(|e| store_failed(&e))?;
        let asked = self.from.zip(self.to);
        if let Some((from, to)) = asked {
            let oldest = now.checked_sub(context.search.countable_for).unwrap_or(Timestamp::MIN);
            if Granularity::Day.floor(from) < oldest {
                let kept = job::duration::format(context.search.countable_for);
                let why =
                    format!("from: events of more than {kept} ago are no longer all there: it would count too few");
                return Err(job::Unfinished::fail(why));
            }
            store.mark_search_hours(from, to.min(now), token(), now).await.map_err(|e| store_failed(&e))?;
        }
        let asked_for = |window: &DirtyWindow| {
            let ends_at = window.granularity.next(window.starts_at);
            asked.is_some_and(|(from, to)| window.starts_at < to && from < ends_at)
        };
        let enough = Instant::now() + TIME;
        let (mut hours, mut days, mut searches, mut finished) = (0_u64, 0_u64, 0_u64, true);
        for granularity in [Granularity::Hour, Granularity::Day] {
            let dirty = store.dirty_search_windows(granularity).await.map_err(|e| store_failed(&e))?;
            for window in dirty {
                let now = context.clock.now();
                if !(asked_for(&window) || asked.is_none() && is_due(&window, now)) {
                    continue;
                }
                if Instant::now() >= enough || attempt.control.is_cancel_requested() {
                    finished = false;
                    break;
                }
                let rolled = store
                    .roll_search_window(granularity, window.starts_at, &context.search.rules, token(), now)
                    .await
                    .map_err(|e| store_failed(&e))?;
                match granularity {
                    Granularity::Hour => (hours, searches) = (hours + 1, searches + rolled.searches),
                    Granularity::Day => days += 1,
                }
            }
        }
        Ok(Completed::with(json!({
            "hours": hours, "days": days, "searches": searches, "found": settled.found, "orphaned": settled.orphaned,
            "finished": finished,
        })))
    }
}
