//! DMARC: one record, one organisation, and reports that arrive.

use crate::dns::Lookups;
use crate::gate::dmarc::{AtName, Dmarc, TreeWalk, aligned, mended};
use crate::gate::report::{Finding, Publish, Rule, Severity};
use crate::gate::subject::Subject;

const RECORD: Rule = Rule { id: "dmarc.record", broken: Severity::Block, source: "RFC 9989 §4.10.1" };
const SYNTAX: Rule = Rule { id: "dmarc.syntax", broken: Severity::Block, source: "RFC 9989 §4.7" };
const POLICY: Rule = Rule { id: "dmarc.policy", broken: Severity::Warn, source: "RFC 9989 §4.7" };
const SPF_ALIGNED: Rule = Rule { id: "dmarc.spf_aligned", broken: Severity::Block, source: "RFC 9989 §4.4.2" };
const DKIM_ALIGNED: Rule = Rule { id: "dmarc.dkim_aligned", broken: Severity::Block, source: "RFC 9989 §4.4.1" };
const REPORTS: Rule = Rule { id: "dmarc.reports", broken: Severity::Info, source: "RFC 9990 §3" };
const AUTHORISED: Rule = Rule { id: "dmarc.reports_authorised", broken: Severity::Warn, source: "RFC 9990 §4" };

/// The rules of this family.
pub const RULES: &[Rule] = &[RECORD, SYNTAX, POLICY, SPF_ALIGNED, DKIM_ALIGNED, REPORTS, AUTHORISED];

/// Looks at the policy of the From domain, and at who is aligned with it.
pub(in crate::gate) async fn check(subject: &Subject, lookups: &Lookups) -> Vec<Finding> {
    let domain = &subject.domain;
    let place = format!("_dmarc.{domain}");
    let from = match TreeWalk::from(domain, lookups).await {
        Ok(walk) => walk,
        Err(error) => return vec![RECORD.unclear(&place, &error)],
    };
    let wanted = || Publish::txt(&place, format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"));
    let Some(AtName { domain: at, records }) = from.policy() else {
        let found = "there is no DMARC record, here or above: large receivers refuse such mail";
        return vec![RECORD.broken(&place, found).publish(wanted())];
    };
    let place = format!("_dmarc.{at}");
    let [text] = records.as_slice() else {
        let found = format!("there are {} DMARC records: receivers ignore all of them", records.len());
        return vec![RECORD.broken(&place, found).publish(wanted())];
    };
    let mut findings = vec![RECORD.kept(&place, text.as_str())];
    let record = match Dmarc::parse(text) {
        Ok(record) => record,
        Err(why) => {
            findings.push(SYNTAX.broken(&place, why).publish(Publish::txt(&place, mended(text, "quarantine"))));
            return findings;
        }
    };
    findings.push(match record.ignored.as_slice() {
        [] => SYNTAX.kept(&place, "every tag can be read"),
        ignored => {
            let found = format!("receivers pass over what they cannot read: {}", ignored.join("; "));
            SYNTAX.says(Severity::Warn, &place, found).publish(Publish::txt(&place, mended(text, &record.policy)))
        }
    });
    findings.push(policy(&record, &place, at != domain));
    findings.extend(alignment(subject, &from, &record, lookups).await);
    findings.extend(reports(subject, &from, &record, &place, lookups).await);
    findings
}

fn policy(record: &Dmarc, place: &str, inherited: bool) -> Finding {
    let own = match (&record.subdomain_policy, inherited) {
        (Some(below), true) => below,
        _ => &record.policy,
    };
    match (own.as_str(), record.testing) {
        ("none", _) => POLICY.broken(place, "p=none: who writes in our name is not stopped"),
        (word, true) => POLICY.broken(place, format!("p={word}, but t=y asks receivers not to act on it")),
        (word, false) => POLICY.kept(place, format!("p={word}")),
    }
}

/// Both ways must be aligned: SPF breaks when mail is forwarded, DKIM when a list changes it.
async fn alignment(subject: &Subject, from: &TreeWalk, record: &Dmarc, lookups: &Lookups) -> Vec<Finding> {
    let word = |strict: bool| if strict { "strictly" } else { "relaxed" };
    let bounce = &subject.bounce_domain;
    let spf = match TreeWalk::from(bounce, lookups).await {
        Err(error) => SPF_ALIGNED.unclear(bounce, &error),
        Ok(walk) if aligned(from, &walk, record.strict_spf) => {
            SPF_ALIGNED.kept(bounce, format!("MAIL FROM is aligned with {}, {}", from.from, word(record.strict_spf)))
        }
        Ok(_) => {
            let found = format!("MAIL FROM is not aligned with {}, {}", from.from, word(record.strict_spf));
            SPF_ALIGNED.broken(bounce, found)
        }
    };
    let mut findings = vec![spf];
    for key in &subject.keys {
        let signs = key.signer.domain();
        findings.push(match TreeWalk::from(signs, lookups).await {
            Err(error) => DKIM_ALIGNED.unclear(signs, &error),
            Ok(walk) if aligned(from, &walk, record.strict_dkim) => {
                let found = format!("d={signs} ({}) is aligned with {}", key.selector, from.from);
                DKIM_ALIGNED.kept(signs, found)
            }
            Ok(_) => DKIM_ALIGNED.broken(signs, format!("d={signs} is not aligned with {}", from.from)),
        });
    }
    findings
}

/// Where reports go, and whether they may go there.
async fn reports(subject: &Subject, from: &TreeWalk, record: &Dmarc, place: &str, lookups: &Lookups) -> Vec<Finding> {
    if record.reports.is_empty() {
        return vec![REPORTS.broken(place, "no rua=: nobody tells you who sends in your name")];
    }
    let mut findings = vec![REPORTS.kept(place, format!("reports go to {}", record.reports.join(", ")))];
    for uri in &record.reports {
        let domain = uri.strip_prefix("mailto:").and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
        let Some(domain) = domain.map(|domain| domain.split('!').next().unwrap_or(domain)) else {
            findings.push(AUTHORISED.broken(place, format!("{uri} is no mailto: address")));
            continue;
        };
        match TreeWalk::from(domain, lookups).await {
            Ok(walk) if aligned(from, &walk, false) => {}
            Err(error) => findings.push(AUTHORISED.unclear(domain, &error)),
            Ok(_) => findings.push(authorised(&subject.domain, domain, lookups).await),
        }
    }
    findings
}

/// Another organisation has to agree to get our reports.
async fn authorised(domain: &str, to: &str, lookups: &Lookups) -> Finding {
    let name = format!("{domain}._report._dmarc.{to}");
    match lookups.txt(&name).await {
        Err(error) => AUTHORISED.unclear(&name, &error),
        Ok(found) if found.records.iter().any(|text| text.trim_start().starts_with("v=DMARC1")) => {
            AUTHORISED.kept(&name, format!("{to} takes reports for {domain}"))
        }
        Ok(_) => AUTHORISED
            .broken(&name, format!("{to} does not say that it takes reports for {domain}: none will be sent"))
            .publish(Publish::txt(&name, "v=DMARC1")),
    }
}
