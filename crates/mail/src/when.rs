//! Times as a person reads them: in their own zone, with the zone's name.
//!
//! Templates never see a timestamp. The code that decides to send a mail turns start, zone and duration into one line,
//! so that no template can show UTC to somebody in New York. Zone rules come from the database compiled into the
//! binary: the system's copy is often years old.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, Zoned};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Why a time cannot be told. Permanent: zone and time are data of the job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhenError {
    /// No zone of that name in the IANA database.
    #[error("there is no time zone {0:?}")]
    UnknownZone(String),
    /// Start or end lies outside the years −9999 to 9999.
    #[error("the time is out of range")]
    OutOfRange,
}

/// Whether `zone` is a name of the IANA database (`Europe/Berlin`); for validation at the edge.
#[must_use]
pub fn is_zone(zone: &str) -> bool {
    ZONES.get(zone).is_ok()
}

/// One line that says when: `Tuesday, 24 November 2026, 17:00–18:00 (Europe/Berlin, CET)`.
///
/// An end on another day is written out with its day. Where the clocks change in between, both abbreviations are named.
/// A zone whose abbreviation is only a number shows its offset (`UTC−03:00`).
///
/// # Errors
/// [`WhenError::UnknownZone`], [`WhenError::OutOfRange`].
pub fn describe(start: Timestamp, zone: &str, duration: Duration) -> Result<String, WhenError> {
    let tz = ZONES.get(zone).map_err(|_| WhenError::UnknownZone(zone.to_owned()))?;
    let length = SignedDuration::try_from(duration).map_err(|_| WhenError::OutOfRange)?;
    let end = start.checked_add(length).map_err(|_| WhenError::OutOfRange)?;
    let (from, to) = (start.to_zoned(tz.clone()), end.to_zoned(tz.clone()));

    let until = if from.date() == to.date() {
        format!("–{}", clock(&to))
    } else {
        format!(" – {}, {}", day(&to), clock(&to))
    };
    let (first, last) = (abbreviation(&tz, start), abbreviation(&tz, end));
    let shown = if first == last { first } else { format!("{first}–{last}") };
    let name = tz.iana_name().unwrap_or(zone);
    let label = if name == shown { shown } else { format!("{name}, {shown}") };
    Ok(format!("{}, {}{until} ({label})", day(&from), clock(&from)))
}

fn day(at: &Zoned) -> String {
    at.strftime("%A, %-d %B %Y").to_string()
}

fn clock(at: &Zoned) -> String {
    at.strftime("%H:%M").to_string()
}

fn abbreviation(tz: &TimeZone, at: Timestamp) -> String {
    let info = tz.to_offset_info(at);
    let text = info.abbreviation();
    if text.starts_with(['+', '-']) {
        let minutes = info.offset().seconds() / 60;
        let sign = if minutes < 0 { '−' } else { '+' };
        let minutes = minutes.unsigned_abs();
        return format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start: &str, zone: &str, minutes: u64) -> String {
        describe(start.parse().unwrap(), zone, Duration::from_secs(minutes * 60)).unwrap()
    }

    #[test]
    fn each_recipient_reads_their_own_zone() {
        let start = "2026-11-24T16:00:00Z";
        assert_eq!(told(start, "Europe/Berlin", 60), "Tuesday, 24 November 2026, 17:00–18:00 (Europe/Berlin, CET)");
        assert_eq!(
            told(start, "America/New_York", 60),
            "Tuesday, 24 November 2026, 11:00–12:00 (America/New_York, EST)"
        );
        assert_eq!(told(start, "Asia/Tokyo", 60), "Wednesday, 25 November 2026, 01:00–02:00 (Asia/Tokyo, JST)");
    }

    #[test]
    fn a_zone_without_letters_shows_its_offset() {
        assert_eq!(
            told("2026-11-24T16:00:00Z", "America/Sao_Paulo", 30),
            "Tuesday, 24 November 2026, 13:00–13:30 (America/Sao_Paulo, UTC−03:00)"
        );
        assert_eq!(
            told("2026-11-24T16:00:00Z", "Asia/Kathmandu", 30),
            "Tuesday, 24 November 2026, 21:45–22:15 (Asia/Kathmandu, UTC+05:45)"
        );
        assert_eq!(told("2026-11-24T16:00:00Z", "UTC", 30), "Tuesday, 24 November 2026, 16:00–16:30 (UTC)");
    }

    #[test]
    fn a_lesson_over_midnight_names_both_days() {
        assert_eq!(
            told("2026-11-24T22:30:00Z", "Europe/Berlin", 60),
            "Tuesday, 24 November 2026, 23:30 – Wednesday, 25 November 2026, 00:30 (Europe/Berlin, CET)"
        );
    }

    #[test]
    fn a_lesson_over_the_change_of_clocks_names_both_offsets() {
        assert_eq!(
            told("2026-11-01T05:30:00Z", "America/New_York", 60),
            "Sunday, 1 November 2026, 01:30–01:30 (America/New_York, EDT–EST)"
        );
    }

    #[test]
    fn the_compiled_in_rules_are_current() {
        // British Columbia stays on UTC−07:00 from 2026 on: rules older than that are an hour off in winter.
        assert!(told("2026-12-15T20:00:00Z", "America/Vancouver", 60).contains("13:00–14:00"));
    }

    #[test]
    fn an_unknown_zone_is_an_error() {
        assert!(is_zone("Europe/Berlin") && !is_zone("Mars/Olympus") && !is_zone(""));
        let error = describe(Timestamp::UNIX_EPOCH, "Mars/Olympus", Duration::ZERO).unwrap_err();
        assert_eq!(error, WhenError::UnknownZone("Mars/Olympus".to_owned()));
    }
}
