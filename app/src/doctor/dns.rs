//! What the DNS says of the senders' domains: the gate's own rules, a line a domain, and a line for each that is broken.

use ::config::Config;
use ::mail::gate::{Depth, Severity, Verdict, check};
use job::{Clock, SystemClock};

use super::Report;
use crate::wire;

/// Looks at every domain that a sender is at. `dev` says that the zone is there only while `postrider dev` runs.
pub async fn look(report: &mut Report, config: &Config, dev: bool) {
    // A key that cannot be read was found before; the rest of the domain is looked at by `domain check`.
    let (Ok(plans), Ok(dns)) = (wire::plans(&config.mail), wire::resolver(config)) else { return };
    for plan in plans {
        let domain = &plan.domain;
        let now = SystemClock.now();
        let found = check(&plan.subject(None, now), &dns, Depth::Records, now).await;
        let what = format!("domain {domain}");
        let advice = format!("`postrider domain check {domain}` shows the records to publish");
        match found.verdict() {
            Verdict::Pass => {
                let warns = found.findings.iter().filter(|finding| finding.severity == Severity::Warn);
                let warns: Vec<_> = warns.map(|finding| format!("{}: {}", finding.rule, finding.found)).collect();
                match warns.is_empty() {
                    true => report.ok("mail", what, "SPF, DKIM and DMARC are in order"),
                    false => report.warn("mail", what, warns.join("; "), advice),
                }
            }
            Verdict::Unclear if dev => report.ok("mail", what, "its zone is served while `postrider dev` runs"),
            Verdict::Unclear => report.warn("mail", what, found.reason(), "see that a name server can be reached"),
            Verdict::Fail => report.fail("mail", what, format!("its mail is held: {}", found.reason()), advice),
        }
    }
}
