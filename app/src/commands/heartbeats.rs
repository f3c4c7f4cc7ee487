//! `postrider heartbeats`: what has to report regularly, and whether it does.

use std::process::ExitCode;
use std::time::Duration;

use alerting::Severity;
use api::heartbeats::HeartbeatView;
use config::Config;
use jiff::Timestamp;
use store::HeartbeatState;
use worker::heartbeats::{Definition, Desk, Refused};

use super::reach::{at_store, store};
use super::{Usage, load};
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, List, Table, print, print_json, print_table, relative};
use crate::wire::heartbeat_rules;

/// Heartbeats in one page.
const PAGE: u32 = 500;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider heartbeats list
  postrider heartbeats list --late
  postrider heartbeats beat nightly-backup --period 24h --grace 1h
  postrider heartbeats remove nightly-backup")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists the heartbeats: when each was last heard of, and when it is late
    List(ListArgs),
    /// Beats, as POST /v1/heartbeats/NAME does
    Beat(BeatArgs),
    /// Removes one that the configuration does not define; its incident ends
    Remove(RemoveArgs),
}

/// How to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider heartbeats list
  postrider heartbeats list --late --json | jq -r '.items[].name'")]
struct ListArgs {
    /// Only those that are late
    #[arg(long)]
    late: bool,
    /// Answer with JSON, in the shape of GET /v1/heartbeats
    #[arg(long)]
    json: bool,
}

/// Which one, and what it has to keep to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider heartbeats beat nightly-backup
  postrider heartbeats beat nightly-backup --period 24h --grace 1h --severity warning")]
struct BeatArgs {
    /// The heartbeat's name
    #[arg(value_name = "NAME")]
    name: String,
    /// How often it has to beat, 10s to 366d; needed the first time
    #[arg(long, value_name = "TIME", value_parser = job::duration::parse)]
    period: Option<Duration>,
    /// How much later it may be; a tenth of the period unless given, at least 30s
    #[arg(long, value_name = "TIME", value_parser = job::duration::parse, requires = "period")]
    grace: Option<Duration>,
    /// How much it matters: info, warning or critical
    #[arg(long, value_name = "WORD", requires = "period")]
    severity: Option<Severity>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider heartbeats remove nightly-backup")]
struct RemoveArgs {
    /// The heartbeat's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let done = match &args.command {
        Command::List(args) => list(&config, args).await,
        Command::Beat(args) => beat(&config, args).await,
        Command::Remove(args) => remove(&config, args).await,
    };
    done.map_err(|e| at_store(e, &config)).map(|()| ExitCode::SUCCESS)
}

async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<()> {
    let store = store(config).await?;
    let wanted = args.late.then_some(HeartbeatState::Late);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.list_heartbeats(wanted, PAGE, after.as_deref()).await?;
        all.extend(page.items.into_iter().map(HeartbeatView::from));
        after = page.next_cursor;
        if after.is_none() {
            break;
        }
    }
    if args.json {
        return print_json(&List::whole(all));
    }
    let mut table = Table::new([
        Column::left("NAME"),
        Column::left("STATE"),
        Column::left("LAST"),
        Column::left("LATE FROM"),
        Column::left("PERIOD"),
        Column::left("GRACE"),
        Column::left("SEVERITY"),
        Column::left("DEFINED BY"),
    ]);
    let now = now();
    for heartbeat in all {
        let state = Cell::new(heartbeat.state.as_str(), colour(heartbeat.state));
        let last = heartbeat.last_beat_at.map_or(Cell::new("never", Colour::Dim), |at| relative(at, now).into());
        table.row([
            heartbeat.name.into(),
            state,
            last,
            relative(heartbeat.due_at, now).into(),
            heartbeat.period.into(),
            heartbeat.grace.into(),
            heartbeat.severity.as_str().into(),
            heartbeat.origin.as_str().into(),
        ]);
    }
    print_table(&table)
}

fn colour(state: HeartbeatState) -> Colour {
    match state {
        HeartbeatState::Ok => Colour::Green,
        HeartbeatState::Late => Colour::Red,
        HeartbeatState::Removed => Colour::Dim,
    }
}

async fn beat(config: &Config, args: &BeatArgs) -> anyhow::Result<()> {
    let define = |period| Definition::new(period, args.grace, args.severity);
    let given = args.period.map(define).transpose().map_err(|wrong| {
        let flags: Vec<String> = wrong.iter().map(|e| format!("--{}: {}", e.field, e.message)).collect();
        Usage(flags.join("\n"))
    })?;
    let (store, rules) = (store(config).await?, heartbeat_rules(config)?);
    let beaten = Desk { store: &store, rules: &rules }.beat(&args.name, given, now()).await.map_err(told)?;
    let view = HeartbeatView::from(beaten);
    match args.json {
        true => print_json(&view),
        false => print(&format!("{} has beaten; it is late from {}\n", view.name, view.due_at)),
    }
}

async fn remove(config: &Config, args: &RemoveArgs) -> anyhow::Result<()> {
    let (store, rules) = (store(config).await?, heartbeat_rules(config)?);
    let removed = Desk { store: &store, rules: &rules }.remove(&args.name, now()).await.map_err(told)?;
    let view = HeartbeatView::from(removed);
    match args.json {
        true => print_json(&view),
        false => print(&format!("{} is removed\n", view.name)),
    }
}

/// What cannot be done is a mistake of usage; what the store says is not.
fn told(error: Refused) -> anyhow::Error {
    match error {
        Refused::Store(error) => error.into(),
        Refused::Unknown => {
            Usage("NAME: there is no heartbeat of this name; the first beat brings --period".to_owned()).into()
        }
        Refused::Name(error) => Usage(format!("NAME: {}", error.message)).into(),
        refused @ (Refused::OfConfig | Refused::TooMany) => Usage(format!("NAME: {refused}")).into(),
    }
}

fn now() -> Timestamp {
    job::Clock::now(&job::SystemClock)
}
