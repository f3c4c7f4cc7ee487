//! `postrider suppressions`: who must not be written to.
//!
//! Lifting one sets on their way again the mails that it held: their rows move first, then their jobs are enqueued; what
//! cannot be enqueued now is found by the sweep.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use config::Config;
use jiff::Timestamp;
use job::{Clock, IdSource, Job, SystemClock};
use mail::EmailAddress;
use queue::Enqueue;
use serde::Serialize;
use store::{
    Added, Covers, Lifted, Lifting, NewSuppression, Store, Suppression, SuppressionFilter, SuppressionReason, Which,
};
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use super::load;
use super::reach::{at_cursor, at_store, queue, store};
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, List, Table, ago, hint, one_line, print, print_json, print_table};
use crate::secrets::keyring;

/// Who acts, in the list.
const ACTOR: &str = "the command line";

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider suppressions list
  postrider suppressions list --address ana@example.com --lifted
  postrider suppressions add ana@example.com --note 'asked by phone'
  postrider suppressions lift ana@example.com")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists suppressions, newest first
    List(ListArgs),
    /// Suppresses an address: no mail goes to it from now on
    Add(AddArgs),
    /// Lifts a suppression, or all of an address; mails that it held are sent if they are still worth it
    Lift(LiftArgs),
}

/// Which to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider suppressions list
  postrider suppressions list --json | jq -r '.items[].address'")]
struct ListArgs {
    /// Only of this address
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    address: Option<EmailAddress>,
    /// Also those that were lifted
    #[arg(long)]
    lifted: bool,
    /// How many to show, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Where to go on: `next_cursor` of the page before
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Whom to suppress.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider suppressions add ana@example.com
  postrider suppressions add ana@example.com --covers report --note 'no reports, please'")]
struct AddArgs {
    /// The address
    #[arg(value_name = "ADDRESS", value_parser = address)]
    address: EmailAddress,
    /// Which mails: all, or only reports
    #[arg(long, value_name = "all|report", default_value = "all", value_parser = covers)]
    covers: Covers,
    /// Why, for whoever looks later
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// What to lift.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider suppressions lift ana@example.com
  postrider suppressions lift 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
struct LiftArgs {
    /// The suppression's id, or an address
    #[arg(value_name = "ID|ADDRESS", value_parser = which)]
    which: Which,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

fn address(text: &str) -> Result<EmailAddress, String> {
    match text.parse::<EmailAddress>() {
        Ok(address) if address.as_str().starts_with("*@") => {
            Err("one address is expected: whole domains are not suppressed".to_owned())
        }
        other => other.map_err(|e| format!("{e}")),
    }
}

fn covers(text: &str) -> Result<Covers, String> {
    text.parse().map_err(|_| "all or report is expected".to_owned())
}

fn note(text: &str) -> Result<String, String> {
    match text.len() > 500 || text.chars().any(char::is_control) {
        true => Err("one line of at most 500 bytes is expected".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn which(text: &str) -> Result<Which, String> {
    match Uuid::try_parse(text) {
        Ok(id) => Ok(Which::Id(id)),
        Err(_) => address(text).map(|address| Which::Address(address.as_str().to_owned())),
    }
}

/// A suppression, for scripts.
#[derive(Debug, Serialize)]
struct View<'a> {
    id: Uuid,
    address: Option<&'a str>,
    covers: Covers,
    reason: SuppressionReason,
    detail: Option<&'a str>,
    delivery_id: Option<Uuid>,
    actor: &'a str,
    created_at: Timestamp,
    lifted_at: Option<Timestamp>,
    lifted_by: Option<&'a str>,
}

impl<'a> From<&'a Suppression> for View<'a> {
    fn from(s: &'a Suppression) -> Self {
        Self {
            id: s.id,
            address: s.address.as_deref(),
            covers: s.covers,
            reason: s.reason,
            detail: s.detail.as_deref(),
            delivery_id: s.delivery_id,
            actor: &s.actor,
            created_at: s.created_at,
            lifted_at: s.lifted_at,
            lifted_by: s.lifted_by.as_deref(),
        }
    }
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let store = store(&config).await.map_err(|e| at_store(e, &config))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = IdSource::new(Arc::clone(&clock));
    let done = match &args.command {
        Command::List(args) => list(&config, &store, clock.now(), args).await,
        Command::Add(args) => add(&config, &store, &ids, clock.now(), args).await,
        Command::Lift(args) => lift(&config, &store, &ids, clock.now(), args).await,
    };
    store.close().await;
    done.map_err(|e| at_store(e, &config)).map(|()| ExitCode::SUCCESS)
}

async fn list(config: &Config, store: &Store, now: Timestamp, args: &ListArgs) -> anyhow::Result<()> {
    let address = args.address.as_ref().map(|address| address.as_str().to_owned());
    let ring = keyring(config)?;
    let shadows = address.as_deref().zip(ring).map(|(address, ring)| ring.shadows(address)).unwrap_or_default();
    let filter = SuppressionFilter { address, shadows, lifted: args.lifted };
    let page = store.list_suppressions(&filter, args.limit, args.cursor.as_deref()).await.map_err(at_cursor)?;
    if args.json {
        return print_json(&List { items: page.items.iter().map(View::from).collect(), next_cursor: page.next_cursor });
    }
    if page.items.is_empty() {
        hint("nobody is suppressed");
        return Ok(());
    }
    let columns = ["ADDRESS", "COVERS", "REASON", "SINCE", "BY", "STATE", "ID", "DETAIL"];
    let mut table = Table::new(columns.map(Column::left));
    for row in &page.items {
        let state = match row.lifted_at {
            Some(_) => Cell::new("lifted", Colour::Dim),
            None => Cell::new("in force", Colour::Yellow),
        };
        table.row([
            row.address.as_deref().map_or(Cell::new("erased", Colour::Dim), |address| one_line(address).into()),
            row.covers.to_string().into(),
            row.reason.to_string().into(),
            ago(row.created_at, now).into(),
            one_line(&row.actor).into(),
            state,
            row.id.to_string().into(),
            one_line(row.detail.as_deref().unwrap_or_default()).into(),
        ]);
    }
    print_table(&table)?;
    if let Some(cursor) = page.next_cursor {
        hint(&format!("more: --cursor {cursor}"));
    }
    Ok(())
}

async fn add(config: &Config, store: &Store, ids: &IdSource, now: Timestamp, args: &AddArgs) -> anyhow::Result<()> {
    let lower = args.address.as_str().to_lowercase();
    let ring = keyring(config)?;
    let new = NewSuppression {
        id: ids.next(&EmailSend::queue()).uuid(),
        address_hash: ring.map(|ring| ring.shadow(&lower)),
        address: lower,
        covers: args.covers,
        reason: SuppressionReason::Manual,
        detail: args.note.clone(),
        delivery_id: None,
        actor: ACTOR.to_owned(),
    };
    let (row, new) = match store.add_suppression(&new, now).await? {
        Added::New(row) => (row, true),
        Added::Already(row) => (row, false),
    };
    if args.json {
        return print_json(&View::from(&row));
    }
    let what = if row.covers == Covers::All { "no mail" } else { "no reports" };
    let since =
        if new { "from now on".to_owned() } else { format!("since {} ({})", ago(row.created_at, now), row.reason) };
    print(&format!("{what} to {}, {since}\n", args.address))
}

async fn lift(config: &Config, store: &Store, ids: &IdSource, now: Timestamp, args: &LiftArgs) -> anyhow::Result<()> {
    let ring = keyring(config)?;
    let by = Lifting {
        actor: ACTOR,
        shadows: &|address| ring.as_ref().map(|ring| ring.shadows(address)).unwrap_or_default(),
        new_id: &|| ids.next(&EmailSend::queue()).uuid(),
    };
    let lifted = store.lift_suppressions(&args.which, &by, now).await?;
    if lifted.suppressions.is_empty() {
        bail!("no such suppression is in force; `postrider suppressions list` shows those that are");
    }
    enqueue(config, &lifted, now).await;
    if args.json {
        #[derive(Serialize)]
        struct Answer<'a> {
            suppressions: Vec<View<'a>>,
            released: Vec<Uuid>,
        }
        return print_json(&Answer {
            suppressions: lifted.suppressions.iter().map(View::from).collect(),
            released: lifted.released.iter().map(|row| row.id).collect(),
        });
    }
    for row in &lifted.suppressions {
        let address = row.address.as_deref().unwrap_or("an erased address");
        print(&format!("lifted: {address} ({}, covered {})\n", row.reason, row.covers))?;
    }
    match lifted.released.len() {
        0 => Ok(()),
        n => print(&format!("{n} mails that were held are on their way again\n")),
    }
}

/// Enqueues what was released; a queue that is away is made up for by the sweep.
async fn enqueue(config: &Config, lifted: &Lifted, now: Timestamp) {
    if lifted.released.is_empty() {
        return;
    }
    let jobs: Vec<Enqueue> = lifted.released.iter().map(|row| worker::intents::delivery(row, now).into()).collect();
    let done = match queue(config).await {
        Ok(broker) => broker.enqueue(&jobs).await.map(drop).map_err(anyhow::Error::new),
        Err(e) => Err(e),
    };
    if let Err(e) = done {
        hint(&format!("the queue could not be reached ({e:#}): a worker's sweep enqueues them within a minute"));
    }
}
