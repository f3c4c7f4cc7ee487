//! Where answers and bounces go: a domain that takes no mail makes receivers doubt the mail that it sends.

use crate::dns::{DnsError, Lookups};
use crate::gate::report::{Finding, Rule, Severity};
use crate::gate::subject::Subject;

const FROM: Rule = Rule { id: "mx.from", broken: Severity::Warn, source: "RFC 5321 §5.1" };
const REPLY_TO: Rule = Rule { id: "mx.reply_to", broken: Severity::Warn, source: "RFC 5321 §5.1" };
const BOUNCE: Rule = Rule { id: "mx.bounce", broken: Severity::Block, source: "RFC 5321 §5.1" };
const NULL: Rule = Rule { id: "mx.null", broken: Severity::Block, source: "RFC 7505 §4.2" };

/// The rules of this family.
pub const RULES: &[Rule] = &[FROM, REPLY_TO, BOUNCE, NULL];

/// Looks at the domains of From, Reply-To and MAIL FROM.
pub(in crate::gate) async fn check(subject: &Subject, lookups: &Lookups) -> Vec<Finding> {
    let mut findings = vec![domain(&subject.domain, FROM, "answers", lookups).await];
    for reply in &subject.reply_domains {
        findings.push(domain(reply, REPLY_TO, "answers", lookups).await);
    }
    findings.push(domain(&subject.bounce_domain, BOUNCE, "bounces", lookups).await);
    findings
}

async fn domain(name: &str, rule: Rule, what: &str, lookups: &Lookups) -> Finding {
    match looked(name, rule, what, lookups).await {
        Ok(finding) => finding,
        Err(error) => rule.unclear(name, &error),
    }
}

async fn looked(name: &str, rule: Rule, what: &str, lookups: &Lookups) -> Result<Finding, DnsError> {
    let exchangers = lookups.mx(name).await?.records;
    if exchangers.iter().any(|exchanger| exchanger.host.is_empty()) {
        let found = "the null MX: the domain takes no mail, and receivers refuse what it sends";
        let severity = rule.broken.min(NULL.broken);
        return Ok(NULL.says(severity, name, found));
    }
    let Some(first) = exchangers.first() else {
        return Ok(match lookups.has_address(name).await? {
            false => rule.broken(name, format!("neither MX nor address: {what} go nowhere")),
            true => rule.says(Severity::Info, name, format!("no MX: {what} go to the address of the domain itself")),
        });
    };
    let mut unanswered = None;
    for exchanger in &exchangers {
        match lookups.has_address(&exchanger.host).await {
            Ok(true) => return Ok(rule.kept(name, format!("{what} go to {}", exchanger.host))),
            Ok(false) => {}
            Err(error) => unanswered = Some(error),
        }
    }
    let nowhere = || rule.broken(name, format!("no exchanger has an address ({}): {what} go nowhere", first.host));
    unanswered.map_or_else(|| Ok(nowhere()), Err)
}
