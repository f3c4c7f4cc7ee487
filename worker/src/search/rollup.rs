//! Counting what is not counted yet: what `search.rollup` and `postrider search rollup` do.
//!
//! 1. The next months' partitions are made, where the store has partitions.
//! 2. Interactions that wait for their search are looked after.
//! 3. Windows are counted, the oldest first: those that are due, or those that were asked for.

use jiff::Timestamp;
use job::{Job, Unfinished};
use serde::Serialize;
use store::{DirtyWindow, Granularity};

use super::is_due;
use crate::context::Context;
use crate::jobs::search_rollup::SearchRollup;
use crate::jobs::store_failed;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RolledUp {
    /// Hours that were counted.
    pub hours: u64,
    /// Days that were counted.
    pub days: u64,
    /// Searches in these days, and in hours whose day was not counted.
    pub searches: u64,
    /// Interactions whose search was found.
    pub found: u64,
    /// Interactions that count as orphans from now on.
    pub orphaned: u64,
    /// Whether nothing that is due was left.
    pub finished: bool,
}

/// Counts what is due; with `asked` (from, to) those hours and their days, due or not. Between two windows it asks
/// `enough` whether to stop.
///
/// # Errors
/// As a job's: the store is away (snooze), or `asked` begins where events are no longer all there (fail).
pub async fn roll_up(
    context: &Context,
    asked: Option<(Timestamp, Timestamp)>,
    enough: impl Fn() -> bool,
) -> Result<RolledUp, Unfinished> {
    let store = &context.store;
    let now = context.clock.now();
    let queue = SearchRollup::queue();
    let token = || context.ids.next(&queue).uuid();
    store.make_search_partitions_ahead(now).await.map_err(|e| store_failed(&e))?;
    let settled = store.settle_searches(&context.search.rules, token(), now).await.map_err(|e| store_failed(&e))?;
    if let Some((from, to)) = asked {
        let oldest = now.checked_sub(context.search.countable_for).unwrap_or(Timestamp::MIN);
        if Granularity::Day.floor(from) < oldest {
            let kept = job::duration::format(context.search.countable_for);
            return Err(Unfinished::fail(format!(
                "from: events of more than {kept} ago are no longer all there: it would count too few"
            )));
        }
        store.mark_search_hours(from, to.min(now), token(), now).await.map_err(|e| store_failed(&e))?;
    }
    let is_wanted = |window: &DirtyWindow, now| match asked {
        Some((from, to)) => window.starts_at < to && from < window.granularity.next(window.starts_at),
        None => is_due(window, now),
    };
    let mut done = RolledUp { found: settled.found, orphaned: settled.orphaned, finished: true, ..RolledUp::default() };
    let dirty = store.dirty_search_hours_by_day().await.map_err(|e| store_failed(&e))?;
    for (day, hours) in dirty {
        let now = context.clock.now();
        // A day reads its hours' events anyway, and takes all of them along that are marked.
        let windows: Vec<DirtyWindow> = match is_wanted(&day, now) {
            true => vec![day],
            false => hours.into_iter().filter(|hour| is_wanted(hour, now)).collect(),
        };
        for window in windows {
            if enough() {
                done.finished = false;
                return Ok(done);
            }
            let (rules, start) = (&context.search.rules, window.starts_at);
            let rolled = store.roll_search_window(window.granularity, start, rules, token(), now).await;
            let rolled = rolled.map_err(|e| store_failed(&e))?;
            done.hours += rolled.hours;
            done.days += u64::from(window.granularity == Granularity::Day);
            done.searches += rolled.searches;
        }
    }
    Ok(done)
}
