//! Lengths of time as people write them: `"500ms"`, `"30s"`, `"5m"`, `"24h"`, `"7d"`, parts added up (`"1h30m"`), or a bare
//! number of seconds.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

/// For `#[serde(with = "crate::duration")]`-style fields.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(DurationVisitor)
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
        u64::try_from(seconds).map(Duration::from_secs).map_err(|_| E::custom("a length of time cannot be negative"))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds).map_err(|_| E::custom(format!("must be {EXPECTED}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::custom(format!("must be {EXPECTED}")))
    }
}

const EXPECTED: &str = r#"a length of time: seconds, or a text like "500ms", "30s", "5m", "24h", "7d""#;

/// Reads one length of time; `None` when it is not one or does not fit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(seconds) = rest.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let part = match &rest[..unit_end] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(60 * 60)?),
            "d" => Duration::from_secs(number.checked_mul(24 * 60 * 60)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

/// The shortest way to write `value` in one unit, for messages.
pub(crate) fn show(value: Duration) -> String {
    let millis = value.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) && (unit != "d" || millis > size) {
            return format!("{}{unit}", millis / size);
        }
    }
    if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::{parse, show};
    use std::time::Duration;

    #[test]
    fn lengths_of_time_are_read_in_every_unit_and_added_up() {
        let ms = |text| parse(text).map(|d| d.as_millis());
        assert_eq!(ms("30"), Some(30_000));
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms(" 30s "), Some(30_000));
        assert_eq!(ms("5m"), Some(300_000));
        assert_eq!(ms("24h"), Some(86_400_000));
        assert_eq!(ms("7d"), Some(604_800_000));
        assert_eq!(ms("1h30m"), Some(5_400_000));
    }

    #[test]
    fn what_is_not_a_length_of_time_is_refused() {
        for bad in ["", "s", "5 m", "-5s", "5x", "1.5h", "30sec", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn messages_use_the_largest_whole_unit() {
        for (text, shown) in
            [("90s", "90s"), ("300", "5m"), ("24h", "24h"), ("48h", "2d"), ("1500ms", "1500ms"), ("0", "0s")]
        {
            assert_eq!(show(parse(text).unwrap_or(Duration::MAX)), shown);
        }
    }
}
