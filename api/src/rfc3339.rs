//! An instant as RFC 3339 §5.6 writes one: `2026-12-01T17:00:00Z`, `2026-12-01T09:00:00.5-08:00`, and nothing wider.
//!
//! The calendar's own reader also takes a zone in brackets (RFC 9557), offsets of more than a day and years beyond 9999: what
//! was meant by `[America/Vancouver]` behind another offset nobody could say.

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::plain::TIME;

/// Reads one, for `#[serde(deserialize_with)]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("{TIME} is expected")))
}

fn parse(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            if end == 0 {
                return None;
            }
            &fraction[end..]
        }
        None => rest,
    };
    let offset = matches!(zone, "Z" | "z")
        || zone.strip_prefix(['+', '-']).is_some_and(|zone| {
            looks_like(zone, "00:00") && zone[..2].parse().is_ok_and(|hour: u8| hour < 24) && zone[3..] < *"60"
        });
    let fits = looks_like(day, "0000-00-00") && looks_like(time, "00:00:00") && offset;
    if fits { text.parse().ok() } else { None }
}

/// Digits where the form has zeros, the same everywhere else.
fn looks_like(text: &str, form: &str) -> bool {
    let fits = |(c, f): (u8, u8)| if f == b'0' { c.is_ascii_digit() } else { c == f };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_grammar_has_is_read_and_nothing_else() {
        for (text, utc) in [
            ("2026-12-01T17:00:00Z", "2026-12-01T17:00:00Z"),
            ("2026-12-01t17:00:00z", "2026-12-01T17:00:00Z"),
            ("2026-12-01 17:00:00.25Z", "2026-12-01T17:00:00.25Z"),
            ("2026-12-01T09:00:00-08:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01T17:00:00+23:59", "2026-11-30T17:01:00Z"),
            // An offset of -00:00 says that the local time is not known (§4.3).
            ("2026-12-01T17:00:00-00:00", "2026-12-01T17:00:00Z"),
        ] {
            assert_eq!(parse(text), Some(utc.parse().unwrap()), "{text}");
        }
        for text in [
            "2026-12-01T17:00:00+25:00",
            "2026-12-01T17:00:00+00:60",
            "2026-12-01T17:00:00-08:00[America/Vancouver]",
            "2026-12-01T17:00:00Z[UTC]",
            "2026-12-01T17:00:00",
            "2026-12-01T17:00Z",
            "2026-12-01T17:00:00.Z",
            "2026-12-01T17:00:00+0100",
            "2026-12-01T17:00:00+01",
            "2026-13-01T17:00:00Z",
            "2026-02-30T17:00:00Z",
            "2026-12-01T24:00:00Z",
            "20261201T170000Z",
            "+002026-12-01T17:00:00Z",
            "2026-12-01",
            "soon, or a little latér",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
