//! How far away a time is, as one says it: `tomorrow`, `in 1 hour`.
//!
//! "Tomorrow" is a matter of the reader's calendar, not of 24 hours: at 23:30 in Berlin a lesson at 00:30 is tomorrow, and
//! the same lesson is today for somebody in New York. What is close is told in hours and minutes whatever day it is.

use jiff::Timestamp;

use super::words::Language;
use super::{WhenError, zone_of};
use crate::locale::Locale;

/// What is nearer than this is told in hours and minutes.
const NEAR_MINUTES: i64 = 6 * 60;
/// Beyond an hour, minutes are rounded to these.
const STEP: i64 = 5;

/// How far `start` is from `now` for a reader in `zone`, as a phrase that can end a sentence: `now`, `in 45 minutes`, `in 1
/// hour`, `in 2 hours and 30 minutes`, `today`, `tomorrow`, `in 3 days`. Rounded to the minute, beyond an hour to five.
///
/// # Errors
/// [`WhenError::UnknownZone`], [`WhenError::OutOfRange`].
pub fn relative(start: Timestamp, now: Timestamp, zone: &str, locale: &Locale) -> Result<String, WhenError> {
    let tz = zone_of(zone)?;
    let language = Language::of(locale);
    let seconds = start.as_second() - now.as_second();
    let minutes = (seconds + 30).div_euclid(60);
    if minutes <= 0 {
        return Ok(language.now().to_owned());
    }
    if minutes < 60 {
        return Ok(language.in_hours(0, minutes));
    }
    let rounded = (minutes + STEP / 2) / STEP * STEP;
    if rounded <= NEAR_MINUTES {
        return Ok(language.in_hours(rounded / 60, rounded % 60));
    }
    let (today, day) = (now.to_zoned(tz.clone()).date(), start.to_zoned(tz).date());
    let days = today.until(day).map_err(|_| WhenError::OutOfRange)?.get_days();
    Ok(match days {
        0 => language.today().to_owned(),
        1 => language.tomorrow().to_owned(),
        days => language.in_days(days.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start: &str, now: &str, zone: &str, locale: &str) -> String {
        let locale = Locale::parse(locale).unwrap();
        relative(start.parse().unwrap(), now.parse().unwrap(), zone, &locale).unwrap()
    }

    #[test]
    fn tomorrow_is_the_readers_tomorrow() {
        let (start, now) = ("2026-11-25T04:00:00Z", "2026-11-24T16:00:00Z");
        assert_eq!(told(start, now, "Europe/Berlin", "en"), "tomorrow");
        assert_eq!(told(start, now, "America/New_York", "en"), "today");
        assert_eq!(told(start, "2026-11-23T16:00:00Z", "Asia/Tokyo", "en"), "tomorrow");
    }

    #[test]
    fn a_day_of_25_hours_still_has_one_tomorrow() {
        assert_eq!(told("2026-11-01T23:30:00Z", "2026-10-31T22:30:00Z", "America/New_York", "en"), "tomorrow");
    }

    #[test]
    fn what_is_near_is_told_in_hours_and_minutes() {
        let now = "2026-11-24T23:00:00Z";
        for (start, said) in [
            ("2026-11-24T22:00:00Z", "now"),
            ("2026-11-24T23:00:20Z", "now"),
            ("2026-11-24T23:01:00Z", "in 1 minute"),
            ("2026-11-24T23:45:00Z", "in 45 minutes"),
            ("2026-11-24T23:59:50Z", "in 1 hour"),
            ("2026-11-25T00:01:00Z", "in 1 hour"),
            ("2026-11-25T00:21:00Z", "in 1 hour and 20 minutes"),
            ("2026-11-25T05:02:00Z", "in 6 hours"),
            ("2026-11-25T05:20:00Z", "tomorrow"),
            ("2026-11-28T05:20:00Z", "in 4 days"),
        ] {
            assert_eq!(told(start, now, "UTC", "en"), said, "{start}");
        }
    }

    #[test]
    fn german_and_spanish_have_their_own_words() {
        let now = "2026-11-24T08:00:00Z";
        for (start, german, spanish) in [
            ("2026-11-24T09:00:00Z", "in 1 Stunde", "en 1 hora"),
            ("2026-11-24T10:30:00Z", "in 2 Stunden und 30 Minuten", "en 2 horas y 30 minutos"),
            ("2026-11-24T20:00:00Z", "heute", "hoy"),
            ("2026-11-25T08:00:00Z", "morgen", "mañana"),
            ("2026-11-27T08:00:00Z", "in 3 Tagen", "en 3 días"),
            ("2026-11-24T08:00:00Z", "jetzt", "ahora"),
        ] {
            assert_eq!(
                (told(start, now, "UTC", "de-AT"), told(start, now, "UTC", "es")),
                (german.into(), spanish.into())
            );
            assert_eq!(told(start, now, "UTC", "fr"), told(start, now, "UTC", "en"));
        }
    }
}
