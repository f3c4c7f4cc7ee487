//! Whether a stored schedule can be served by this release: what the API made may have outlived its kind or its queue.
//!
//! 1. It is looked at when a leader reads the schedules, and before it fires.
//! 2. One that cannot be served is paused, with the reason, and the operators are told. Resumed or changed, it is looked at
//!    again.
//! 3. One that was changed a moment ago is left alone and does not fire: in a rolling deploy it may be another release's,
//!    whose own scheduler fires it when it leads.

use std::time::Duration;

use jiff::Timestamp;
use job::QueueName;
use store::Schedule;
use worker::Registry;
use worker::schedule::Draft;

/// For so long after a change a schedule may be another release's.
pub const GRACE: Duration = Duration::from_secs(10 * 60);

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// In words, each field with its reason.
    pub why: String,
    /// It may be another release's.
    pub fresh: bool,
}

/// Checks a schedule as if it were made now; `None` if all is well.
#[must_use]
pub fn unfit(registry: &Registry, queues: &[QueueName], schedule: &Schedule, now: Timestamp) -> Option<Unfit> {
    let wrong = Draft::of(&schedule.spec).check(registry, queues).err()?;
    let why = wrong.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>().join("; ");
    let fresh = schedule.updated_at.checked_add(GRACE).is_ok_and(|end| end > now);
    Some(Unfit { why: format!("it cannot be served: {why}"), fresh })
}
