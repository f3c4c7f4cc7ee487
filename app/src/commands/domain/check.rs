//! `postrider domain check`: every rule of the gate, for a person to act on.

use std::process::ExitCode;
use std::sync::Arc;

use config::Config;
use mail::gate::{Depth, Finding, KeyUse, Report, Severity, Subject};
use outbound::SystemResolver;
use serde::Serialize;
use store::Domain;

use super::{domain, now, unknown};
use crate::commands::reach;
use crate::output::{Colour, Style, one_line, print, print_json, width, wrap};
use crate::wire;

/// What to look at.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It changes nothing. Exit code 0 if mail authenticates, warnings or not; 1 if it would not, or if the DNS does not
say; 2 if the configuration cannot be used. What is held leaves after the next check of a worker, or at once by
POST /v1/domains/DOMAIN/check.

Examples:
  postrider domain check example.com
  postrider domain check example.com --sender bookings
  postrider domain check example.com --json | jq '.findings[] | select(.severity == \"block\") | .publish.line'
  postrider domain check postrider.test --data ./postrider-data     the zone of a running `postrider dev`"
)]
pub struct Args {
    /// The domain of the From addresses
    #[arg(value_name = "DOMAIN", value_parser = domain)]
    domain: String,
    /// Only with the key of this sender
    #[arg(long, value_name = "NAME")]
    sender: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// The answer of `--json`.
#[derive(Serialize)]
struct View<'a> {
    domain: &'a str,
    /// `pass`, `unclear` or `fail`, the worst of all.
    verdict: &'static str,
    /// The same for each relay, where there are two.
    relays: Vec<RelayView<'a>>,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct RelayView<'a> {
    relay: &'a str,
    verdict: &'static str,
    /// What is wrong, in one line; null if nothing is.
    reason: Option<String>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    rule: &'a str,
    severity: Severity,
    place: &'a str,
    found: &'a str,
    source: &'a str,
    publish: Option<PublishView<'a>>,
    /// The relay that it is about; null: about all mail.
    relay: Option<&'a str>,
}

#[derive(Serialize)]
struct PublishView<'a> {
    name: &'a str,
    kind: &'a str,
    value: &'a str,
    line: String,
}

/// Runs it.
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let subject = subject(config, args).await?;
    let client = wire::client(config, Arc::new(SystemResolver))?;
    let report = mail::gate::check(&subject, &wire::resolver(config)?, Depth::Everything(&client), now()).await;
    tell(&report, args.json)?;
    Ok(if report.worst() >= Severity::Unclear { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What is looked at: the plan of the domain, with its keys used as the store says, if it can be asked.
async fn subject(config: &Config, args: &Args) -> anyhow::Result<Subject> {
    let plans = wire::plans(&config.mail)?;
    let plan = match plans.iter().find(|plan| plan.domain == args.domain) {
        Some(plan) => plan.clone(),
        None => wire::new_plan(&config.mail, &args.domain)?,
    };
    let stored = stored(config, &args.domain).await;
    let mut subject = plan.subject(stored.as_ref(), now());
    if let Some(name) = &args.sender {
        if !plan.senders.contains(name) {
            let senders = config.mail.profiles().map(|profile| format!("{} ({})", profile.name, profile.address));
            return Err(unknown(format!("--sender {name}: not at {}", args.domain), senders).into());
        }
        subject.senders = vec![name.clone()];
        let pinned = plan.pinned.contains(name).then(|| config.mail.profile(name)).flatten();
        if let Some(selector) = pinned.and_then(|profile| profile.dkim).map(|dkim| dkim.selector) {
            subject.keys.retain(|key| key.selector == selector || key.used != KeyUse::Signs);
        }
    }
    Ok(subject)
}

/// What the store knows; nothing if it cannot be asked: the check is about the DNS.
async fn stored(config: &Config, domain: &str) -> Option<Domain> {
    let store = reach::store(config).await.ok()?;
    let stored = store.domain(domain).await.ok().flatten();
    store.close().await;
    stored
}

fn view(report: &Report) -> View<'_> {
    let findings = report.findings.iter().map(|finding| FindingView {
        rule: &finding.rule,
        severity: finding.severity,
        place: &finding.place,
        found: &finding.found,
        source: &finding.source,
        publish: finding.publish.as_ref().map(|record| PublishView {
            name: &record.name,
            kind: &record.kind,
            value: &record.value,
            line: record.zone_line(),
        }),
        relay: finding.relay.as_deref(),
    });
    let relays = report.relays.iter().map(|relay| {
        let by = report.by(relay);
        let reason = Some(by.reason()).filter(|reason| !reason.is_empty());
        RelayView { relay, verdict: by.verdict().as_str(), reason }
    });
    View {
        domain: &report.domain,
        verdict: report.verdict().as_str(),
        relays: relays.collect(),
        findings: findings.collect(),
    }
}

/// Tells what was found.
pub fn tell(report: &Report, json: bool) -> anyhow::Result<()> {
    match json {
        true => print_json(&view(report)),
        false => print(&page(report, width().unwrap_or(120).min(140), Style::of_stdout())),
    }
}

/// A line a finding, the place where it was looked for, and what to publish below it.
fn page(report: &Report, width: usize, style: Style) -> String {
    let rules = report.findings.iter().map(|finding| finding.rule.chars().count()).max().unwrap_or(0);
    let indent = 2 + 7 + 2 + rules + 2;
    let room = width.saturating_sub(indent).max(40);
    let mut text = format!("{}\n", style.paint(Colour::Bold, &report.domain));
    let mut place = "";
    for finding in &report.findings {
        if finding.place != place {
            place = &finding.place;
            text.push_str(&format!("\n  {}\n", style.paint(Colour::Dim, place)));
        }
        text.push_str(&told(finding, rules, indent, room, style));
    }
    text.push('\n');
    match report.relays.as_slice() {
        [] => text.push_str(&format!("{}\n", said(report, "is held"))),
        relays => {
            for (n, relay) in relays.iter().enumerate() {
                let refused =
                    if n == 0 { "would not authenticate" } else { "would not authenticate, so it takes over nothing" };
                text.push_str(&format!("By {}: {}\n", one_line(relay), said(&report.by(relay), refused)));
            }
        }
    }
    text
}

/// What it comes to, in one sentence.
fn said(report: &Report, refused: &str) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    match (count(Severity::Block), count(Severity::Unclear), count(Severity::Warn)) {
        (0, 0, 0) => "Mail of this domain authenticates.".to_owned(),
        (0, 0, warns) => format!("Mail of this domain authenticates; {warns} to look at."),
        (0, unclear, _) => format!("The DNS does not say ({unclear} unclear): try again in a moment."),
        (blocks, _, _) => format!("Mail of this domain {refused}: {blocks} to mend."),
    }
}

fn told(finding: &Finding, rules: usize, indent: usize, room: usize, style: Style) -> String {
    let (word, colour) = match finding.severity {
        Severity::Ok => ("ok", Colour::Green),
        Severity::Info => ("info", Colour::Dim),
        Severity::Warn => ("warn", Colour::Yellow),
        Severity::Unclear => ("unclear", Colour::Yellow),
        Severity::Block => ("BLOCK", Colour::Red),
    };
    let by = finding.relay.as_deref().map_or_else(String::new, |relay| format!("by {}: ", one_line(relay)));
    let found = match finding.severity {
        Severity::Ok => format!("{by}{}", one_line(&finding.found)),
        _ => format!("{by}{} ({})", one_line(&finding.found), finding.source),
    };
    let mut lines = wrap(&found, room).into_iter();
    let first = lines.next().unwrap_or_default();
    let mut text = format!("  {}  {:rules$}  {first}\n", style.paint(colour, &format!("{word:7}")), finding.rule);
    for line in lines {
        text.push_str(&format!("{:indent$}{line}\n", ""));
    }
    if let Some(record) = &finding.publish {
        // Never wrapped: it is to be copied.
        text.push_str(&format!("{:indent$}{} {}\n", "", style.paint(colour, "→"), one_line(&record.zone_line())));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::gate::Publish;

    #[test]
    fn the_record_to_publish_stands_below_what_is_wrong() {
        let finding = |rule: &str, severity, found: &str, publish| Finding {
            rule: rule.to_owned(),
            severity,
            place: "example.com".to_owned(),
            found: found.to_owned(),
            source: "RFC 7208 §4.5".to_owned(),
            publish,
            relay: None,
        };
        let record = Publish {
            name: "example.com".to_owned(),
            kind: "TXT".to_owned(),
            value: "v=spf1 ip4:192.0.2.1 -all".to_owned(),
        };
        let findings = vec![
            finding("mx.from", Severity::Ok, "answers go to mx.example.com", None),
            finding("spf.record", Severity::Block, "there is none", Some(record)),
        ];
        let report = Report { domain: "example.com".to_owned(), findings, relays: Vec::new() };
        let expected = "\
example.com

  example.com
  ok       mx.from     answers go to mx.example.com
  BLOCK    spf.record  there is none (RFC 7208 §4.5)
                       → example.com. 3600 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"

Mail of this domain is held: 1 to mend.
";
        assert_eq!(page(&report, 80, Style::PLAIN), expected);

        let mut two = Report { relays: vec!["a.example:25".to_owned(), "b.example:587".to_owned()], ..report };
        two.findings[1].relay = Some("b.example:587".to_owned());
        let told = page(&two, 80, Style::PLAIN);
        assert!(told.contains("spf.record  by b.example:587: there is none"), "{told}");
        let end = "\
By a.example:25: Mail of this domain authenticates.
By b.example:587: Mail of this domain would not authenticate, so it takes over nothing: 1 to mend.
";
        assert!(told.ends_with(end), "{told}");
    }
}
