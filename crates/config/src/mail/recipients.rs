//! To whom mail may leave: a list of patterns, in the environment separated by commas.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::check::{self, Check};

/// For the `allow_recipients` field.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    deserializer.deserialize_any(Patterns).map(Some)
}

struct Patterns;

impl<'de> Visitor<'de> for Patterns {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a list such as ["*@example.com"], or a text with commas between"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(all)
    }
}

/// `*`, an address, `*@domain` or `*@*.domain`.
fn is_pattern(text: &str) -> bool {
    match text.strip_prefix("*@") {
        Some(domain) => check::is_domain(domain.strip_prefix("*.").unwrap_or(domain)),
        // A star is a letter of some addresses (RFC 5322 §3.2.3), and never what is meant here.
        None => text == "*" || (!text.contains('*') && (check::is_address(text) || is_international(text))),
    }
}

/// An address beyond ASCII, as far as it can be told here; the mail crate reads it.
fn is_international(text: &str) -> bool {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_ascii() && local.chars().all(|c| plain(c) && !c.is_whitespace()) && check::is_domain(domain)
    })
}

pub(super) fn validate(allow: Option<&[String]>, redirect_to: Option<&str>, check: &mut Check) {
    for pattern in allow.into_iter().flatten() {
        let reason = format!("holds {pattern:?}, which is none of *, an address, *@domain and *@*.domain");
        check.that(is_pattern(pattern), "allow_recipients", reason);
    }
    if let Some(address) = redirect_to {
        check.that(check::is_address(address), "redirect_to", "must be a bare address");
    }
}

#[cfg(test)]
mod tests {
    use super::is_pattern;

    #[test]
    fn patterns_are_addresses_and_domains() {
        for good in ["*", "ana@example.com", "*@example.com", "*@*.example.com", "jürgen@example.com"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "example.com", "*@", "a*@example.com", "*@*", "*.example.com", "jü rgen@example.com"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
