//! `postrider alerts route`: who would be told.

use std::fmt::Write as _;

use alerting::{Labels, Matcher, Op, Told};
use api::alert_route::{RouteView, Ways};
use config::Config;
use jiff::Timestamp;
use job::duration;
use worker::alerts::inhibitor;

use super::{Usage, now};
use crate::commands::reach::store;
use crate::output::{one_line, print, print_json, relative};
use crate::wire;

/// Which alert.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts route --labels severity=critical,type=db.down
  postrider alerts route --labels severity=warning,alertname=disk,host=db-1 --at 2026-12-24T03:00:00Z --json")]
pub struct Args {
    /// Its labels, with severity and type (or alertname): a=b,c=\"d, e\"
    #[arg(long, value_name = "LABELS", value_parser = labels)]
    labels: Labels,
    /// When it begins; now unless said otherwise
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

fn labels(text: &str) -> Result<Labels, String> {
    let given = alerting::parse_list(text).map_err(|e| e.to_string())?;
    if let Some(other) = given.iter().find(|matcher| matcher.op() != Op::Equal) {
        return Err(format!("{other} is no label: a=b is expected"));
    }
    let pair = |matcher: &Matcher| (matcher.name().to_owned(), matcher.value().to_owned());
    Labels::from_pairs(given.iter().map(pair)).map_err(|e| e.to_string())
}

/// Runs it.
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let rules = wire::alert_rules(config).map_err(|e| Usage(format!("{e:#}")))?;
    let now = now();
    let at = args.at.unwrap_or(now);
    let store = store(config).await?;
    let read =
        async { Ok::<_, store::StoreError>((inhibitor(&store, &rules).await?, store.active_silences(at).await?)) };
    let read = read.await;
    store.close().await;
    let (inhibitor, silences) = read?;
    let view = RouteView::of(&rules, &inhibitor, &silences, &args.labels, at);
    if args.json {
        return print_json(&view);
    }
    print(&words(&view, now))
}

fn words(view: &RouteView, now: Timestamp) -> String {
    let mut text = format!("{}\n", one_line(&view.preview.labels.to_string()));
    for told in &view.preview.told {
        let ways = view.receivers.get(&told.receiver);
        let _ = write!(text, "\n{}: {}\n{}", told.receiver, reached(ways), timing(told, view.preview.at, now));
        for step in &told.escalation {
            let ways = reached(view.receivers.get(&step.receiver));
            let after = duration::format(step.after);
            let _ = writeln!(text, "  not acknowledged after {after}: {}: {ways}", step.receiver);
        }
    }
    if view.muted {
        text.push_str("\nNobody is told:\n");
    }
    for silence in &view.preview.silenced_by {
        let matchers = alerting::print_list(&silence.matchers);
        let (by, until) = (one_line(&silence.created_by), silence.ends_at);
        let _ = writeln!(text, "  silenced by {by} until {until}: {matchers} ({})", silence.id);
    }
    for fingerprint in &view.preview.inhibited_by {
        let _ = writeln!(text, "  an incident that is open explains it: {fingerprint}");
    }
    text
}

fn reached(ways: Option<&Ways>) -> String {
    let Some(ways) = ways else { return "nobody".to_owned() };
    let mut all = Vec::new();
    if !ways.email.is_empty() {
        all.push(format!("mail to {}", ways.email.join(", ")));
    }
    all.extend(ways.webhook.then(|| "webhook".to_owned()));
    all.extend(ways.slack.then(|| "slack".to_owned()));
    if all.is_empty() { "nobody: only the log has it".to_owned() } else { all.join("; ") }
}

fn timing(told: &Told, at: Timestamp, now: Timestamp) -> String {
    let group = match told.group.is_empty() {
        true => "everything of this route".to_owned(),
        false => one_line(&told.group.to_string()),
    };
    let when = if at == now { String::new() } else { format!(" ({})", relative(told.first_at, now)) };
    format!(
        "  by route {}\n  together with {group}\n  first {} after it begins{when}, what is new after {}, again every {}\n",
        told.route,
        duration::format(told.group_wait),
        duration::format(told.group_interval),
        duration::format(told.repeat_interval),
    )
}
