//! Durations as people and the API write them: a number of seconds, or `"30s"`, `"5m"`, `"24h"`, `"7d"`, `"250ms"`, parts
//! added up (`"1h30m"`).

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: a number of seconds, or a text such as \"30s\", \"5m\", \"24h\" is expected")]
pub struct InvalidDuration;

/// Parses `"30s"`, `"5m"`, `"24h"`, `"7d"`, `"250ms"`, their sums as `"1h30m"`, or a bare number of seconds.
pub fn parse(s: &str) -> Result<Duration, InvalidDuration> {
    let s = s.trim();
    if let Ok(seconds) = s.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut rest, mut total) = (s, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(InvalidDuration)?;
        let number: u64 = rest[..digits].parse().map_err(|_| InvalidDuration)?;
        rest = rest[digits..].trim_start();
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let ms_a_unit = match &rest[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(InvalidDuration),
        };
        let part = number.checked_mul(ms_a_unit).map(Duration::from_millis).ok_or(InvalidDuration)?;
        total = total.checked_add(part).ok_or(InvalidDuration)?;
        rest = &rest[unit..];
    }
    if s.is_empty() { Err(InvalidDuration) } else { Ok(total) }
}

/// The shortest text that [`parse`] reads as the same duration, to the millisecond.
#[must_use]
pub fn format(d: Duration) -> String {
    let ms = d.as_millis();
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if ms > 0 && ms.is_multiple_of(unit) {
            return format!("{}{name}", ms / unit);
        }
    }
    format!("{ms}ms")
}

/// For `#[serde(with = "job::duration")]`: writes as [`format()`].
pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&format(*d))
}

/// For `#[serde(with = "job::duration")]`: reads a number of seconds (fractions allowed) or a text as [`parse`] does.
pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(f64),
        Text(String),
    }
    match Written::deserialize(d).map_err(|_| serde::de::Error::custom(InvalidDuration))? {
        Written::Seconds(s) => Duration::try_from_secs_f64(s).map_err(|_| serde::de::Error::custom(InvalidDuration)),
        Written::Text(text) => parse(&text).map_err(serde::de::Error::custom),
    }
}

/// The same for `Option<Duration>`: `#[serde(default, deserialize_with = "job::duration::optional")]`.
pub fn optional<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(with = "crate::duration")] Duration);
    Ok(Option::<Wrapped>::deserialize(d)?.map(|w| w.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5_400)));
        for bad in ["", "s", "-1s", "1.5h", "5 parsecs", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse(bad), Err(InvalidDuration), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for ms in [0, 1, 999, 1_000, 60_000, 61_000, 3_600_000, 86_400_000] {
            let d = Duration::from_millis(ms);
            assert_eq!(parse(&format(d)), Ok(d));
        }
    }
}
