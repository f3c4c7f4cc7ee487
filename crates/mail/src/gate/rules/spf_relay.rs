//! Whether an SPF record lets in a relay of others, known by the name that it is included by.
//!
//! 1. That name has to stand in the record, and everything on the way to it has to let in: what matches `~include:`,
//!    `?include:` or `-include:` does not pass (RFC 7208 §4.6.2, §5.2).
//! 2. Something before it may refuse the relay all the same, so a receiver's question is asked: a few of the addresses that
//!    the relay's own record lets in must pass ours.
//! 3. What the DNS does not say is not guessed: a relay whose record cannot be asked for may be let in or not.

use std::net::IpAddr;

use super::spf::{NOBODY, PASSES};
use crate::dns::{DnsError, Lookups};
use crate::gate::report::Finding;
use crate::gate::spf::{Outcome, Question, Walked, walk};
use crate::gate::subject::Subject;

/// Addresses of a relay that are asked about, of each family.
const ASKED: usize = 2;

/// The finding about one relay; `walks` are those of the record for our own addresses.
pub(super) async fn lets_in(
    subject: &Subject,
    include: &str,
    walks: &[(IpAddr, Walked)],
    domain: &str,
    lookups: &Lookups,
) -> Finding {
    let relay = include.to_ascii_lowercase();
    let included = walks.iter().all(|(_, walked)| walked.included.contains(&relay));
    let open = walks.iter().find_map(|(_, walked)| walked.open_question());
    match (included, open) {
        (true, _) => {}
        (false, Some(error)) => return PASSES.unclear(domain, error),
        (false, None) => return PASSES.broken(domain, format!("does not include {include}, the relay")),
    }
    if !walks.iter().all(|(_, walked)| walked.lets_in.contains(&relay)) {
        let found =
            format!("includes {include}, the relay, but what it matches does not pass: take the sign before it away");
        return PASSES.broken(domain, found);
    }
    let addresses = match addresses(subject, &relay, lookups).await {
        Ok(addresses) => addresses,
        Err(error) => return PASSES.unclear(domain, &error),
    };
    if addresses.is_empty() {
        // It says so by macros, which only its own addresses fill in.
        return match open {
            Some(error) => PASSES.unclear(domain, error),
            None => PASSES.kept(domain, format!("includes {include}, the relay")),
        };
    }
    for ip in addresses {
        let question = Question { ip, local: &subject.bounce_local, domain, helo: &subject.helo };
        let walked = walk(lookups, &question).await;
        match (walked.result, &walked.unanswered) {
            (Outcome::Pass, _) => {}
            (Outcome::TempError, Some(error)) => return PASSES.unclear(domain, error),
            (other, _) => {
                let found =
                    format!("{} for {ip}, an address of {include}, the relay, by {}", other.as_str(), walked.because);
                return PASSES.broken(domain, found);
            }
        }
    }
    PASSES.kept(domain, format!("includes {include}, the relay"))
}

/// A few addresses that the relay's own record lets in. Errors: the DNS does not say all of it.
async fn addresses(subject: &Subject, relay: &str, lookups: &Lookups) -> Result<Vec<IpAddr>, DnsError> {
    let question = |ip| Question { ip, local: &subject.bounce_local, domain: relay, helo: &subject.helo };
    let whole = walk(lookups, &question(NOBODY)).await;
    if let Some(error) = whole.open_question() {
        return Err(error.clone());
    }
    let mut found: Vec<IpAddr> = Vec::new();
    for ip in &whole.named {
        let of_family = found.iter().filter(|known| known.is_ipv6() == ip.is_ipv6()).count();
        if of_family < ASKED && walk(lookups, &question(*ip)).await.result == Outcome::Pass {
            found.push(*ip);
        }
    }
    Ok(found)
}
