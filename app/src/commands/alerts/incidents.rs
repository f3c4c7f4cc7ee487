//! `postrider alerts list` and `show`: what is wrong, and all that happened to it.

use std::process::ExitCode;

use alerting::Severity;
use anyhow::anyhow;
use api::{IncidentDetail, IncidentView};
use config::Config;
use jiff::Timestamp;
use store::{Incident, IncidentFilter, IncidentState, StoreError};
use uuid::Uuid;

use super::{Usage, now};
use crate::commands::reach::store;
use crate::output::{
    Cell, Colour, Column, List, Style, Table, ago, fields, hint, one_line, print, print_json, print_table,
};

/// Which incidents.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts list
  postrider alerts list --state resolved --severity critical
  postrider alerts list --label service=search --json | jq -r '.items[].id'")]
pub struct ListArgs {
    /// Only in this state: open, acknowledged or resolved; those that are not over unless said
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<IncidentState>,
    /// All, whatever their state
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// Only of this severity: info, warning or critical
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only with this label; several, if it is given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Where to go on: what the page before said
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Answer with JSON, in the shape of GET /v1/incidents
    #[arg(long)]
    json: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "NAME=VALUE is expected".to_owned())
}

/// Which incident.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider alerts show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 --json | jq .timeline")]
pub struct ShowArgs {
    /// The incident's id
    #[arg(value_name = "ID")]
    id: Uuid,
    /// Answer with JSON, in the shape of GET /v1/incidents/{id}
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let burning = vec![IncidentState::Open, IncidentState::Acknowledged];
    let states = match (args.all, args.state.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => burning,
        (false, false) => args.state.clone(),
    };
    let labels = args.label.clone();
    let filter = IncidentFilter { states, severity: args.severity, kind: args.kind.clone(), labels };
    let store = store(config).await?;
    let page = store.list_incidents(&filter, args.limit, args.cursor.as_deref()).await;
    store.close().await;
    let page = page.map_err(|e| match e {
        StoreError::BadCursor => anyhow!(Usage("--cursor: not a cursor that this list gave out".to_owned())),
        other => other.into(),
    })?;
    if args.json {
        let items = page.items.into_iter().map(IncidentView::from).collect();
        print_json(&List { items, next_cursor: page.next_cursor })?;
        return Ok(ExitCode::SUCCESS);
    }
    if page.items.is_empty() {
        hint("no such incidents");
        return Ok(ExitCode::SUCCESS);
    }
    let now = now();
    let mut table = Table::new([
        Column::left("ID"),
        Column::left("STATE"),
        Column::left("SEVERITY"),
        Column::left("SINCE"),
        Column::right("ALERTS"),
        Column::left("TITLE"),
        Column::left("LABELS"),
    ]);
    for incident in &page.items {
        table.row([
            incident.id.to_string().into(),
            Cell::new(incident.state.as_str(), state_colour(incident.state)),
            Cell::new(incident.severity.as_str(), severity_colour(incident.severity)),
            ago(incident.starts_at, now).into(),
            incident.alerts.to_string().into(),
            one_line(&incident.title).into(),
            Cell::new(one_line(&labels_of(incident)), Colour::Dim),
        ]);
    }
    print_table(&table)?;
    if let Some(cursor) = page.next_cursor {
        hint(&format!("\nthere are more: the same with --cursor {cursor}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows one.
pub async fn show(config: &Config, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let store = store(config).await?;
    let found = async {
        let Some(incident) = store.get_incident(args.id).await? else { return Ok(None) };
        let events = store.incident_events(args.id).await?;
        Ok::<_, StoreError>(Some((incident, events, store.incident_notifications(args.id).await?)))
    };
    let found = found.await;
    store.close().await;
    let (incident, events, told) = found?.ok_or_else(|| anyhow!("there is no incident {}", args.id))?;
    if args.json {
        print_json(&IncidentDetail::new(incident, events, told))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for event in events {
        let by = event.actor.map(|actor| format!(" by {actor}")).unwrap_or_default();
        let note = event.note.map(|note| format!(": {note}")).unwrap_or_default();
        lines.push((event.at, format!("{}{by}{note}", event.kind)));
    }
    for told in told {
        let message = told.notification;
        let mail = told.delivery_state.map(|state| format!(", the mail is {state}")).unwrap_or_default();
        let error = message.last_error.or(told.delivery_error).map(|error| format!(": {error}")).unwrap_or_default();
        let (reason, channel, to) = (message.reason, message.target.channel, message.target.name);
        lines.push((
            message.created_at,
            format!("told ({reason}) by {channel} to {to}: {}{mail}{error}", message.state),
        ));
    }
    lines.sort_by_key(|(at, _)| *at);
    print(&page(&incident, &lines, now(), Style::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}

fn page(incident: &Incident, lines: &[(Timestamp, String)], now: Timestamp, style: Style) -> String {
    let instant = |at: Timestamp| format!("{at}  ({})", ago(at, now));
    let mut said: Vec<(&str, String)> = vec![
        ("incident", incident.id.to_string()),
        ("title", one_line(&incident.title)),
        ("state", style.paint(state_colour(incident.state), incident.state.as_str())),
        ("severity", style.paint(severity_colour(incident.severity), incident.severity.as_str())),
        ("type", one_line(&incident.kind)),
        ("labels", one_line(&labels_of(incident))),
        ("began", instant(incident.starts_at)),
        ("last heard", instant(incident.last_seen_at)),
        ("alerts", format!("{}, of which nobody was told one by one: {}", incident.alerts, incident.suppressed)),
    ];
    said.extend((incident.reopened > 0).then(|| ("came back", format!("{} times", incident.reopened))));
    let taken = incident.acknowledged_by.as_ref().zip(incident.acknowledged_at);
    said.extend(taken.map(|(by, at)| ("taken on", format!("by {}, {}", one_line(by), ago(at, now)))));
    said.extend(incident.resolved_at.map(|at| ("over", instant(at))));
    let mut text = fields(&said, style);
    if !incident.message.is_empty() {
        let lines = incident.message.lines().map(|line| format!("  {}\n", one_line(line)));
        text.push_str(&format!("\n{}", lines.collect::<String>()));
    }
    text.push_str(&format!("\n{}\n", style.paint(Colour::Dim, "what happened, the latest last")));
    for (at, line) in lines {
        text.push_str(&format!("  {at}  {}\n", one_line(line)));
    }
    text
}

fn labels_of(incident: &Incident) -> String {
    incident.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn state_colour(state: IncidentState) -> Colour {
    match state {
        IncidentState::Open => Colour::Red,
        IncidentState::Acknowledged => Colour::Yellow,
        IncidentState::Resolved => Colour::Green,
    }
}

fn severity_colour(severity: Severity) -> Colour {
    match severity {
        Severity::Critical => Colour::Red,
        Severity::Warning => Colour::Yellow,
        Severity::Info => Colour::Plain,
    }
}
