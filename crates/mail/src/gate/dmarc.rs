//! DMARC (RFC 9989): finding the record of a domain, reading it, and who is one organisation.
//!
//! 1. The record stands at `_dmarc.<domain>`, or at one of the names above it: the tree walk (§4.10), at most eight
//!    questions. Texts that do not begin with `v=DMARC1` do not count; of two records none counts.
//! 2. Two names are of one organisation if their walks end at the same organisational domain (§4.10.2); that is what
//!    relaxed alignment asks (§4.4).

use super::tags::{Tags, parts};
use crate::dns::{DnsError, Lookups};

/// Names that one walk may ask for (§4.10).
const MOST_QUESTIONS: usize = 8;

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dmarc {
    /// `p=`: what receivers are asked to do; `none` where it is missing.
    pub policy: String,
    /// `sp=`, for names below.
    pub subdomain_policy: Option<String>,
    /// `adkim=s`.
    pub strict_dkim: bool,
    /// `aspf=s`.
    pub strict_spf: bool,
    /// `rua=`: where reports go, as URIs.
    pub reports: Vec<String>,
    /// `t=y`: receivers are asked not to act yet.
    pub testing: bool,
}

impl Dmarc {
    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it: permanent.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tags = Tags::parse(text)?;
        if tags.first() != Some(("v", "DMARC1")) {
            return Err("it has to begin with v=DMARC1".to_owned());
        }
        let policy = |name: &str| match tags.get(name).map(str::to_ascii_lowercase) {
            None => Ok(None),
            Some(word) if ["none", "quarantine", "reject"].contains(&word.as_str()) => Ok(Some(word)),
            Some(word) => Err(format!("{name}={word} is no policy: none, quarantine or reject")),
        };
        let strict = |name: &str| match tags.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("r") => Ok(false),
            Some("s") => Ok(true),
            Some(other) => Err(format!("{name}={other} is no alignment: r or s")),
        };
        let (own, below) = (policy("p")?, policy("sp")?);
        policy("np")?;
        let reports: Vec<String> =
            tags.get("rua").map(|uris| parts(uris, ',').map(str::to_owned).collect()).unwrap_or_default();
        if own.is_none() && reports.is_empty() {
            return Err("there is no p=".to_owned());
        }
        Ok(Self {
            policy: own.unwrap_or_else(|| "none".to_owned()),
            subdomain_policy: below,
            strict_dkim: strict("adkim")?,
            strict_spf: strict("aspf")?,
            reports,
            testing: tags.get("t").is_some_and(|t| t.eq_ignore_ascii_case("y")),
        })
    }
}

/// The texts that a walk found at one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtName {
    /// The domain, without `_dmarc.`.
    pub domain: String,
    /// Its texts that begin with `v=DMARC1`.
    pub records: Vec<String>,
}

/// A walk from a domain towards the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeWalk {
    /// Where it began.
    pub from: String,
    /// Every name that has records, the nearest first.
    pub found: Vec<AtName>,
}

impl TreeWalk {
    /// Walks.
    ///
    /// # Errors
    /// A question that was not answered.
    pub async fn from(domain: &str, lookups: &Lookups) -> Result<Self, DnsError> {
        let mut found = Vec::new();
        for name in names_above(domain) {
            let texts = match lookups.txt(&format!("_dmarc.{name}")).await {
                Ok(texts) => texts.records,
                Err(DnsError::Name(_)) => Vec::new(),
                // Above a record that was found nothing else is of weight: some name servers fail at `_dmarc.com`.
                Err(_) if !found.is_empty() => break,
                Err(error) => return Err(error),
            };
            let records: Vec<String> = texts.into_iter().filter(|text| is_dmarc(text)).collect();
            let ends = matches!(records.as_slice(), [one] if psd(one) == Some('n'));
            if !records.is_empty() {
                found.push(AtName { domain: name, records });
            }
            if ends {
                break;
            }
        }
        Ok(Self { from: domain.to_owned(), found })
    }

    /// Where the policy of the domain stands: at itself, or at its organisational domain (§4.10.1).
    #[must_use]
    pub fn policy(&self) -> Option<&AtName> {
        let at = |domain: &str| self.found.iter().find(|at| at.domain == domain);
        at(&self.from).or_else(|| at(&self.organisation()))
    }

    /// The organisational domain (§4.10.2): where `psd=n` says so; one below a public suffix; the shortest name that has
    /// a record; the domain itself where there is none.
    #[must_use]
    pub fn organisation(&self) -> String {
        let mut single = self.found.iter().filter(|at| at.records.len() == 1);
        for at in single.clone() {
            match psd(&at.records[0]) {
                Some('n') => return at.domain.clone(),
                Some('y') if at.domain != self.from => return below(&self.from, &at.domain),
                _ => {}
            }
        }
        single.next_back().map_or_else(|| self.from.clone(), |at| at.domain.clone())
    }
}

/// Whether two names are aligned (§4.4): equal, or, unless strictly asked, of one organisation.
#[must_use]
pub fn aligned(a: &TreeWalk, b: &TreeWalk, strict: bool) -> bool {
    a.from.eq_ignore_ascii_case(&b.from) || (!strict && a.organisation() == b.organisation())
}

fn is_dmarc(text: &str) -> bool {
    let head = text.split(';').next().unwrap_or_default();
    let version: String = head.split_whitespace().collect();
    version.get(..2).is_some_and(|v| v.eq_ignore_ascii_case("v=")) && version.get(2..) == Some("DMARC1")
}

fn psd(text: &str) -> Option<char> {
    let tags = Tags::parse(text).ok()?;
    tags.get("psd").and_then(|value| value.chars().next()).map(|c| c.to_ascii_lowercase())
}

/// `domain` and the names above it, at most eight: of a long name the middle is left out (§4.10, step 4).
fn names_above(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let mut names = vec![domain.to_owned()];
    let first = labels.len().saturating_sub(MOST_QUESTIONS - 1).max(1);
    names.extend((first..labels.len()).map(|from| labels[from..].join(".")));
    names
}

/// The name one label longer than `above`, on the way to `domain`.
fn below(domain: &str, above: &str) -> String {
    let labels: Vec<&str> = domain.split('.').collect();
    let keep = above.split('.').count() + 1;
    labels[labels.len().saturating_sub(keep)..].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(from: &str, found: &[(&str, &str)]) -> TreeWalk {
        let at = |(domain, record): &(&str, &str)| AtName {
            domain: (*domain).to_owned(),
            records: vec![(*record).to_owned()],
        };
        TreeWalk { from: from.to_owned(), found: found.iter().map(at).collect() }
    }

    #[test]
    fn the_tags_that_matter_are_read() {
        let record = Dmarc::parse("v=DMARC1; p=Reject; adkim=s; rua=mailto:a@x.test, mailto:b@y.test; t=y").unwrap();
        assert_eq!((record.policy.as_str(), record.strict_dkim, record.strict_spf), ("reject", true, false));
        assert_eq!((record.reports.len(), record.testing), (2, true));
        assert_eq!(Dmarc::parse("v=DMARC1; rua=mailto:a@x.test").unwrap().policy, "none");
        for (text, why) in [
            ("v=DMARC1", "no p="),
            ("v=DMARC1; p=all", "no policy"),
            ("v=DMARC1; p=none; aspf=x", "no alignment"),
            ("p=none; v=DMARC1", "begin with"),
            ("v=DMARC1; p=none; p=reject", "twice"),
        ] {
            assert!(Dmarc::parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn a_walk_asks_at_most_eight_names() {
        assert_eq!(names_above("a.example.test"), ["a.example.test", "example.test", "test"]);
        let long = names_above("a.b.c.d.e.f.g.h.i.j.mail.example.com");
        assert_eq!(long.len(), MOST_QUESTIONS);
        assert_eq!(long[1], "g.h.i.j.mail.example.com");
        assert_eq!(long[7], "com");
    }

    #[test]
    fn the_organisation_is_where_the_records_say() {
        let plain = "v=DMARC1; p=none";
        assert_eq!(walk("a.example.com", &[]).organisation(), "a.example.com");
        assert_eq!(
            walk("a.example.com", &[("a.example.com", plain), ("example.com", plain)]).organisation(),
            "example.com"
        );
        let ended = walk("a.b.example.com", &[("b.example.com", "v=DMARC1; p=none; psd=n"), ("example.com", plain)]);
        assert_eq!(ended.organisation(), "b.example.com");
        let suffix = walk("a.b.gov.test", &[("gov.test", "v=DMARC1; p=none; psd=y")]);
        assert_eq!(suffix.organisation(), "b.gov.test");
    }

    #[test]
    fn alignment_is_equality_or_one_organisation() {
        let record = ("example.com", "v=DMARC1; p=none");
        let (from, bounce) = (walk("example.com", &[record]), walk("bounce.example.com", &[record]));
        assert!(aligned(&from, &bounce, false) && !aligned(&from, &bounce, true) && aligned(&from, &from, true));
        assert!(!aligned(&from, &walk("relay.test", &[]), false));
    }
}
