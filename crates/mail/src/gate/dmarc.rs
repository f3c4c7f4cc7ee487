//! DMARC (RFC 9989): finding the record of a domain, reading it, and who is one organisation.
//!
//! 1. The record stands at `_dmarc.<domain>`, or at one of the names above it: the tree walk (§4.10), at most eight
//!    questions. Texts that do not begin with `v=DMARC1` do not count; of two records none counts.
//! 2. Two names are of one organisation if their walks end at the same organisational domain (§4.10.2); that is what
//!    relaxed alignment asks (§4.4).

use super::tags::parts;
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
    /// What receivers pass over, because they cannot read it.
    pub ignored: Vec<String>,
}

impl Dmarc {
    /// Reads a record as receivers do: a tag that cannot be read counts as if it were not there (RFC 9989 §4.7).
    ///
    /// # Errors
    /// Why receivers act as if there were no record: permanent.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tags: Vec<(String, &str)> = Vec::new();
        let mut ignored = Vec::new();
        for (n, part) in parts(text, ';').enumerate() {
            let tag = tag(part);
            if n == 0 && tag != Some(("v".to_owned(), "DMARC1")) {
                return Err("it has to begin with v=DMARC1".to_owned());
            }
            let Some((name, value)) = tag else {
                ignored.push(format!("{part:?} is no name=value"));
                continue;
            };
            if tags.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name}= occurs twice"));
            }
            ignored.extend(fault(&name, value));
            tags.push((name, value));
        }
        let raw = |name: &str| tags.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let get = |name: &str| raw(name).filter(|value| fault(name, value).is_none()).map(str::to_ascii_lowercase);
        let reports: Vec<String> =
            raw("rua").map(|uris| parts(uris, ',').map(str::to_owned).collect()).unwrap_or_default();
        // Without a policy that can be read, the one asked for is none, if somebody is there to be told (§4.7); else there is
        // no record at all.
        let unread = ["p", "sp", "np"].iter().find_map(|name| raw(name).and_then(|value| fault(name, value)));
        let unread = unread.or_else(|| raw("p").is_none().then(|| "there is no p=".to_owned()));
        let policy = match (unread, get("p")) {
            (Some(why), _) if reports.is_empty() => return Err(why),
            (None, Some(policy)) => policy,
            _ => "none".to_owned(),
        };
        Ok(Self {
            policy,
            subdomain_policy: get("sp"),
            strict_dkim: get("adkim").as_deref() == Some("s"),
            strict_spf: get("aspf").as_deref() == Some("s"),
            reports,
            testing: get("t").as_deref() == Some("y"),
            ignored,
        })
    }
}

/// The record as its owner meant it: what can be read of it, and a policy. `policy` stands where theirs cannot be read.
#[must_use]
pub fn mended(text: &str, policy: &str) -> String {
    let mut kept: Vec<(String, &str)> = Vec::new();
    for (name, value) in parts(text, ';').filter_map(tag) {
        if name != "v" && fault(&name, value).is_none() && !kept.iter().any(|(known, _)| *known == name) {
            kept.push((name, value));
        }
    }
    if !kept.iter().any(|(name, _)| name == "p") {
        kept.insert(0, ("p".to_owned(), policy));
    }
    let tags = kept.iter().map(|(name, value)| format!("; {name}={value}"));
    format!("v=DMARC1{}", tags.collect::<String>())
}

/// Name, in lower case, and value of a part of a record.
fn tag(part: &str) -> Option<(String, &str)> {
    let (name, value) = part.split_once('=')?;
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    fits.then(|| (name.to_ascii_lowercase(), value.trim()))
}

/// Why receivers do not read a tag; nothing for those that they do, and for those that nobody knows.
fn fault(name: &str, value: &str) -> Option<String> {
    let (words, what): (&[&str], _) = match name {
        "p" | "sp" | "np" => (&["none", "quarantine", "reject"], "no policy: none, quarantine or reject"),
        "adkim" | "aspf" => (&["r", "s"], "no alignment: r or s"),
        "t" => (&["y", "n"], "neither y nor n"),
        "psd" => (&["y", "n", "u"], "none of y, n and u"),
        _ => return None,
    };
    let known = words.iter().any(|word| value.eq_ignore_ascii_case(word));
    (!known).then(|| format!("{name}={value} is {what}"))
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
    let (_, value) = parts(text, ';').filter_map(tag).find(|(name, _)| name == "psd")?;
    value.chars().next().map(|c| c.to_ascii_lowercase())
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
            ("v=DMARC1; p=reject; sp=all", "sp=all is no policy"),
            ("p=none; v=DMARC1", "begin with"),
            ("v=DMARC1; p=none; p=reject", "twice"),
        ] {
            assert!(Dmarc::parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn what_receivers_pass_over_counts_as_if_it_were_not_there() {
        for (text, policy, ignored) in [
            ("v=DMARC1; p=reject; adkim=x; aspf=relaxed", "reject", 2),
            ("v=DMARC1; p=reject; t=maybe; stray", "reject", 2),
            ("v=DMARC1; p=reject; sp=xx; rua=mailto:a@x.test", "none", 1),
            ("v=DMARC1; p=all; rua=mailto:a@x.test", "none", 1),
            ("v=DMARC1; p=reject; fo=1; x-own=y", "reject", 0),
        ] {
            let record = Dmarc::parse(text).unwrap();
            assert_eq!((record.policy.as_str(), record.ignored.len()), (policy, ignored), "{text}: {record:?}");
            assert!(!record.strict_dkim && !record.strict_spf && !record.testing, "{record:?}");
        }
    }

    #[test]
    fn a_record_is_mended_without_losing_what_its_owner_wrote() {
        for (text, then) in [
            ("v=DMARC1; p=reject; adkim=x; rua=mailto:a@x.test", "v=DMARC1; p=reject; rua=mailto:a@x.test"),
            ("v=DMARC1;p=all;rua=mailto:a@x.test;stray", "v=DMARC1; p=quarantine; rua=mailto:a@x.test"),
            ("p=reject; v=DMARC1; sp=none; sp=reject", "v=DMARC1; p=reject; sp=none"),
        ] {
            assert_eq!(mended(text, "quarantine"), then, "{text}");
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
