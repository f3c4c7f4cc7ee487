//! Collects what is wrong, so that one start-up shows every mistake and not only the first.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::duration;
use crate::error::Problem;

/// The findings so far, and the section that is being checked.
#[derive(Default)]
pub(crate) struct Check {
    section: String,
    problems: Vec<Problem>,
}

impl Check {
    /// From here on keys are relative to `section`.
    pub(crate) fn section(&mut self, section: &str) -> &mut Self {
        self.section = section.to_owned();
        self
    }

    /// Notes a problem with `key` of the current section unless `holds`.
    pub(crate) fn that(&mut self, holds: bool, key: &str, reason: impl Into<String>) {
        if !holds {
            self.problems.push(Problem::new(format!("{}.{key}", self.section), reason));
        }
    }

    /// A number within `range`.
    pub(crate) fn number<N: PartialOrd + Debug>(&mut self, key: &str, value: N, range: RangeInclusive<N>) {
        let reason = format!("must be from {:?} to {:?}", range.start(), range.end());
        self.that(range.contains(&value), key, reason);
    }

    /// A length of time within `range`.
    pub(crate) fn time(&mut self, key: &str, value: Duration, range: RangeInclusive<Duration>) {
        let reason = format!("must be from {} to {}", duration::show(*range.start()), duration::show(*range.end()));
        self.that(range.contains(&value), key, reason);
    }

    /// A word that is used as a name in keys, labels and environment variables.
    pub(crate) fn name(&mut self, key: &str, value: &str) {
        let fits = (1..=64).contains(&value.len())
            && value.starts_with(|c: char| c.is_ascii_lowercase())
            && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        self.that(fits, key, "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter");
    }

    /// A DNS name with at least two labels (RFC 1035 §2.3.1 letters, digits, hyphens; 253 octets).
    pub(crate) fn domain(&mut self, key: &str, value: &str) {
        self.that(is_domain(value), key, "must be a domain name, like example.com");
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// A host name of at least two labels, in ASCII (internationalised names are written in their `xn--` form).
pub(crate) fn is_domain(value: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    value.len() <= 253 && value.contains('.') && value.split('.').all(label)
}

/// A name that SPF records stand at: as a domain, and labels may begin with an underscore (`_spf.example.com`).
pub(crate) fn is_spf_name(value: &str) -> bool {
    let plain: Vec<&str> = value.split('.').map(|label| label.strip_prefix('_').unwrap_or(label)).collect();
    value.len() <= 253 && is_domain(&plain.join("."))
}

/// A bare address `local@domain`: one `@`, printable ASCII without spaces, brackets or separators in the local part.
pub(crate) fn is_address(value: &str) -> bool {
    value.split_once('@').is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain))
}

/// The dot-atom form of a local part (RFC 5321 §4.1.2, 64 octets §4.5.3.1.1).
pub(crate) fn is_local_part(value: &str) -> bool {
    (1..=64).contains(&value.len())
        && value.split('.').all(|atom| {
            !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

#[cfg(test)]
mod tests {
    use super::{is_address, is_domain};

    #[test]
    fn domains_have_labels_of_letters_digits_and_hyphens() {
        for good in ["example.com", "a.b", "xn--bcher-kva.example", "mail-1.example.co.uk"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "localhost", "example..com", "-a.com", "a-.com", "exa mple.com", "bücher.example", ".com"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn an_spf_name_may_begin_with_an_underscore() {
        assert!(super::is_spf_name("_spf.example.com") && super::is_spf_name("example.com"));
        assert!(!super::is_spf_name("_.example.com") && !super::is_spf_name("include:example.com"));
    }

    #[test]
    fn addresses_are_bare() {
        assert!(is_address("o'brien+x@example.com"));
        for bad in
            ["a@b@c.de", "a b@example.com", "<a@example.com>", "a\r\nb@example.com", ".a@example.com", "a@localhost"]
        {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
