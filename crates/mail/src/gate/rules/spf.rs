//! SPF: one record that can be read, is cheap enough, lets us in, and not everybody else.
//!
//! It is asked for the domain of MAIL FROM, which decides about every mail, and for the EHLO name, which decides about
//! mails without a sender (RFC 7208 §2.3, §2.4). Behind a relay the EHLO name that receivers hear is the relay's: then
//! ours is only mentioned.
//!
//! What a record says of itself (one, readable, cheap enough, not open to all) holds for every relay; whether it lets mail in
//! is asked for each relay apart.

use std::net::{IpAddr, Ipv4Addr};

use crate::dns::{DnsError, Lookups};
use crate::gate::report::{Finding, Publish, Rule, Severity};
use crate::gate::spf::{Ending, Outcome, Qualifier, Question, Walked, walk};
use crate::gate::subject::{Route, Subject};

const RECORD: Rule = Rule { id: "spf.record", broken: Severity::Block, source: "RFC 7208 §4.5" };
const SYNTAX: Rule = Rule { id: "spf.syntax", broken: Severity::Block, source: "RFC 7208 §4.6" };
const LOOKUPS: Rule = Rule { id: "spf.lookups", broken: Severity::Block, source: "RFC 7208 §4.6.4" };
const VOIDS: Rule = Rule { id: "spf.voids", broken: Severity::Block, source: "RFC 7208 §4.6.4" };
const HOSTS: Rule = Rule { id: "spf.mx_hosts", broken: Severity::Block, source: "RFC 7208 §4.6.4" };
const CIRCLES: Rule = Rule { id: "spf.circles", broken: Severity::Block, source: "RFC 7208 §5.2" };
const INCLUDES: Rule = Rule { id: "spf.includes", broken: Severity::Block, source: "RFC 7208 §5.2" };
const PTR: Rule = Rule { id: "spf.ptr", broken: Severity::Warn, source: "RFC 7208 §5.5" };
const OPEN: Rule = Rule { id: "spf.open", broken: Severity::Block, source: "RFC 7208 §5.1" };
const ENDING: Rule = Rule { id: "spf.ending", broken: Severity::Warn, source: "RFC 7208 §4.7" };
pub(super) const PASSES: Rule = Rule { id: "spf.passes", broken: Severity::Block, source: "RFC 7208 §2.6.3" };

/// The rules of this family.
pub const RULES: &[Rule] = &[RECORD, SYNTAX, LOOKUPS, VOIDS, HOSTS, CIRCLES, INCLUDES, PTR, OPEN, ENDING, PASSES];

/// An address of nobody (RFC 5737), to walk a record with where ours are not known.
pub(super) const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// From so many lookups on a record is one change away from being refused.
const NEARLY: usize = 9;

/// Looks at both identities.
pub(in crate::gate) async fn check(subject: &Subject, lookups: &Lookups) -> Vec<Finding> {
    let all: Vec<&Route> = subject.routes.iter().collect();
    let mut findings = identity(subject, &subject.bounce_domain, Identity::MailFrom, &all, lookups).await;
    if !subject.helo.eq_ignore_ascii_case(&subject.bounce_domain) {
        // A relay of others gives a name of its own in EHLO: ours matters on the ways of our own.
        let direct: Vec<&Route> = all.iter().copied().filter(|route| route.is_direct()).collect();
        let is_direct = !direct.is_empty();
        let mark = match direct.as_slice() {
            [only] if all.len() > 1 => subject.mark(only),
            _ => None,
        };
        let routes = if is_direct { &direct } else { &all };
        let ehlo = identity(subject, &subject.helo, Identity::Ehlo, routes, lookups).await;
        findings.extend(ehlo.into_iter().map(|mut finding| {
            let none = finding.rule == RECORD.id && finding.found.starts_with(NO_RECORD);
            let most = match (is_direct, none) {
                (true, false) => Severity::Block,
                (true, true) => Severity::Warn,
                (false, _) => Severity::Info,
            };
            finding.severity = finding.severity.min(most);
            finding.relay = finding.relay.or_else(|| mark.clone());
            finding
        }));
    }
    findings
}

/// Whose name it is that a receiver asks about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    MailFrom,
    Ehlo,
}

impl Identity {
    /// The names by which a relay must be let in at this identity.
    fn includes(self, route: &Route) -> &[String] {
        match self {
            Self::MailFrom => &route.includes,
            Self::Ehlo => &[],
        }
    }
}

/// What may stand before a term (RFC 7208 §4.6.2).
const QUALIFIERS: [char; 4] = ['+', '-', '~', '?'];
const NO_RECORD: &str = "there is no SPF record";

/// Walks the record of one name for every address that we have on these ways.
async fn identity(
    subject: &Subject,
    domain: &str,
    identity: Identity,
    routes: &[&Route],
    lookups: &Lookups,
) -> Vec<Finding> {
    let mut addresses = subject.egress();
    if addresses.is_empty() {
        addresses.push(NOBODY);
    }
    let mut walks = Vec::new();
    for ip in addresses {
        let question = Question { ip, local: &subject.bounce_local, domain, helo: &subject.helo };
        walks.push((ip, walk(lookups, &question).await));
    }
    let Some((_, first)) = walks.first() else { return Vec::new() };
    if let (Some(error), []) = (&first.unanswered, first.records.as_slice()) {
        return vec![match error {
            DnsError::Temporary { .. } => RECORD.unclear(domain, error),
            DnsError::Name(_) => RECORD.broken(domain, error.to_string()),
        }];
    }
    let wanted = || suggested(subject, identity, routes, first, domain);
    let mut findings = vec![record(first, domain, wanted())];
    if first.records.len() != 1 {
        return findings;
    }
    if !first.wrong.is_empty() {
        findings.extend(first.wrong.iter().map(|(name, error)| SYNTAX.broken(name, error.to_string())));
        return findings;
    }
    findings.push(SYNTAX.kept(domain, "every term can be read"));
    findings.extend(limits(&walks, domain));
    let all_judged = routes.iter().all(|route| route.is_direct() || !identity.includes(route).is_empty());
    findings.extend(shape(first, domain, all_judged));
    for route in routes {
        let mut found = Vec::new();
        for include in identity.includes(route) {
            found.push(super::spf_relay::lets_in(subject, include, &walks, domain, lookups).await);
        }
        found.extend(passes(route, &walks, domain));
        findings.extend(found.into_iter().map(|finding| {
            let finding = finding.by(subject.mark(route));
            match (finding.severity, wanted()) {
                (Severity::Block, Some(record)) => finding.publish(record),
                _ => finding,
            }
        }));
    }
    findings
}

/// Exactly one record.
fn record(walked: &Walked, domain: &str, wanted: Option<Publish>) -> Finding {
    let finding = match walked.records.as_slice() {
        [one] => return RECORD.kept(domain, one.as_str()),
        [] => RECORD.broken(domain, format!("{NO_RECORD}: nobody is allowed to send, and nobody is forbidden to")),
        many => RECORD.broken(domain, format!("there are {} SPF records: receivers answer permerror", many.len())),
    };
    match wanted {
        Some(record) => finding.publish(record),
        None => finding,
    }
}

/// What the record costs in the worst of the walks.
fn limits(walks: &[(IpAddr, Walked)], domain: &str) -> Vec<Finding> {
    let all = || walks.iter().map(|(_, walked)| walked);
    let lookups = all().map(|walked| walked.lookups).max().unwrap_or(0);
    let mut findings = vec![match lookups {
        0..NEARLY => LOOKUPS.kept(domain, format!("{lookups} of 10 lookups")),
        NEARLY..=10 => LOOKUPS.says(Severity::Warn, domain, format!("{lookups} of 10 lookups: nearly too many")),
        _ => LOOKUPS.broken(domain, format!("{lookups} lookups, 10 are allowed: receivers answer permerror")),
    }];
    let empty: &[String] = &[];
    let voids = all().map(|walked| walked.voids.as_slice()).max_by_key(|voids| voids.len()).unwrap_or(empty);
    let names = voids.join(", ");
    findings.push(match voids.len() {
        0 => VOIDS.kept(domain, "every lookup finds something"),
        1..=2 => VOIDS.says(Severity::Info, domain, format!("{} of 2 lookups find nothing: {names}", voids.len())),
        n => VOIDS.broken(domain, format!("{n} lookups find nothing, 2 are allowed: {names}")),
    });
    if let Some((name, hosts)) = all().map(|walked| &walked.widest_mx).max_by_key(|(_, hosts)| *hosts) {
        match hosts {
            0 => {}
            1..=10 => findings.push(HOSTS.kept(name, format!("mx has {hosts} of 10 hosts"))),
            _ => findings.push(HOSTS.broken(name, format!("mx has {hosts} hosts, 10 are allowed"))),
        }
    }
    findings
}

/// What the record says of others.
fn shape(walked: &Walked, domain: &str, all_judged: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    match walked.circles.as_slice() {
        [] => {}
        circles => findings.push(CIRCLES.broken(domain, format!("{} leads back to itself", circles.join(", ")))),
    }
    match (walked.missing.as_slice(), walked.circles.is_empty()) {
        ([], _) if walked.open_question().is_some() => {
            let found = format!("not known: {}", walked.open_question().map(ToString::to_string).unwrap_or_default());
            // Where our ways are known each is asked for below, and only what stands before it matters to it.
            findings.push(INCLUDES.says(if all_judged { Severity::Warn } else { Severity::Unclear }, domain, found));
        }
        ([], true) if !walked.included.is_empty() => {
            findings.push(INCLUDES.kept(domain, format!("{} included names have a record", walked.included.len())));
        }
        ([], _) => {}
        (missing, _) => findings.push(INCLUDES.broken(domain, format!("{} has no SPF record", missing.join(", ")))),
    }
    if !walked.ptr.is_empty() {
        let found = format!("ptr in the record of {}: slow, and not to be used", walked.ptr.join(", "));
        findings.push(PTR.broken(domain, found));
    }
    findings.push(match walked.open.as_slice() {
        [] => OPEN.kept(domain, "it does not let in everybody"),
        open => OPEN.broken(domain, format!("{} lets in everybody", open.join(", "))),
    });
    findings.push(match walked.ending {
        Ending::All(Qualifier::Fail) => ENDING.kept(domain, "-all: everybody else is refused"),
        Ending::All(Qualifier::SoftFail) => ENDING.kept(domain, "~all: everybody else is doubted"),
        Ending::All(Qualifier::Neutral) => ENDING.broken(domain, "?all: of everybody else it says nothing"),
        Ending::All(Qualifier::Pass) => ENDING.says(Severity::Block, domain, "+all: everybody may send"),
        Ending::Nothing => ENDING.broken(domain, "it ends without all: of everybody else it says nothing"),
    });
    findings
}

/// Whether it lets in our own addresses on this way.
fn passes(route: &Route, walks: &[(IpAddr, Walked)], domain: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !route.is_direct() {
        if route.includes.is_empty() {
            let found = "whether it lets the relay in is not known: set mail.relay_include or mail.egress";
            findings.push(PASSES.says(Severity::Warn, domain, found));
        }
        return findings;
    }
    for (ip, walked) in walks.iter().filter(|(ip, _)| route.egress.contains(ip)) {
        let by = &walked.because;
        findings.push(match (walked.result, &walked.unanswered) {
            (Outcome::Pass, _) => PASSES.kept(domain, format!("pass for {ip}, by {by}")),
            (Outcome::TempError, Some(error)) => PASSES.unclear(domain, error),
            (other, _) => PASSES.broken(domain, format!("{} for {ip}, by {}", other.as_str(), or_all(by))),
        });
    }
    findings
}

fn or_all(because: &str) -> &str {
    if because.is_empty() { "the lack of a match" } else { because }
}

/// The record that would let us in on every way: what all present records say, what is missing for us, and an end. Nothing
/// where neither a relay nor our addresses are known.
fn suggested(
    subject: &Subject,
    identity: Identity,
    routes: &[&Route],
    walked: &Walked,
    domain: &str,
) -> Option<Publish> {
    let includes: Vec<&String> = routes.iter().flat_map(|route| identity.includes(route)).collect();
    let egress = subject.egress();
    let ours = includes.iter().map(|name| format!("include:{name}")).chain(egress.iter().map(|ip| match ip {
        IpAddr::V4(ip) => format!("ip4:{ip}"),
        IpAddr::V6(ip) => format!("ip6:{ip}"),
    }));
    let mut terms: Vec<String> = Vec::new();
    let mut end = "-all".to_owned();
    let present = walked.records.iter().flat_map(|record| record.split(' ').skip(1)).filter(|term| !term.is_empty());
    for term in ours.chain(present.map(str::to_owned)) {
        match term.to_ascii_lowercase().as_str() {
            "-all" | "~all" => end = term,
            "all" | "+all" | "?all" => {}
            bare if terms.iter().any(|known| known.eq_ignore_ascii_case(bare.trim_start_matches(QUALIFIERS))) => {}
            _ => terms.push(term),
        }
    }
    let known = !egress.is_empty() || !includes.is_empty();
    if terms.iter().any(|term| term.to_ascii_lowercase().starts_with("redirect=")) {
        return None;
    }
    known.then(|| Publish::txt(domain, format!("v=spf1 {} {end}", terms.join(" "))))
}
