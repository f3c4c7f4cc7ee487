//! When a window that has new events is counted again: a small one at once, a large one not for every latecomer.

use std::time::Duration;

use jiff::Timestamp;
use store::{DirtyWindow, Granularity};

/// Whether a window that holds events which are not counted yet is to be counted now.
///
/// 1. One that was never counted, is.
/// 2. One that has ended since it was last counted, is: its first whole count does not wait.
/// 3. A small one (20,000 searches an hour, 100,000 a day) is.
/// 4. A large one is every 10 minutes (an hour), or every hour (a day).
#[must_use]
pub fn is_due(window: &DirtyWindow, now: Timestamp) -> bool {
    let (small, pause) = match window.granularity {
        Granularity::Hour => (20_000, Duration::from_secs(600)),
        Granularity::Day => (100_000, Duration::from_secs(3600)),
    };
    let Some(rolled_at) = window.rolled_at else { return true };
    let ends_at = window.granularity.next(window.starts_at);
    let whole = ends_at <= now && rolled_at < ends_at;
    whole || window.searches <= small || job::clock::after(rolled_at, pause) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_window_is_not_counted_again_for_every_latecomer() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = |rolled: Option<&str>, searches| DirtyWindow {
            granularity: Granularity::Hour,
            starts_at: at("2026-11-25T10:00:00Z"),
            rolled_at: rolled.map(at),
            searches,
        };
        let now = at("2026-11-25T11:01:00Z");
        assert!(is_due(&window(None, 0), now));
        assert!(is_due(&window(Some("2026-11-25T11:00:30Z"), 20_000), now), "small");
        assert!(is_due(&window(Some("2026-11-25T10:59:30Z"), 900_000), now), "its first whole count");
        assert!(!is_due(&window(Some("2026-11-25T11:00:30Z"), 900_000), now));
        assert!(is_due(&window(Some("2026-11-25T11:00:30Z"), 900_000), at("2026-11-25T11:10:30Z")));
    }
}
