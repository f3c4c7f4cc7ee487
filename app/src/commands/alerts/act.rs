//! `postrider alerts ack` and `resolve`: hands on single incidents.
//!
//! Each id stands for itself: one that cannot be acted on does not keep the others from it. If there was one, the exit
//! code is 1.

use std::process::ExitCode;
use std::sync::Arc;

use config::Config;
use job::{IdSource, SystemClock};
use serde::Serialize;
use store::IncidentState;
use uuid::Uuid;
use worker::alerts::{Deed, Handled, Intake};

use super::now;
use crate::commands::reach::store;
use crate::output::{Cell, Colour, Column, List, Style, Table, print, print_json};
use crate::wire;

/// Who acts, in the history.
const ACTOR: &str = "the command line";

/// Which incidents to take on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts ack 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 --note 'looking'
  postrider alerts list --json | jq -r '.items[].id' | xargs postrider alerts ack")]
pub struct AckArgs {
    #[command(flatten)]
    hands: Hands,
}

/// Which incidents are over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts resolve 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 --note 'the disk was full'")]
pub struct ResolveArgs {
    #[command(flatten)]
    hands: Hands,
}

/// Whose hands, on what.
#[derive(Debug, clap::Args)]
struct Hands {
    /// The incidents' ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Uuid>,
    /// What to say of it, for its history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who does it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = ACTOR)]
    by: String,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// What became of one id.
#[derive(Debug, Serialize)]
struct Acted {
    id: Uuid,
    /// Where it stands; null if there is no such incident.
    state: Option<IncidentState>,
    #[serde(skip)]
    said: &'static str,
    #[serde(skip)]
    done: bool,
}

/// Takes on.
pub async fn acknowledge(config: &Config, args: &AckArgs) -> anyhow::Result<ExitCode> {
    act(config, &args.hands, Deed::Acknowledge, "taken on").await
}

/// Ends.
pub async fn resolve(config: &Config, args: &ResolveArgs) -> anyhow::Result<ExitCode> {
    act(config, &args.hands, Deed::Resolve, "over").await
}

async fn act(config: &Config, hands: &Hands, deed: Deed, done: &'static str) -> anyhow::Result<ExitCode> {
    let store = store(config).await?;
    let rules = Arc::new(wire::alert_rules(config)?);
    let intake = Intake::new(store.clone(), rules, Arc::new(IdSource::new(Arc::new(SystemClock))));
    let handled = intake.handle(&hands.ids, deed, &hands.by, hands.note.as_deref(), now()).await;
    store.close().await;
    let acted = hands.ids.iter().zip(handled?).map(|(id, handled)| match handled {
        Handled::Done(incident) => Acted { id: *id, state: Some(incident.state), said: done, done: true },
        Handled::Over(incident) => {
            Acted { id: *id, state: Some(incident.state), said: "nothing done: it is over", done: false }
        }
        Handled::Missing => Acted { id: *id, state: None, said: "there is no such incident", done: false },
    });
    let acted: Vec<Acted> = acted.collect();
    let all_done = acted.iter().all(|one| one.done);
    if hands.json {
        print_json(&List::whole(acted))?;
    } else {
        let mut table = Table::new([Column::left(""), Column::left("")]);
        for one in &acted {
            let colour = if one.done { Colour::Green } else { Colour::Yellow };
            table.row([one.id.to_string().into(), Cell::new(one.said, colour)]);
        }
        // Sentences need no heading.
        let lines = table.render(None, Style::of_stdout());
        print(&lines.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>())?;
    }
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
