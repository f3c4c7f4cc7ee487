//! DKIM: the published key is ours, long enough, in force, and a signed probe verifies.
//!
//! A key that is not used yet may be missing; one that was used until a short while ago should still be there, because
//! mail on its way is verified when it arrives.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::dns::Lookups;
use crate::gate::dkim_record::KeyRecord;
use crate::gate::report::{Finding, Publish, Rule, Severity};
use crate::gate::subject::{KeyUse, SigningKey, Subject};
use crate::verify::{Verdict, Verifier};

const RECORD: Rule = Rule { id: "dkim.record", broken: Severity::Block, source: "RFC 6376 §3.6.2.2" };
const SYNTAX: Rule = Rule { id: "dkim.syntax", broken: Severity::Block, source: "RFC 6376 §3.6.1" };
const REVOKED: Rule = Rule { id: "dkim.revoked", broken: Severity::Block, source: "RFC 6376 §3.6.1" };
const KEY: Rule = Rule { id: "dkim.key", broken: Severity::Block, source: "RFC 6376 §3.6.1" };
const SIZE: Rule = Rule { id: "dkim.size", broken: Severity::Block, source: "RFC 8301 §3.2" };
const TESTING: Rule = Rule { id: "dkim.testing", broken: Severity::Block, source: "RFC 6376 §3.6.1" };
const STRICT: Rule = Rule { id: "dkim.strict", broken: Severity::Info, source: "RFC 6376 §3.6.1" };
const HASHES: Rule = Rule { id: "dkim.hashes", broken: Severity::Block, source: "RFC 8301 §3.1" };
const SERVICE: Rule = Rule { id: "dkim.service", broken: Severity::Block, source: "RFC 6376 §3.6.1" };
const PROBE: Rule = Rule { id: "dkim.probe", broken: Severity::Block, source: "RFC 6376 §6.1" };

/// The rules of this family.
pub const RULES: &[Rule] = &[RECORD, SYNTAX, REVOKED, KEY, SIZE, TESTING, STRICT, HASHES, SERVICE, PROBE];

/// Bits below which receivers refuse, and below which they will one day (RFC 8301 §3.2).
const SHORTEST: usize = 1024;
const SHORT: usize = 2048;
/// How long the probe may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(8);

/// Looks at every key of the domain.
pub(in crate::gate) async fn check(subject: &Subject, lookups: &Lookups, now: Timestamp) -> Vec<Finding> {
    if subject.keys.is_empty() {
        let found = format!("no key signs for {}: make one with `postrider domain keygen`", subject.domain);
        return vec![KEY.broken(&subject.domain, found)];
    }
    let mut findings = Vec::new();
    for key in &subject.keys {
        let place = format!("{}._domainkey.{}", key.selector, subject.domain);
        let looked = one(key, &place, subject, lookups, now).await;
        let most = match key.used {
            KeyUse::Signs => Severity::Block,
            KeyUse::Previous => Severity::Warn,
            KeyUse::Next => Severity::Info,
        };
        findings.extend(looked.into_iter().map(|mut finding| {
            finding.severity = finding.severity.min(most);
            match key.used {
                KeyUse::Signs => {}
                KeyUse::Previous => finding.found.push_str(" (it signed until lately; keep the record for seven days)"),
                KeyUse::Next => finding.found.push_str(" (it does not sign yet)"),
            }
            finding
        }));
    }
    findings
}

async fn one(key: &SigningKey, place: &str, subject: &Subject, lookups: &Lookups, now: Timestamp) -> Vec<Finding> {
    let publish = || Publish::txt(place, key.public_txt.as_str());
    let found = match lookups.txt(place).await {
        Ok(found) => found,
        Err(error) => return vec![RECORD.unclear(place, &error)],
    };
    let by = match found.aliases.as_slice() {
        [] => String::new(),
        aliases => format!(", by way of {}", aliases.join(", ")),
    };
    let text = match found.records.as_slice() {
        [one] => one,
        [] if found.exists => {
            return vec![RECORD.broken(place, format!("the name has no TXT record{by}")).publish(publish())];
        }
        [] => return vec![RECORD.broken(place, "there is no such name").publish(publish())],
        many => {
            let found = format!("there are {} TXT records: which of them counts is undefined", many.len());
            return vec![RECORD.broken(place, found).publish(publish())];
        }
    };
    let mut findings = vec![RECORD.kept(place, format!("one record{by}"))];
    let record = match KeyRecord::parse(text) {
        Ok(record) => record,
        Err(why) => {
            findings.push(SYNTAX.broken(place, why).publish(publish()));
            return findings;
        }
    };
    findings.push(SYNTAX.kept(place, "every tag can be read"));
    if record.is_revoked() {
        findings.push(REVOKED.broken(place, "p= is empty: the key is revoked").publish(publish()));
        return findings;
    }
    findings.push(match record.is_same_key(&key.public_txt) {
        true => KEY.kept(place, "it is the public half of our key"),
        false => KEY.broken(place, "it is not the public half of the key that signs").publish(publish()),
    });
    findings.push(size(&record, place));
    findings.extend(tags(&record, place).into_iter().map(|finding| match finding.severity {
        Severity::Block => finding.publish(publish()),
        _ => finding,
    }));
    findings.push(probe(key, place, subject, lookups, now).await);
    findings
}

fn size(record: &KeyRecord, place: &str) -> Finding {
    match (record.kind.as_str(), record.rsa_bits()) {
        ("rsa", None) => SIZE.broken(place, "p= holds no RSA key"),
        (_, Some(bits)) if bits < SHORTEST => {
            SIZE.broken(place, format!("RSA, {bits} bits: receivers refuse less than {SHORTEST}"))
        }
        (_, Some(bits)) if bits < SHORT => {
            SIZE.says(Severity::Warn, place, format!("RSA, {bits} bits: {SHORT} are recommended"))
        }
        (_, Some(bits)) => SIZE.kept(place, format!("RSA, {bits} bits")),
        (kind, None) => SIZE.says(Severity::Info, place, format!("a key of type {kind}")),
    }
}

fn tags(record: &KeyRecord, place: &str) -> Vec<Finding> {
    let has = |list: &[String], word: &str| list.iter().any(|known| known == word);
    let mut findings = Vec::new();
    if has(&record.flags, "y") {
        findings
            .push(TESTING.broken(place, "t=y: the domain says that it only tests, and receivers ignore the signature"));
    }
    if has(&record.flags, "s") {
        findings.push(STRICT.broken(place, "t=s: only this very domain may be signed for, as it is"));
    }
    if !record.hashes.is_empty() && !has(&record.hashes, "sha256") {
        findings.push(HASHES.broken(place, format!("h={} leaves out sha256", record.hashes.join(":"))));
    }
    if !record.services.is_empty() && !has(&record.services, "email") && !has(&record.services, "*") {
        findings.push(SERVICE.broken(place, format!("s={}: not for mail", record.services.join(":"))));
    }
    findings
}

/// Signs a mail as all others are signed, and verifies it as a receiver does, over the live DNS.
async fn probe(key: &SigningKey, place: &str, subject: &Subject, lookups: &Lookups, now: Timestamp) -> Finding {
    let domain = &subject.domain;
    let message = format!(
        "From: probe@{domain}\r\nTo: probe@{domain}\r\nSubject: Probe\r\nDate: {}\r\n\
         Message-ID: <probe.{}@{domain}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nProbe\r\n",
        now.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        now.as_millisecond(),
    );
    let signed = match key.signer.sign(message.as_bytes(), now) {
        Ok(signed) => signed,
        Err(error) => return PROBE.broken(place, error.to_string()),
    };
    let verifier = match Verifier::over(lookups.dns()) {
        Ok(verifier) => verifier,
        Err(error) => return PROBE.unclear(place, &error),
    };
    match timeout(PROBE_PATIENCE, verifier.dkim(&signed)).await {
        Err(_) => PROBE.unclear(place, &"the DNS did not answer in time"),
        Ok((Verdict::Pass, _)) => PROBE.kept(place, "a mail signed just now verifies"),
        Ok((Verdict::TempError, why)) => {
            PROBE.unclear(place, &why.unwrap_or_else(|| "the DNS did not answer".to_owned()))
        }
        Ok((verdict, why)) => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            PROBE.broken(place, format!("a mail signed just now does not verify: {verdict}{why}"))
        }
    }
}
