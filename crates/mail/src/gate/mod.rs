//! The gate: would a mail of this sender authenticate at its receiver? Asked before it is sent.
//!
//! 1. A [`Subject`] says what really goes over the wire: the domain of From, that of MAIL FROM, the EHLO name, the keys
//!    that sign, the addresses or the relay that mail leaves through.
//! 2. The [`rules`] look at what is published for it, one small rule a question: SPF, DKIM with a signed probe, DMARC and
//!    alignment, where answers and bounces go, reverse names, encryption. All of them ask through one
//!    [`Lookups`](crate::dns::Lookups), so that they see the same zone.
//! 3. A [`Report`] holds one [`Finding`] a rule and place, with the RFC's section and the record that would mend it. Its
//!    [`Verdict`] is `fail` if any finding blocks, `unclear` if the DNS did not say, else `pass`. Where there are two relays
//!    each has a verdict of its own ([`Report::by`]): what lets one in need not let in the other.
//!
//! What follows from a verdict (send, warn, hold) is decided above, where it is known what was found before.
//! [`message`](rules::message) looks at each finished mail; [`speaks_of_authentication`] reads what receivers answer.

mod dkim_record;
mod dmarc;
mod replies;
mod report;
pub mod rules;
mod spf;
mod subject;
mod tags;

use std::time::Duration;

use jiff::Timestamp;

use crate::dns::Dns;

pub use replies::speaks_of_authentication;
pub use report::{Finding, Publish, Report, Rule, Severity, Verdict, txt_strings};
pub use subject::{KeyUse, RelayLink, Route, SigningKey, Subject};

/// How long the questions of one check may take altogether.
const PATIENCE: Duration = Duration::from_secs(15);

/// How far a check looks.
#[derive(Clone, Copy)]
pub enum Depth<'a> {
    /// What decides whether mail authenticates: the DNS alone.
    Records,
    /// Also what is good to know: the relay's encryption, MTA-STS, TLS-RPT, BIMI. It connects to others.
    Everything(&'a outbound::Client),
}

/// Checks a domain. It never fails: what cannot be found out is a finding.
pub async fn check(subject: &Subject, dns: &Dns, depth: Depth<'_>, now: Timestamp) -> Report {
    let lookups = dns.lookups(PATIENCE);
    let relays = subject.routes.iter().filter_map(|route| subject.mark(route)).collect();
    let mut report = Report { domain: subject.domain.clone(), findings: Vec::new(), relays };
    report.extend(rules::sender::check(subject));
    report.extend(rules::spf::check(subject, &lookups).await);
    report.extend(rules::dkim::check(subject, &lookups, now).await);
    report.extend(rules::dmarc::check(subject, &lookups).await);
    report.extend(rules::exchange::check(subject, &lookups).await);
    report.extend(rules::direct::check(subject, &lookups).await);
    if let Depth::Everything(client) = depth {
        report.extend(rules::relay::check(subject).await);
        report.extend(rules::extras::check(subject, &lookups, client).await);
    }
    report
}
