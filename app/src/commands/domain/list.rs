//! `postrider domain list`: where the senders' domains stand.

use std::process::ExitCode;

use config::Config;
use jiff::Timestamp;
use serde::Serialize;
use store::{Domain, DomainRelay, DomainState, Store};

use super::now;
use crate::commands::reach::{at_store, store};
use crate::output::{Cell, Colour, Column, List, Table, ago, hint, one_line, print_json, print_table, relative};
use crate::wire;

/// How to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider domain list
  postrider domain list --json | jq '.items[] | select(.held > 0)'")]
pub struct Args {
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// A domain at a glance: the shape of `GET /v1/domains`.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    senders: Vec<String>,
    state: DomainState,
    held: u64,
    reason: Option<String>,
    checked_at: Option<Timestamp>,
    verified_at: Option<Timestamp>,
    next_check_at: Option<Timestamp>,
    selector: Option<String>,
    /// The same for the second relay, where there is one.
    relays: Vec<RelayView>,
}

#[derive(Debug, Serialize)]
struct RelayView {
    relay: String,
    state: DomainState,
    reason: Option<String>,
    checked_at: Option<Timestamp>,
    verified_at: Option<Timestamp>,
}

impl From<DomainRelay> for RelayView {
    fn from(relay: DomainRelay) -> Self {
        Self {
            relay: relay.relay,
            state: relay.state,
            reason: relay.reason,
            checked_at: relay.checked_at,
            verified_at: relay.verified_at,
        }
    }
}

/// Runs it.
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let store = store(config).await.map_err(|e| at_store(e, config))?;
    let views = views(config, &store).await;
    store.close().await;
    let views = views.map_err(|e| at_store(e, config))?;
    if args.json {
        print_json(&List::whole(views))?;
    } else {
        tell(&views)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn views(config: &Config, store: &Store) -> anyhow::Result<Vec<View>> {
    let (stored, held) = (store.domains().await?, store.held_counts().await?);
    let plans = wire::plans(&config.mail)?;
    let views = plans.into_iter().map(|plan| {
        let domain = stored.iter().find(|domain| domain.name == plan.domain).cloned();
        let domain = domain.unwrap_or_else(|| Domain::unknown(&plan.domain));
        View {
            held: plan.senders.iter().filter_map(|sender| held.get(sender)).sum(),
            name: domain.name,
            senders: plan.senders,
            state: domain.state,
            reason: domain.reason,
            checked_at: domain.checked_at,
            verified_at: domain.verified_at,
            next_check_at: domain.next_check_at,
            selector: domain.selector,
            relays: domain.relays.into_iter().map(RelayView::from).collect(),
        }
    });
    Ok(views.collect())
}

fn tell(views: &[View]) -> anyhow::Result<()> {
    if views.is_empty() {
        hint("no sender is configured (mail.domain, mail.senders)");
        return Ok(());
    }
    let columns = [Column::left("DOMAIN"), Column::left("STATE"), Column::right("HELD"), Column::left("CHECKED")];
    let mut table = Table::new(columns.into_iter().chain(["NEXT", "SENDERS", "WHAT IS WRONG"].map(Column::left)));
    let now = now();
    let colour = |state| match state {
        DomainState::Verified => Colour::Green,
        DomainState::Unchecked => Colour::Dim,
        DomainState::Suspect => Colour::Yellow,
        DomainState::Failed => Colour::Red,
    };
    for view in views {
        table.row([
            view.name.as_str().into(),
            Cell::new(view.state.as_str(), colour(view.state)),
            view.held.to_string().into(),
            view.checked_at.map_or(Cell::new("never", Colour::Dim), |at| ago(at, now).into()),
            view.next_check_at.map_or(Cell::new("-", Colour::Dim), |at| relative(at, now).into()),
            view.senders.join(", ").into(),
            one_line(view.reason.as_deref().unwrap_or_default()).into(),
        ]);
        for relay in &view.relays {
            table.row([
                format!("  by {}", one_line(&relay.relay)).into(),
                Cell::new(relay.state.as_str(), colour(relay.state)),
                Cell::new("-", Colour::Dim),
                relay.checked_at.map_or(Cell::new("never", Colour::Dim), |at| ago(at, now).into()),
                Cell::new("-", Colour::Dim),
                "".into(),
                one_line(relay.reason.as_deref().unwrap_or_default()).into(),
            ]);
        }
    }
    print_table(&table)
}
