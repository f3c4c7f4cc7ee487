//! Counting what is not counted yet: what `search.rollup`, `search.report` and `postrider search rollup` do.
//!
//! 1. The next months' partitions are made, where the store has partitions.
//! 2. Interactions that wait for their search are looked after.
//! 3. Windows are counted, the oldest first: those that are wanted.

use jiff::Timestamp;
use job::clock::before;
use job::{Job, Unfinished};
use serde::Serialize;
use store::{DirtyWindow, Granularity};

use super::is_due;
use crate::context::Context;
use crate::jobs::search_rollup::SearchRollup;
use crate::jobs::store_failed;

/// Which windows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those that are due.
    Due,
    /// Those that are not up to date, due or not, of the hours from the first to before the second instant.
    Marked(Timestamp, Timestamp),
    /// All hours from the first to before the second instant, and their days.
    All(Timestamp, Timestamp),
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RolledUp {
    /// Hours that were counted.
    pub hours: u64,
    /// Days that were counted.
    pub days: u64,
    /// Searches in these days, and in hours whose day was not counted.
    pub searches: u64,
    /// Windows that stay as they were counted: some of their events have gone with their age.
    pub kept: u64,
    /// Interactions whose search was found.
    pub found: u64,
    /// Interactions that count as orphans from now on.
    pub orphaned: u64,
    /// Whether nothing that was wanted was left.
    pub finished: bool,
}

/// Counts what is wanted. Between two windows it asks `enough` whether to stop.
///
/// # Errors
/// As a job's: the store is away (snooze), or all windows are wanted from where events are no longer all there (fail).
pub async fn roll_up(context: &Context, wanted: Wanted, enough: impl Fn() -> bool) -> Result<RolledUp, Unfinished> {
    let store = &context.store;
    let now = context.clock.now();
    let queue = SearchRollup::queue();
    let token = || context.ids.next(&queue).uuid();
    if let Wanted::All(from, _) = wanted {
        let oldest = before(now, context.search.countable_for);
        if Granularity::Day.floor(from) < oldest {
            let kept = job::duration::format(context.search.countable_for);
            return Err(Unfinished::fail(format!(
                "from: events of more than {kept} ago are no longer all there: it would count too few"
            )));
        }
    }
    store.make_search_partitions_ahead(now).await.map_err(|e| store_failed(&e))?;
    let rules = &context.search.rules;
    let settled = store.settle_searches(rules, token, now, &enough).await.map_err(|e| store_failed(&e))?;
    if let Wanted::All(from, to) = wanted {
        store.mark_search_hours(from, to.min(now), token(), now).await.map_err(|e| store_failed(&e))?;
    }
    let is_wanted = |window: &DirtyWindow, now| match wanted {
        Wanted::Due => is_due(window, now),
        Wanted::Marked(from, to) | Wanted::All(from, to) => {
            window.starts_at < to && from < window.granularity.next(window.starts_at)
        }
    };
    let mut done = RolledUp {
        found: settled.found,
        orphaned: settled.orphaned,
        finished: settled.finished,
        ..RolledUp::default()
    };
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
            let rolled = store.roll_search_window(window.granularity, window.starts_at, rules, now).await;
            let rolled = rolled.map_err(|e| store_failed(&e))?;
            if rolled.kept {
                tracing::warn!(
                    window = %window.granularity, starts_at = %window.starts_at,
                    "not counted again: some of its events have gone with their age, and it stays as it was counted"
                );
            }
            done.kept += u64::from(rolled.kept);
            done.hours += rolled.hours;
            done.days += u64::from(rolled.written && window.granularity == Granularity::Day);
            done.searches += rolled.searches;
        }
    }
    Ok(done)
}
