//! When people are left alone, on the clock on their own wall.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The rules compiled in, as those that times are shown by.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A part of every day; it may reach over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Its first minute.
    pub from: Time,
    /// The first minute after it.
    pub until: Time,
}

impl QuietHours {
    /// When people may be written to again, if `at` falls into their quiet hours. A change of clocks that skips the end,
    /// or brings it twice, ends them at the first moment that is not quiet.
    pub(super) fn end(&self, at: Timestamp, zone: &str) -> Option<Timestamp> {
        // Zones were checked at the edge; who lives in one that was dropped since is taken to live by UTC.
        let zone = ZONES.get(zone).unwrap_or(TimeZone::UTC);
        let local = at.to_zoned(zone.clone());
        let time = local.time();
        let over_midnight = self.from > self.until;
        let quiet = match over_midnight {
            true => time >= self.from || time < self.until,
            false => time >= self.from && time < self.until,
        };
        if !quiet {
            return None;
        }
        let ends_tomorrow = over_midnight && time >= self.from;
        let day = if ends_tomorrow { local.date().tomorrow().ok()? } else { local.date() };
        let end = zone.to_ambiguous_timestamp(day.to_datetime(self.until)).compatible().ok()?;
        // In a fold the quiet hours may seem to end in the past: then they are over.
        (end > at).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night() -> QuietHours {
        QuietHours { from: Time::constant(22, 0, 0, 0), until: Time::constant(7, 0, 0, 0) }
    }

    fn end(at: &str, zone: &str) -> Option<String> {
        night().end(at.parse().unwrap(), zone).map(|end| end.to_string())
    }

    #[test]
    fn the_night_ends_in_the_morning_of_the_person() {
        assert_eq!(end("2026-11-24T22:30:00Z", "Europe/Berlin").as_deref(), Some("2026-11-25T06:00:00Z"));
        assert_eq!(end("2026-11-25T05:59:59Z", "Europe/Berlin").as_deref(), Some("2026-11-25T06:00:00Z"));
        assert_eq!(end("2026-11-25T06:00:00Z", "Europe/Berlin"), None);
        assert_eq!(end("2026-11-24T22:30:00Z", "America/New_York"), None);
    }

    #[test]
    fn a_rest_at_noon_ends_the_same_day() {
        let noon = QuietHours { from: Time::constant(12, 0, 0, 0), until: Time::constant(14, 0, 0, 0) };
        let at: Timestamp = "2026-11-24T12:30:00Z".parse().unwrap();
        assert_eq!(noon.end(at, "Europe/Madrid").map(|end| end.to_string()).as_deref(), Some("2026-11-24T13:00:00Z"));
    }

    #[test]
    fn a_change_of_clocks_in_the_night_moves_its_end() {
        // New York goes back at 2 in the morning of 1 November: seven hours after eleven it is six, not yet seven.
        assert_eq!(end("2026-11-01T03:00:00Z", "America/New_York").as_deref(), Some("2026-11-01T12:00:00Z"));
        assert_eq!(end("2026-03-08T04:00:00Z", "America/New_York").as_deref(), Some("2026-03-08T11:00:00Z"));
    }
}
