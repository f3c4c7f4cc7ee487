//! What a heartbeat may be, and which ones the configuration defines.

use std::collections::BTreeMap;
use std::time::Duration;

use alerting::Severity;
use job::FieldError;

/// How often one has to beat: from seconds, for the watch looks every few, to a year.
const PERIOD: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(366 * 86_400);
/// The longest grace.
const LONGEST_GRACE: Duration = Duration::from_secs(366 * 86_400);
/// The least grace, where nobody says otherwise.
const LEAST_GRACE: Duration = Duration::from_secs(30);
/// Octets of a name.
const LONGEST_NAME: usize = 64;

/// The heartbeats of the configuration, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeartbeatRules {
    /// What each has to keep to.
    pub configured: BTreeMap<String, Definition>,
}

/// What a heartbeat has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// How often it has to beat.
    pub period: Duration,
    /// How much later it may be.
    pub grace: Duration,
    /// How much it matters when it is late.
    pub severity: Severity,
}

/// A heartbeat that cannot be: its fields and why.
pub type WrongDefinition = Vec<FieldError>;

impl Definition {
    /// A definition that was checked. Without a grace a tenth of the period, at least 30 s; without a severity critical.
    ///
    /// # Errors
    /// Every field that is out of range.
    pub fn new(period: Duration, grace: Option<Duration>, severity: Option<Severity>) -> Result<Self, WrongDefinition> {
        let grace = grace.unwrap_or_else(|| (period / 10).max(LEAST_GRACE));
        let mut wrong = Vec::new();
        if !PERIOD.contains(&period) {
            wrong.push(FieldError::new("period", "from 10s to 366d is expected"));
        }
        if grace > LONGEST_GRACE {
            wrong.push(FieldError::new("grace", "at most 366d is expected"));
        }
        let severity = severity.unwrap_or(Severity::Critical);
        if wrong.is_empty() { Ok(Self { period, grace, severity }) } else { Err(wrong) }
    }
}

/// Whether a name can be one: 1 to 64 of a-z, 0-9, `.`, `_` and `-`, and it begins with a letter or a digit.
///
/// # Errors
/// The field `name`.
pub fn check_name(name: &str) -> Result<(), FieldError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    let expected = "1 to 64 of a-z, 0-9, ., _ and - are expected, the first a letter or a digit";
    fits.then_some(()).ok_or_else(|| FieldError::new("name", expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_follows_from_the_period() {
        let hourly = Definition::new(Duration::from_secs(3600), None, None).unwrap();
        assert_eq!((hourly.grace, hourly.severity), (Duration::from_secs(360), Severity::Critical));
        assert_eq!(Definition::new(Duration::from_secs(60), None, None).unwrap().grace, LEAST_GRACE);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let fields = |period, grace| {
            let wrong = Definition::new(Duration::from_secs(period), Some(Duration::from_secs(grace)), None);
            wrong.unwrap_err().into_iter().map(|e| e.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(9, 0), ["period"]);
        assert_eq!(fields(u64::MAX, u64::MAX), ["period", "grace"]);
    }

    #[test]
    fn names_are_words_for_urls_and_labels() {
        assert!(check_name("nightly-backup.eu_1").is_ok());
        for bad in ["", "-a", "A", "a b", "a/b", "a\n", "ä", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
