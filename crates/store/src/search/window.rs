//! The windows in which searches are counted: hours and days of UTC, half-open. UTC knows no summer time: each has its
//! full length.

use jiff::Timestamp;

use crate::words::words;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

words! {
    /// The length of a window.
    pub enum Granularity {
        /// From the full hour.
        Hour = "hour",
        /// From midnight, UTC.
        Day = "day",
    }
}

impl Granularity {
    /// Its length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    /// The beginning of the window that `at` is in.
    #[must_use]
    pub fn floor(self, at: Timestamp) -> Timestamp {
        let ms = at.as_millisecond();
        from_ms(ms - ms.rem_euclid(self.millis()))
    }

    /// The beginning of the first window that does not begin before `at`.
    #[must_use]
    pub fn ceil(self, at: Timestamp) -> Timestamp {
        let floor = self.floor(at);
        if floor < at { self.next(floor) } else { floor }
    }

    /// The beginning of the window after the one that begins at `start`.
    #[must_use]
    pub fn next(self, start: Timestamp) -> Timestamp {
        from_ms(start.as_millisecond().saturating_add(self.millis()))
    }
}

/// The instant, held at the end of what can be represented.
pub(super) fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_holds_its_beginning_and_not_its_end() {
        assert_eq!(Granularity::Hour.floor(at("2026-11-25T10:59:59.999Z")), at("2026-11-25T10:00:00Z"));
        assert_eq!(Granularity::Hour.floor(at("2026-11-25T11:00:00Z")), at("2026-11-25T11:00:00Z"));
        assert_eq!(Granularity::Day.floor(at("2026-11-25T23:59:59.999Z")), at("2026-11-25T00:00:00Z"));
        assert_eq!(Granularity::Day.floor(at("1969-12-31T23:00:00Z")), at("1969-12-31T00:00:00Z"));
    }

    #[test]
    fn where_it_begins_it_is_not_moved() {
        assert_eq!(Granularity::Hour.ceil(at("2026-11-25T11:00:00Z")), at("2026-11-25T11:00:00Z"));
        assert_eq!(Granularity::Hour.ceil(at("2026-11-25T11:00:00.001Z")), at("2026-11-25T12:00:00Z"));
    }

    #[test]
    fn days_have_their_full_length_when_clocks_change() {
        let spring = at("2026-03-29T00:00:00Z");
        assert_eq!(Granularity::Day.next(spring), at("2026-03-30T00:00:00Z"));
    }
}
