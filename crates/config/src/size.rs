//! Sizes as people write them: a number of bytes, `"64KiB"`, `"8MiB"`, `"1GiB"`.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// For `#[serde(deserialize_with = "size::deserialize")]` fields.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    deserializer.deserialize_any(SizeVisitor)
}

struct SizeVisitor;

const EXPECTED: &str = r#"a size: bytes, or a text like "64KiB", "8MiB", "1GiB""#;

impl Visitor<'_> for SizeVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<usize, E> {
        usize::try_from(bytes).map_err(|_| E::custom(format!("must be {EXPECTED}")))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<usize, E> {
        usize::try_from(bytes).map_err(|_| E::custom(format!("must be {EXPECTED}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        parse(text).ok_or_else(|| E::custom(format!("must be {EXPECTED}")))
    }
}

fn parse(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: usize = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_bytes_or_binary_units() {
        assert_eq!(parse("512"), Some(512));
        assert_eq!(parse("64KiB"), Some(65_536));
        assert_eq!(parse("8 MiB"), Some(8 << 20));
        for bad in ["", "MiB", "8MB", "-1", "1.5MiB"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
