//! `[reminders]`: how long before a lesson both parties are reminded, and when people sleep.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::check::Check;
use crate::duration;

/// The most offsets, and the range of one: as for the offsets that a booking brings along.
const MOST: usize = 10;
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Settings of the reminders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminders {
    /// How long before the start, for bookings that do not say so themselves: at most 10, each 1m…366d. Empty: nobody is
    /// reminded.
    #[serde(deserialize_with = "offsets")]
    pub offsets: Vec<Duration>,
    /// When the recipient is left alone, in the recipient's own zone. None: never.
    #[serde(deserialize_with = "quiet_hours")]
    pub quiet_hours: Option<QuietHours>,
}

/// A part of every day, in minutes after midnight on the clock on the wall; it may reach over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// The first minute, 0…1439.
    pub from: u16,
    /// The first minute after it, 0…1439; not `from`.
    pub until: u16,
}

impl Default for Reminders {
    fn default() -> Self {
        Self { offsets: vec![Duration::from_secs(24 * 3600), Duration::from_secs(3600)], quiet_hours: None }
    }
}

impl Reminders {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.that(self.offsets.len() <= MOST, "offsets", format!("at most {MOST} are allowed"));
        for (n, offset) in self.offsets.iter().enumerate() {
            check.time("offsets", *offset, SHORTEST..=LONGEST);
            check.that(
                offset.subsec_nanos() == 0,
                "offsets",
                format!("{} is no whole second", duration::show(*offset)),
            );
            check.that(!self.offsets[..n].contains(offset), "offsets", format!("{} twice", duration::show(*offset)));
        }
    }
}

/// A list, or one text with commas as an environment variable has it.
fn offsets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    struct Offsets;

    impl<'de> Visitor<'de> for Offsets {
        type Value = Vec<Duration>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(r#"a list of lengths of time like ["24h", "1h"]"#)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Duration>, A::Error> {
            #[derive(Deserialize)]
            struct Item(#[serde(deserialize_with = "duration::deserialize")] Duration);
            let mut all = Vec::new();
            while let Some(Item(offset)) = items.next_element()? {
                all.push(offset);
            }
            Ok(all)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Duration>, E> {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts
                .map(|part| duration::parse(part).ok_or_else(|| E::custom(format!("{part:?} is no length of time"))))
                .collect()
        }
    }
    deserializer.deserialize_any(Offsets)
}

/// `"off"`, or a range of the day such as `"22:00-07:00"`.
fn quiet_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<QuietHours>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "off" {
        return Ok(None);
    }
    let wrong = || D::Error::custom(r#"must be "off", or a range of the day like "22:00-07:00""#);
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let (from, until) = (minute(from).ok_or_else(wrong)?, minute(until).ok_or_else(wrong)?);
    if from == until {
        return Err(wrong());
    }
    Ok(Some(QuietHours { from, until }))
}

/// `HH:MM` as minutes after midnight.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |part: &str| match part.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0')),
        _ => None,
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::minute;

    #[test]
    fn a_time_of_the_day_has_two_digits_each() {
        assert_eq!(minute("22:00"), Some(1320));
        assert_eq!(minute(" 07:05"), Some(425));
        for bad in ["7:00", "24:00", "12:60", "1200", "", "ab:cd", "+1:00"] {
            assert_eq!(minute(bad), None, "{bad}");
        }
    }
}
