//! `[queues.NAME]`: the queues there are, and what share of a worker each one gets.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::check::Check;

/// One queue's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueShare {
    /// How often this queue is asked first, against the others, 1…100. No queue starves: a low weight is rarely first,
    /// never skipped.
    #[serde(default = "one")]
    pub weight: u32,
    /// Jobs of this queue that run at the same time in one process; none: only `worker.concurrency` limits.
    #[serde(default)]
    pub concurrency: Option<u32>,
}

fn one() -> u32 {
    1
}

/// The queues of the job kinds that come with Postrider.
pub(crate) fn default_queues() -> BTreeMap<String, QueueShare> {
    [("bookings", 5), ("emails", 5), ("default", 2), ("debug", 1)]
        .into_iter()
        .map(|(name, weight)| (name.to_owned(), QueueShare { weight, concurrency: None }))
        .collect()
}

pub(crate) fn validate(queues: &BTreeMap<String, QueueShare>, check: &mut Check) {
    for (name, share) in queues {
        check.name(name, name);
        check.number(&format!("{name}.weight"), share.weight, 1..=100);
        if let Some(concurrency) = share.concurrency {
            check.number(&format!("{name}.concurrency"), concurrency, 1..=10_000);
        }
    }
}
