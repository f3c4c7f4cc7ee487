//! Times as a person reads them: in their own zone, with the zone's name.
//!
//! Templates never see a timestamp. The code that decides to send a mail turns start, zone and duration into one line,
//! so that no template can show UTC to somebody in New York: [`describe`] from when to when, [`moment`] one time,
//! [`relative()`] how far away it is. In English, German or Spanish; other readers get English.
//!
//! Zone rules come from the database compiled into the binary: the system's copy is often years old.

mod relative;
mod words;

use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, Zoned};

use self::words::Language;
use crate::locale::Locale;

pub use relative::relative;

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

/// Whether `zone` is a name of the IANA database (`Europe/Berlin`) that stands for clocks somewhere, unlike `Etc/Unknown` and
/// `Factory`; for validation at the edge.
#[must_use]
pub fn is_zone(zone: &str) -> bool {
    ZONES.get(zone).is_ok_and(|found| !found.is_unknown()) && !zone.eq_ignore_ascii_case("Factory")
}

/// One line that says when: `Tuesday, 24 November 2026, 17:00–18:00 (Europe/Berlin, CET)`, `Dienstag, 24. November 2026,
/// 17:00–18:00 Uhr (Europe/Berlin, MEZ)`.
///
/// An end on another day is written out with its day. Where the clocks change in between, both abbreviations are named.
/// A zone whose abbreviation is only a number shows its offset (`UTC−03:00`).
///
/// # Errors
/// [`WhenError::UnknownZone`], [`WhenError::OutOfRange`].
pub fn describe(start: Timestamp, zone: &str, duration: Duration, locale: &Locale) -> Result<String, WhenError> {
    let tz = zone_of(zone)?;
    let language = Language::of(locale);
    let length = SignedDuration::try_from(duration).map_err(|_| WhenError::OutOfRange)?;
    let end = start.checked_add(length).map_err(|_| WhenError::OutOfRange)?;
    let (from, to) = (start.to_zoned(tz.clone()), end.to_zoned(tz.clone()));

    let until = if from.date() == to.date() {
        format!("–{}", clock(&to))
    } else {
        format!(" – {}, {}", language.day(&to), clock(&to))
    };
    let (first, last) = (abbreviation(&tz, start, language), abbreviation(&tz, end, language));
    let shown = if first == last { first } else { format!("{first}–{last}") };
    let label = label(&tz, zone, shown);
    Ok(format!("{}, {}{until}{} ({label})", language.day(&from), clock(&from), language.o_clock()))
}

/// One time: `Tuesday, 24 November 2026, 17:00 (Europe/Berlin, CET)`.
///
/// # Errors
/// [`WhenError::UnknownZone`].
pub fn moment(at: Timestamp, zone: &str, locale: &Locale) -> Result<String, WhenError> {
    let tz = zone_of(zone)?;
    let language = Language::of(locale);
    let label = label(&tz, zone, abbreviation(&tz, at, language));
    let at = at.to_zoned(tz);
    Ok(format!("{}, {}{} ({label})", language.day(&at), clock(&at), language.o_clock()))
}

fn zone_of(zone: &str) -> Result<TimeZone, WhenError> {
    ZONES.get(zone).map_err(|_| WhenError::UnknownZone(zone.to_owned()))
}

fn label(tz: &TimeZone, zone: &str, abbreviation: String) -> String {
    let name = tz.iana_name().unwrap_or(zone);
    if name == abbreviation { abbreviation } else { format!("{name}, {abbreviation}") }
}

fn clock(at: &Zoned) -> String {
    at.strftime("%H:%M").to_string()
}

fn abbreviation(tz: &TimeZone, at: Timestamp, language: Language) -> String {
    let info = tz.to_offset_info(at);
    let text = info.abbreviation();
    if text.starts_with(['+', '-']) {
        let minutes = info.offset().seconds() / 60;
        let sign = if minutes < 0 { '−' } else { '+' };
        let minutes = minutes.unsigned_abs();
        return format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    }
    language.abbreviation(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start: &str, zone: &str, minutes: u64) -> String {
        told_in("en", start, zone, minutes)
    }

    fn told_in(locale: &str, start: &str, zone: &str, minutes: u64) -> String {
        let locale = Locale::parse(locale).unwrap();
        describe(start.parse().unwrap(), zone, Duration::from_secs(minutes * 60), &locale).unwrap()
    }

    #[test]
    fn each_recipient_reads_their_own_language() {
        let start = "2027-03-03T16:00:00Z";
        assert_eq!(
            told_in("de-CH", start, "Europe/Zurich", 60),
            "Mittwoch, 3. März 2027, 17:00–18:00 Uhr (Europe/Zurich, MEZ)"
        );
        assert_eq!(
            told_in("es-MX", start, "America/Bogota", 60),
            "miércoles, 3 de marzo de 2027, 11:00–12:00 (America/Bogota, UTC−05:00)"
        );
        assert_eq!(
            told_in("de", "2026-07-05T22:30:00Z", "Europe/Berlin", 60),
            "Montag, 6. Juli 2026, 00:30–01:30 Uhr (Europe/Berlin, MESZ)"
        );
        assert_eq!(told_in("fr", start, "Europe/Paris", 60), told(start, "Europe/Paris", 60));
    }

    #[test]
    fn one_time_is_told_alone() {
        let at = "2026-11-24T16:05:00Z".parse().unwrap();
        let told = |zone, locale| moment(at, zone, &Locale::parse(locale).unwrap()).unwrap();
        assert_eq!(told("America/New_York", "en"), "Tuesday, 24 November 2026, 11:05 (America/New_York, EST)");
        assert_eq!(told("Europe/Berlin", "de"), "Dienstag, 24. November 2026, 17:05 Uhr (Europe/Berlin, MEZ)");
        assert_eq!(told("Europe/Madrid", "es"), "martes, 24 de noviembre de 2026, 17:05 (Europe/Madrid, CET)");
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
        assert!(is_zone("Etc/UTC") && is_zone("UTC") && is_zone("Etc/GMT+5"));
        assert!(!is_zone("Etc/Unknown") && !is_zone("etc/unknown") && !is_zone("Factory") && !is_zone("factory"));
        let error = describe(Timestamp::UNIX_EPOCH, "Mars/Olympus", Duration::ZERO, &Locale::english()).unwrap_err();
        assert_eq!(error, WhenError::UnknownZone("Mars/Olympus".to_owned()));
    }
}
