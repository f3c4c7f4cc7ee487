//! Sending directly: the addresses have names that lead back to them, and the EHLO name is one of ours.
//!
//! Addresses of this machine and of private networks have no public name: they are passed over.

use std::net::IpAddr;

use crate::dns::{DnsError, Lookups};
use crate::gate::report::{Finding, Publish, Rule, Severity};
use crate::gate::subject::{Route, Subject};

const PTR: Rule = Rule { id: "direct.ptr", broken: Severity::Block, source: "RFC 1912 §2.1" };
const EHLO: Rule = Rule { id: "direct.ehlo", broken: Severity::Warn, source: "RFC 5321 §4.1.1.1" };

/// The rules of this family.
pub const RULES: &[Rule] = &[PTR, EHLO];

/// Looks at every address that mail leaves from.
pub(in crate::gate) async fn check(subject: &Subject, lookups: &Lookups) -> Vec<Finding> {
    let mut findings = Vec::new();
    for route in subject.routes.iter().filter(|route| route.is_direct()) {
        for ip in &route.egress {
            let finding = match is_public(*ip) {
                true => reverse(*ip, subject, lookups).await,
                false => PTR.says(Severity::Info, &ip.to_string(), "not a public address: it needs no reverse name"),
            };
            findings.push(finding.by(subject.mark(route)));
        }
        findings.push(ehlo(route, subject, lookups).await.by(subject.mark(route)));
    }
    findings
}

/// Whether the EHLO name is that of an address that mail leaves from on this way.
async fn ehlo(route: &Route, subject: &Subject, lookups: &Lookups) -> Finding {
    match lookups.all_addresses(&subject.helo).await {
        Err(error) => EHLO.unclear(&subject.helo, &error),
        Ok(addresses) if route.egress.iter().any(|ip| addresses.contains(ip)) => {
            EHLO.kept(&subject.helo, "the EHLO name is that of an address that mail leaves from")
        }
        Ok(_) => {
            let kind = if route.egress[0].is_ipv4() { "A" } else { "AAAA" };
            EHLO.broken(&subject.helo, "the EHLO name does not lead to an address that mail leaves from")
                .publish(Publish::of(kind, &subject.helo, route.egress[0].to_string()))
        }
    }
}

async fn reverse(ip: IpAddr, subject: &Subject, lookups: &Lookups) -> Finding {
    let place = ip.to_string();
    match confirmed(ip, lookups).await {
        Err(error) => PTR.unclear(&place, &error),
        Ok(Ok(name)) => PTR.kept(&place, format!("{name}, which leads back to it")),
        Ok(Err(found)) => PTR.broken(&place, found).publish(Publish::of("PTR", &place, format!("{}.", subject.helo))),
    }
}

/// The name of an address that leads back to it, or why there is none.
async fn confirmed(ip: IpAddr, lookups: &Lookups) -> Result<Result<String, String>, DnsError> {
    let names = lookups.names(ip).await?.records;
    if names.is_empty() {
        return Ok(Err("it has no reverse name: large receivers refuse its mail".to_owned()));
    }
    for name in &names {
        if lookups.addresses(name, ip.is_ipv6()).await?.records.contains(&ip) {
            return Ok(Ok(name.clone()));
        }
    }
    Ok(Err(format!("its reverse name {} does not lead back to it", names.join(", "))))
}

/// Whether an address is one of the Internet.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified())
        }
    }
}
