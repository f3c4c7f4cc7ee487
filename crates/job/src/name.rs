//! The names that a job carries. Each is parsed once, at the edge, and never checked again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// A name was refused. The message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {found:?} is not allowed: {rule}")]
pub struct InvalidName {
    what: &'static str,
    found: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Parses a ", $what, ". Errors: [`InvalidName`]; allowed: ", $rule, ".")]
            pub fn new(s: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(s) {
                    Ok(Self(Arc::from(s)))
                } else {
                    Err(InvalidName { what: $what, found: s.chars().take(140).collect(), rule: $rule })
                }
            }

            #[doc = concat!("The ", $what, " as text.")]
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(s: &str) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn visible(s: &str, max: usize) -> bool {
    !s.is_empty() && s.len() <= max && !s.chars().any(char::is_control)
}

fn word(s: &str, max: usize, extra: &[u8]) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.contains(&b);
    !s.is_empty() && s.len() <= max && s.as_bytes()[0].is_ascii_lowercase() && s.bytes().all(allowed)
}

name!(
    /// What is to be done, such as `booking.confirmed`: the key of the registry of job kinds.
    Kind, "kind", "1 to 64 of a-z 0-9 . _ -, a letter first", |s| word(s, 64, b"._-")
);
name!(
    /// Where a job waits, such as `emails`.
    QueueName, "queue", "1 to 48 of a-z 0-9 _ -, a letter first", |s| word(s, 48, b"_-")
);
name!(
    /// A key that at most one job of a queue holds at a time: from its enqueue to its end, then for `unique_for`. The
    /// platform makes its own (`booking:bk_1:v1`); those of callers begin with a mark, see [`CallerKey`].
    UniqueKey, "unique key", "1 to 201 bytes of visible text", |s| visible(s, 201)
);
name!(
    /// A unique key as a caller writes it. As a [`UniqueKey`] it stands in a space of its own: whatever a caller writes, it
    /// is never a key that the platform makes for the jobs of its own rows.
    CallerKey, "unique key", "1 to 200 bytes of visible text", |s| visible(s, 200)
);

/// What callers' keys begin with in the queue; no key of the platform does.
const CALLERS: char = '~';

impl From<CallerKey> for UniqueKey {
    fn from(key: CallerKey) -> Self {
        Self(Arc::from(format!("{CALLERS}{key}")))
    }
}

impl UniqueKey {
    /// The key as it was given: without the mark of callers' keys.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.0.strip_prefix(CALLERS).unwrap_or(&self.0)
    }
}

impl QueueName {
    /// The queue's tag: 16 bits that every [`crate::JobId`] of the queue ends with. FNV-1a (32 bit), folded.
    #[must_use]
    pub fn tag(&self) -> u16 {
        let hash = self.0.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        ((hash >> 16) ^ (hash & 0xffff)) as u16
    }
}

/// How soon a job is wanted among the due jobs of its queue: 0 is the most urgent, 9 the least; 5 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    /// The priority `n`. Errors: [`InvalidName`] over 9.
    pub fn new(n: u8) -> Result<Self, InvalidName> {
        if n <= 9 {
            Ok(Self(n))
        } else {
            Err(InvalidName { what: "priority", found: n.to_string(), rule: "0 (most urgent) to 9" })
        }
    }

    /// The number, 0 to 9.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(u8::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_with_the_rule() {
        assert!(QueueName::new("emails").is_ok());
        for bad in ["", "Emails", "e mails", "1mails", "e{}", &"x".repeat(49)] {
            let said = QueueName::new(bad).unwrap_err().to_string();
            assert!(said.contains("a letter first"), "{said}");
        }
        assert!(Kind::new("booking.confirmed").is_ok());
        assert!(UniqueKey::new("booking:bk_1:v1").is_ok());
        assert!(UniqueKey::new("a\r\nb").is_err());
        assert!(Priority::new(10).is_err());
    }

    #[test]
    fn a_callers_key_is_none_of_the_platforms_and_is_shown_as_it_was_written() {
        for text in ["booking:bk_1:v1", "tick:heartbeat:1700000000000", "~", &"x".repeat(200)] {
            let key = UniqueKey::from(CallerKey::new(text).unwrap());
            assert_ne!(key.as_str(), text);
            assert_eq!(key.shown(), text);
            // As it is read again from an envelope.
            assert_eq!(UniqueKey::new(key.as_str()).unwrap(), key);
        }
        assert_eq!(UniqueKey::new("booking:bk_1:v1").unwrap().shown(), "booking:bk_1:v1");
        assert!(CallerKey::new(&"x".repeat(201)).unwrap_err().to_string().contains("1 to 200 bytes"));
    }
}
