//! What holds for search events, as configured.

use std::time::Duration;

use jiff::Timestamp;

use super::window::from_ms;

/// How far the clocks of those who report may be apart.
pub const CLOCKS_APART: Duration = Duration::from_secs(300);

/// What holds for search events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchRules {
    /// A text that the next search of the session goes on with, within this time, was still being typed.
    pub typeahead: Duration,
    /// How long an interaction waits for its search before it counts as an orphan.
    pub orphan_after: Duration,
    /// How long after a search an interaction still belongs to it.
    pub attribution: Duration,
}

impl Default for SearchRules {
    /// 10 s, 15 min and 48 h.
    fn default() -> Self {
        Self {
            typeahead: Duration::from_secs(10),
            orphan_after: Duration::from_secs(15 * 60),
            attribution: Duration::from_secs(48 * 3600),
        }
    }
}

/// A length of time in milliseconds.
pub(super) fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The instant so long before `at`.
pub(super) fn before(at: Timestamp, time: Duration) -> Timestamp {
    from_ms(at.as_millisecond().saturating_sub(ms(time)))
}

/// The instant so long after `at`.
pub(super) fn after(at: Timestamp, time: Duration) -> Timestamp {
    from_ms(at.as_millisecond().saturating_add(ms(time)))
}
