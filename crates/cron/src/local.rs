//! The calendar and the clock on the wall, without any zone: which local times match, and the next of them.

use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;
use croner::{Cron as Parsed, errors::CronError as ParserError};
use jiff::civil::{Date, DateTime, Time};

/// The local times that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalTimes {
    days: Parsed,
    /// A bit an hour, a minute, a second.
    hours: u64,
    minutes: u64,
    seconds: u64,
}

impl LocalTimes {
    /// Reads five or six fields.
    pub(crate) fn parse(text: &str) -> Result<Self, ParserError> {
        let days = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(text)?;
        let bits = |values: Vec<u16>| values.into_iter().fold(0_u64, |bits, value| bits | 1 << value);
        let pattern = &days.pattern;
        let (hours, minutes, seconds) =
            (bits(pattern.hours.values()), bits(pattern.minutes.values()), bits(pattern.seconds.values()));
        Ok(Self { days, hours, minutes, seconds })
    }

    /// The expression in English.
    pub(crate) fn describe(&self) -> String {
        self.days.describe()
    }

    /// The first matching local time from `from` (a whole second) on and before `before`. Looks at each day once, months that do not match
    /// are skipped.
    pub(crate) fn next(&self, from: DateTime, before: DateTime) -> Option<DateTime> {
        let (mut date, mut time) = (from.date(), from.time());
        while date <= before.date() {
            if !self.days.pattern.month_match(date.month() as u32).ok()? {
                date = date.last_of_month().tomorrow().ok()?;
                time = Time::midnight();
                continue;
            }
            if self.is_day(date)
                && let Some(found) = self.next_on_day(time)
            {
                let found = date.to_datetime(found);
                return (found < before).then_some(found);
            }
            date = date.tomorrow().ok()?;
            time = Time::midnight();
        }
        None
    }

    fn is_day(&self, date: Date) -> bool {
        let weekday = match date.weekday() {
            jiff::civil::Weekday::Sunday => Weekday::Sunday,
            jiff::civil::Weekday::Monday => Weekday::Monday,
            jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
            jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
            jiff::civil::Weekday::Thursday => Weekday::Thursday,
            jiff::civil::Weekday::Friday => Weekday::Friday,
            jiff::civil::Weekday::Saturday => Weekday::Saturday,
        };
        let (year, month, day) = (i32::from(date.year()), date.month() as u32, date.day() as u32);
        self.days.pattern.day_match(year, month, day, weekday).unwrap_or(false)
    }

    /// The first matching time of a day, from `from` on.
    fn next_on_day(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let at = |h: i8, m: i8, s: i8| Time::new(h, m, s, 0).ok();
        let (first_minute, first_second) = (next_bit(self.minutes, 0)?, next_bit(self.seconds, 0)?);
        let h = next_bit(self.hours, hour)?;
        if h > hour {
            return at(h, first_minute, first_second);
        }
        if let Some(m) = next_bit(self.minutes, minute) {
            if m > minute {
                return at(h, m, first_second);
            }
            if let Some(s) = next_bit(self.seconds, second) {
                return at(h, m, s);
            }
            if let Some(m) = next_bit(self.minutes, minute + 1) {
                return at(h, m, first_second);
            }
        }
        at(next_bit(self.hours, hour + 1)?, first_minute, first_second)
    }
}

/// The lowest bit from `from` on.
fn next_bit(bits: u64, from: i8) -> Option<i8> {
    let rest = bits.checked_shr(from as u32).unwrap_or(0);
    (rest != 0).then(|| from + rest.trailing_zeros() as i8)
}
