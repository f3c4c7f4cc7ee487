//! What a check found: one finding a rule and place, and what follows from all of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters. Ordered: the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing to do.
    Info,
    /// Mail authenticates, but not as well as it could.
    Warn,
    /// The DNS did not answer: nobody knows. A temporary state.
    Unclear,
    /// Mail would not authenticate: none is sent.
    Block,
}

impl Severity {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Unclear => "unclear",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One rule of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name, such as `spf.lookups`.
    pub id: &'static str,
    /// How much it matters when it is broken.
    pub broken: Severity,
    /// Where it is written.
    pub source: &'static str,
}

impl Rule {
    /// The rule is kept at `place`.
    pub(super) fn kept(&self, place: &str, found: impl Into<String>) -> Finding {
        self.says(Severity::Ok, place, found)
    }

    /// The rule is broken at `place`.
    pub(super) fn broken(&self, place: &str, found: impl Into<String>) -> Finding {
        self.says(self.broken, place, found)
    }

    /// The DNS did not say. What does not matter when it is broken does not matter either when it is not known.
    pub(super) fn unclear(&self, place: &str, why: &impl fmt::Display) -> Finding {
        let severity = if self.broken == Severity::Block { Severity::Unclear } else { Severity::Info };
        self.says(severity, place, format!("not known: {why}"))
    }

    /// A finding of another weight than the rule's.
    pub(super) fn says(&self, severity: Severity, place: &str, found: impl Into<String>) -> Finding {
        Finding {
            rule: self.id.to_owned(),
            severity,
            place: place.to_owned(),
            found: found.into(),
            source: self.source.to_owned(),
            publish: None,
            relay: None,
        }
    }
}

/// What one rule found at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// The name or address that was looked at.
    pub place: String,
    /// What was found, in a sentence.
    pub found: String,
    /// Where the rule is written: `RFC 7208 §4.6.4`.
    pub source: String,
    /// The record that would mend it.
    pub publish: Option<Publish>,
    /// The relay that it is about; none: about all mail of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
}

impl Finding {
    /// The same about one relay only.
    #[must_use]
    pub(super) fn by(mut self, relay: Option<String>) -> Self {
        self.relay = relay;
        self
    }

    /// The same with the record that mends it.
    #[must_use]
    pub(super) fn publish(mut self, record: Publish) -> Self {
        self.publish = Some(record);
        self
    }
}

/// A record to publish, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Where, without the final dot.
    pub name: String,
    /// `TXT`, `MX`, `PTR` or `A`.
    pub kind: String,
    /// Its data, as one text.
    pub value: String,
}

impl Publish {
    /// A text record.
    pub(super) fn txt(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), kind: "TXT".to_owned(), value: value.into() }
    }

    /// A record of another type.
    pub(super) fn of(kind: &str, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), kind: kind.to_owned(), value: value.into() }
    }

    /// One line of a master file (RFC 1035 §5.1): a text in strings of at most 255 octets (RFC 1035 §3.3.14).
    #[must_use]
    pub fn zone_line(&self) -> String {
        let data = if self.kind == "TXT" { txt_strings(&self.value) } else { self.value.clone() };
        format!("{}. 3600 IN {} {data}", self.name, self.kind)
    }
}

/// A text as the quoted strings of a TXT record.
#[must_use]
pub fn txt_strings(text: &str) -> String {
    const LONGEST: usize = 255;
    let (mut strings, mut string) = (Vec::new(), String::new());
    for c in text.chars() {
        if string.len() + c.len_utf8() > LONGEST {
            strings.push(std::mem::take(&mut string));
        }
        string.push(c);
    }
    strings.push(string);
    let quoted = strings.iter().map(|s| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Mail of the domain authenticates.
    Pass,
    /// The DNS did not say enough: a temporary failure.
    Unclear,
    /// Mail of the domain would not authenticate.
    Fail,
}

impl Verdict {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unclear => "unclear",
            Self::Fail => "fail",
        }
    }
}

/// All findings on one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The domain of the From addresses.
    pub domain: String,
    /// One a rule and place, in the order in which to read them.
    pub findings: Vec<Finding>,
    /// The relays that are told apart, the usual one first; empty where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<String>,
}

impl Report {
    /// The worst of it.
    #[must_use]
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// What it comes to. What surely blocks is not made better by what is not known.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.worst() {
            Severity::Block => Verdict::Fail,
            Severity::Unclear => Verdict::Unclear,
            Severity::Ok | Severity::Info | Severity::Warn => Verdict::Pass,
        }
    }

    /// What of it holds for mail that leaves by this relay: what is said of all, and of it.
    #[must_use]
    pub fn by(&self, relay: &str) -> Self {
        let holds = |finding: &&Finding| finding.relay.as_deref().is_none_or(|named| named == relay);
        let findings = self.findings.iter().filter(holds).cloned().collect();
        Self { domain: self.domain.clone(), findings, relays: Vec::new() }
    }

    /// The worst findings in one line, for a person who asks why; empty if mail authenticates.
    #[must_use]
    pub fn reason(&self) -> String {
        let worst = self.worst();
        if worst < Severity::Unclear {
            return String::new();
        }
        let said = self.findings.iter().filter(|finding| finding.severity == worst);
        said.take(3).map(|f| format!("{} ({}): {}", f.rule, f.place, f.found)).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { id: "spf.record", broken: Severity::Block, source: "RFC 7208 §4.5" };

    fn report(findings: Vec<Finding>) -> Report {
        Report { domain: "example.test".to_owned(), findings, relays: Vec::new() }
    }

    #[test]
    fn what_blocks_outweighs_what_is_not_known_and_that_outweighs_warnings() {
        let (kept, unclear, broken) = (RULE.kept("a", "x"), RULE.unclear("a", &"no answer"), RULE.broken("a", "two"));
        assert_eq!(report(vec![]).verdict(), Verdict::Pass);
        assert_eq!(report(vec![kept.clone(), RULE.says(Severity::Warn, "a", "x")]).verdict(), Verdict::Pass);
        assert_eq!(report(vec![kept, unclear.clone()]).verdict(), Verdict::Unclear);
        assert_eq!(report(vec![unclear, broken.clone()]).verdict(), Verdict::Fail);
        assert_eq!(report(vec![broken]).reason(), "spf.record (a): two");
    }

    #[test]
    fn what_is_said_of_one_relay_says_nothing_of_another() {
        let of = |finding: Finding, relay: &str| finding.by(Some(relay.to_owned()));
        let all = report(vec![RULE.kept("a", "one"), of(RULE.kept("a", "in"), "x"), of(RULE.broken("a", "out"), "y")]);
        assert_eq!((all.by("x").verdict(), all.by("y").verdict()), (Verdict::Pass, Verdict::Fail));
        assert_eq!((all.by("x").findings.len(), all.verdict()), (2, Verdict::Fail));
        assert_eq!(
            report(vec![RULE.broken("a", "none")]).by("x").verdict(),
            Verdict::Fail,
            "what holds for all holds for each"
        );
    }

    #[test]
    fn a_long_text_is_split_as_zone_files_want_it() {
        let line = Publish::txt("s1._domainkey.example.test", "x".repeat(300)).zone_line();
        let expected =
            format!("s1._domainkey.example.test. 3600 IN TXT \"{}\" \"{}\"", "x".repeat(255), "x".repeat(45));
        assert_eq!(line, expected);
        assert_eq!(txt_strings("a\"b\\c"), r#""a\"b\\c""#);
    }
}
