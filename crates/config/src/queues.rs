//! `[queues.NAME]`: the queues there are, and what share of a worker each one gets.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::check::Check;
use crate::mail::Mail;

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
    /// Completed jobs that are kept, where they are not as many as `queue.retention.completed_count`.
    #[serde(default)]
    pub completed_count: Option<u64>,
}

fn one() -> u32 {
    1
}

/// The queues of the job kinds that come with Postrider. Mails run as many as `mail.max_connections` by default: one more
/// would only wait for a connection while its time runs.
pub(crate) fn default_queues() -> BTreeMap<String, QueueShare> {
    let mails = Mail::default().max_connections;
    let share = |weight, concurrency| QueueShare { weight, concurrency, completed_count: None };
    // A batch of search events tells of people, and is of no use once it is in the store.
    let search = QueueShare { completed_count: Some(0), ..share(2, Some(4)) };
    [
        ("bookings", share(5, None)),
        ("emails", share(5, Some(mails))),
        ("default", share(2, None)),
        ("search", search),
        ("debug", share(1, None)),
    ]
    .into_iter()
    .map(|(name, share)| (name.to_owned(), share))
    .collect()
}

pub(crate) fn validate(queues: &BTreeMap<String, QueueShare>, check: &mut Check) {
    for (name, share) in queues {
        check.name(name, name);
        check.number(&format!("{name}.weight"), share.weight, 1..=100);
        if let Some(concurrency) = share.concurrency {
            check.number(&format!("{name}.concurrency"), concurrency, 1..=10_000);
        }
        if let Some(count) = share.completed_count {
            check.number(&format!("{name}.completed_count"), count, 0..=10_000_000);
        }
    }
}
