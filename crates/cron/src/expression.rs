//! An expression: five or six fields, a nickname, or an interval.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::error::{CronError, Field};
use crate::field::complaint;
use crate::local::LocalTimes;
use crate::walk::{self, Pace};
use crate::zone::Zone;

/// The shortest and the longest interval of `@every`.
const EVERY: (u64, u64) = (1, 366 * 86_400);
/// The longest text that is looked at, in bytes.
const LONGEST: usize = 300;

/// When something fires: see the crate for the forms.
///
/// Lists and ranges (`0 2,14 * * *`, `0 9-17 * * MON-FRI`) are *times*: each is met once a day, whatever the clocks do. An
/// hour, minute or second with `*` or a step (`*/15 * * * *`, `30 * * * *`) makes *intervals*, which keep their pace: they
/// are left out where the clocks jump over them, and come twice where the clocks show them twice. `@every 15m` counts from
/// the Unix epoch and knows no clocks at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Every so many seconds since the epoch.
    Every(i64),
    Local(Box<LocalTimes>, Pace),
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`CronError`], which names the field, the value and the range.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > LONGEST {
            let text = text.chars().take(40).collect();
            return Err(CronError::Word { text, why: format!("longer than {LONGEST} bytes") });
        }
        let kind = match text.strip_prefix('@') {
            Some(word) => word_kind(&text, word)?,
            None => local_kind(&text)?,
        };
        Ok(Self { text, kind })
    }

    /// The expression, single spaces between its fields.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression in English, as well as it can be said: `At 04:00.`
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Every(seconds) => {
                let (n, unit) = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")]
                    .into_iter()
                    .find(|(size, _)| seconds % size == 0)
                    .map_or((*seconds, "second"), |(size, unit)| (seconds / size, unit));
                if n == 1 { format!("Every {unit}.") } else { format!("Every {n} {unit}s.") }
            }
            Kind::Local(local, _) => local.describe(),
        }
    }

    /// The first instant after `after`, a whole second; `None` only at the end of the calendar.
    #[must_use]
    pub fn next_after(&self, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Every(seconds) => {
                let now = after.as_millisecond().div_euclid(1_000);
                Timestamp::from_second((now.div_euclid(*seconds) + 1).checked_mul(*seconds)?).ok()
            }
            Kind::Local(local, pace) => walk::next(local, *pace, &zone.rules, after),
        }
    }

    /// All instants after `after`, in order.
    pub fn after<'a>(&'a self, zone: &'a Zone, after: Timestamp) -> impl Iterator<Item = Timestamp> + 'a {
        std::iter::successors(self.next_after(zone, after), move |last| self.next_after(zone, *last))
    }

    /// The last instant after `after` and not after `until`. Its cost depends on how far back that instant is, not on how
    /// many there are in the span.
    #[must_use]
    pub fn latest_within(&self, zone: &Zone, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut window = SignedDuration::from_mins(1);
        loop {
            let from = until.checked_sub(window).unwrap_or(Timestamp::MIN).max(after);
            let last = self.after(zone, from).take_while(|at| *at <= until).last();
            if last.is_some() || from == after {
                return last;
            }
            window = window.saturating_mul(4);
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        Self::parse(text)
    }
}

fn word_kind(text: &str, word: &str) -> Result<Kind, CronError> {
    let fields = match word {
        "hourly" => "0 * * * *",
        "daily" | "midnight" => "0 0 * * *",
        "weekly" => "0 0 * * 0",
        "monthly" => "0 0 1 * *",
        "yearly" | "annually" => "0 0 1 1 *",
        _ => {
            let wrong = |why: String| CronError::Word { text: text.to_owned(), why };
            let Some(every) = word.strip_prefix("every ") else {
                let known = "@hourly, @daily, @weekly, @monthly, @yearly or @every 15m";
                return Err(wrong(format!("not a word that is known here: {known} is expected")));
            };
            let (shortest, longest) = EVERY;
            return match seconds(every) {
                Some(n) if (shortest..=longest).contains(&n) => Ok(Kind::Every(n as i64)),
                Some(_) => Err(wrong("the interval is out of 1s–366d".to_owned())),
                None => Err(wrong(format!("`{every}` is no interval: 30s, 15m, 6h, 2d are"))),
            };
        }
    };
    local_kind(fields)
}

/// `90s`, `15m`, `6h`, `2d`, parts added up (`1h30m`), in whole seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = match rest[digits..].chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(Duration::from_secs(number.checked_mul(unit)?))?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total.as_secs())
}

fn local_kind(text: &str) -> Result<Kind, CronError> {
    use Field::{DayOfMonth, DayOfWeek, Hour, Minute, Month, Second};
    let parts: Vec<&str> = text.split(' ').filter(|part| !part.is_empty()).collect();
    let fields: &[Field] = match parts.len() {
        5 => &[Minute, Hour, DayOfMonth, Month, DayOfWeek],
        6 => &[Second, Minute, Hour, DayOfMonth, Month, DayOfWeek],
        found => return Err(CronError::Fields { text: text.to_owned(), found }),
    };
    for (field, part) in fields.iter().zip(&parts) {
        if let Some(why) = complaint(*field, part) {
            return Err(CronError::Field { text: text.to_owned(), field: *field, why });
        }
    }
    let local = LocalTimes::parse(text)
        .map_err(|e| CronError::Word { text: text.to_owned(), why: format!("does not read: {e}") })?;
    let paced = fields
        .iter()
        .zip(&parts)
        .any(|(field, part)| matches!(field, Second | Minute | Hour) && part.contains(['*', '/']));
    let pace = if paced { Pace::Intervals } else { Pace::Times };
    let kind = Kind::Local(Box::new(local), pace);
    let cron = Cron { text: text.to_owned(), kind };
    match cron.next_after(&Zone::utc(), Timestamp::UNIX_EPOCH) {
        Some(_) => Ok(cron.kind),
        None => Err(CronError::Never { text: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Cron::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field_and_range() {
        for (text, said) in [
            ("0 25 * * *", "`0 25 * * *`: hour 25 is out of 0–23"),
            ("60 * * * *", "`60 * * * *`: minute 60 is out of 0–59"),
            ("0 0 0 * *", "`0 0 0 * *`: day of month 0 is out of 1–31"),
            ("0 0 * 13 *", "`0 0 * 13 *`: month 13 is out of 1–12"),
            ("0 0 * * 8", "`0 0 * * 8`: day of week 8 is out of 0–7"),
            ("70 0 0 * * *", "`70 0 0 * * *`: second 70 is out of 0–59"),
            ("0 9-8 * * *", "`0 9-8 * * *`: hour range 9-8 runs backwards: write it as two"),
            ("*/0 * * * *", "`*/0 * * * *`: minute step 0 is out of 1–59"),
            ("*/x * * * *", "`*/x * * * *`: minute step `x` is not a number"),
            ("5/10 * * * *", "`5/10 * * * *`: minute `5/10`: a step needs a range, such as `5-59/10`"),
            ("0 0 * FOO *", "month `FOO` does not read: 1–12 or JAN–DEC, lists, ranges and steps are expected"),
            ("0 0 * * 1#6", "day of week `1#6`: #6 is out of 1–5"),
            ("0,,5 0 * * *", "minute has an empty part"),
            ("*,5 0 * * *", "minute `*,5`: `*` says everything, nothing beside it counts: leave the rest out"),
            ("0 0 1,? * *", "day of month `1,?`: `*` says everything"),
            ("0 0 1-5L * *", "day of month `1-5L`: a range is of plain days: L, W and # stand alone"),
            ("0 0 1-15W * *", "day of month `1-15W`: a range is of plain days"),
            ("0 0 * * 1-5L", "day of week `1-5L`: a range is of plain days"),
            ("0 0 * * MON#1-FRI", "day of week `MON#1-FRI`: a range is of plain days"),
            ("0 0 L/2 * *", "day of month `L/2`: a step needs a range, such as `1-31/2`"),
            ("0 0 ?/2 * *", "day of month `?/2`: a step needs a range, such as `1-31/2`"),
            ("0 0 * * MON/2", "day of week `MON/2`: a step needs a range, such as `0-7/2`"),
            ("0 0 30 2 *", "`0 0 30 2 *`: never fires, there is no such day"),
            ("* * * *", "`* * * *`: 4 fields; five (minute hour day month weekday) or six (second first) are expected"),
            ("", "0 fields"),
            ("@fortnightly", "not a word that is known here"),
            ("@every 0s", "the interval is out of 1s–366d"),
            ("@every 367d", "the interval is out of 1s–366d"),
            ("@every soon", "`soon` is no interval: 30s, 15m, 6h, 2d are"),
            ("0 0 * * * * *", "7 fields"),
        ] {
            assert!(refused(text).contains(said), "{text}: {}", refused(text));
        }
        assert!(refused(&"1,".repeat(500)).contains("longer than 300 bytes"));
    }

    #[test]
    fn the_forms_that_people_write_are_read() {
        for text in [
            "* * * * *",
            "*/15 9-17 * * MON-FRI",
            "0 0 L * *",
            "0 0 15W * *",
            "0 0 LW * *",
            "0 0 * * 5L",
            "0 0 * * MON#2",
            "0 0 ? * MON",
            "30 0 12 1,15 JAN-JUN/2 *",
            "0 0 29 2 *",
            "@daily",
            "@every 1h30m",
            "  0   4  * * *  ",
        ] {
            let cron = Cron::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(cron.next_after(&Zone::utc(), Timestamp::UNIX_EPOCH).is_some(), "{text}");
        }
        assert_eq!(Cron::parse("  0   4  * * *  ").unwrap().as_str(), "0 4 * * *");
    }

    #[test]
    fn the_last_one_of_a_span_is_found_whatever_the_span() {
        let zone = Zone::utc();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let until = at("2026-11-24T10:00:30Z");
        for (text, expected) in [
            ("* * * * * *", Some("2026-11-24T10:00:30Z")),
            ("* * * * *", Some("2026-11-24T10:00:00Z")),
            ("0 4 * * *", Some("2026-11-24T04:00:00Z")),
            ("0 0 29 2 *", Some("2024-02-29T00:00:00Z")),
            ("0 0 1 1 *", Some("2026-01-01T00:00:00Z")),
        ] {
            let cron = Cron::parse(text).unwrap();
            assert_eq!(cron.latest_within(&zone, at("2020-01-01T00:00:00Z"), until), expected.map(at), "{text}");
        }
        let yearly = Cron::parse("@yearly").unwrap();
        assert_eq!(yearly.latest_within(&zone, at("2026-01-01T00:00:00Z"), until), None);
    }

    #[test]
    fn it_is_told_in_english() {
        assert_eq!(Cron::parse("@every 90m").unwrap().describe(), "Every 90 minutes.");
        assert_eq!(Cron::parse("@every 1d").unwrap().describe(), "Every day.");
        assert!(Cron::parse("0 4 * * *").unwrap().describe().contains("04:00"));
    }
}
