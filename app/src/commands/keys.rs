//! `postrider keys`: the keys that callers of the API show.
//!
//! A key is shown once, when it is made; only its SHA-256 is kept. To change a key, make another one, hand it out, then
//! revoke the first.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use jiff::Timestamp;
use job::{Chance, Clock, SystemClock};
use secrecy::ExposeSecret;
use store::{ApiKey, NewApiKey, Scope, Store};
use uuid::Uuid;

use super::load;
use super::reach::{at_store, store};
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, KeyView, List, Style, Table, ago, hint, one_line, print, print_json};

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider keys create marketplace --scope bookings:write --scope jobs:read
  postrider keys list
  postrider keys revoke 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a key and shows it, this once
    Create(CreateArgs),
    /// Lists the keys, newest first, revoked ones too
    List(ListArgs),
    /// Ends a key; within 5 seconds no process takes it any more
    Revoke(RevokeArgs),
}

/// Which key to make.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Scopes: jobs:write, jobs:read, jobs:internal, bookings:write, search:write, alerts:write, emails:write,
inbound:write, domains:admin, and admin, which is all of them.

Examples:
  postrider keys create marketplace --scope bookings:write,jobs:read
  postrider keys create importer --scope jobs:write --rate 200
  KEY=$(postrider keys create ci --scope jobs:write)     standard output is the key alone"
)]
struct CreateArgs {
    /// Who or what will use it, for your own eyes
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What it may be used for; several by comma, or by giving the flag again
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = scope)]
    scopes: Vec<Scope>,
    /// Requests a second; [api.rate_limit] unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    /// Answer with JSON; the key is in `secret`
    #[arg(long)]
    json: bool,
}

/// How to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider keys list
  postrider keys list --json | jq '.items[] | select(.revoked_at == null)'")]
struct ListArgs {
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which key to end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  postrider keys revoke 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
struct RevokeArgs {
    /// The key's id, as in `postrider keys list`
    #[arg(value_name = "ID")]
    id: Uuid,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

fn name(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.len() > 100 || text.chars().any(char::is_control) {
        true => Err("1 to 100 bytes of visible text are expected".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| {
        let known = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        format!("there is no such scope; there are {known}")
    })
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let store = store(&config).await.map_err(|e| at_store(e, &config))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let done = match &args.command {
        Command::Create(args) => create(&store, clock.now(), args).await,
        Command::List(args) => list(&store, clock.now(), args).await,
        Command::Revoke(args) => revoke(&store, clock.now(), args).await,
    };
    store.close().await;
    done.map_err(|e| at_store(e, &config)).map(|()| ExitCode::SUCCESS)
}

async fn create(store: &Store, now: Timestamp, args: &CreateArgs) -> anyhow::Result<()> {
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in &args.scopes {
        if !scopes.contains(scope) {
            scopes.push(*scope);
        }
    }
    let new = NewApiKey { id: new_id(now), name: args.name.clone(), scopes, rate_per_second: args.rate };
    let created = store.create_api_key(&new, now).await?;
    if args.json {
        return print_json(&KeyView::from(&created.key).with_secret(created.secret.expose_secret()));
    }
    print(&format!("{}\n", created.secret.expose_secret()))?;
    hint(&format!(
        "\nThis is the key of {} ({}), id {}.\n\
         It is not kept and cannot be shown again. Callers send it as\n  Authorization: Bearer {}…",
        created.key.name,
        scope_names(&created.key),
        created.key.id,
        created.key.prefix
    ));
    Ok(())
}

/// A UUIDv7 (RFC 9562 §5.7), so that keys sort by age. Chance is asked here: no two keys may share an id.
fn new_id(now: Timestamp) -> Uuid {
    let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let chance = Chance::system();
    let random = (u128::from(chance.bits()) << 64 | u128::from(chance.bits())).to_be_bytes();
    uuid::Builder::from_unix_timestamp_millis(ms, random.first_chunk().expect("10 of 16")).into_uuid()
}

async fn list(store: &Store, now: Timestamp, args: &ListArgs) -> anyhow::Result<()> {
    let keys = store.list_api_keys().await?;
    if args.json {
        return print_json(&List::whole(keys.iter().map(KeyView::from)));
    }
    if keys.is_empty() {
        hint("no keys yet: postrider keys create NAME --scope SCOPE");
        return Ok(());
    }
    let columns = ["ID", "NAME", "KEY", "MADE", "LAST USED", "STATE"].map(Column::left);
    let mut table = Table::new(columns.into_iter().chain([Column::right("RATE"), Column::left("SCOPES")]));
    for key in &keys {
        let state = match key.revoked_at {
            Some(_) => Cell::new("revoked", Colour::Red),
            None => Cell::new("valid", Colour::Green),
        };
        table.row([
            key.id.to_string().into(),
            one_line(&key.name).into(),
            format!("{}…", key.prefix).into(),
            ago(key.created_at, now).into(),
            key.last_used_at.map_or(Cell::new("never", Colour::Dim), |at| ago(at, now).into()),
            state,
            key.rate_per_second.map_or(Cell::new("default", Colour::Dim), |n| format!("{n}/s").into()),
            scope_names(key).into(),
        ]);
    }
    // Scopes are never cut: what a key may do is what one looks for here.
    print(&table.render(None, Style::of_stdout()))
}

fn scope_names(key: &ApiKey) -> String {
    key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

async fn revoke(store: &Store, now: Timestamp, args: &RevokeArgs) -> anyhow::Result<()> {
    let revoked = store.revoke_api_key(args.id, now).await?;
    let keys = store.list_api_keys().await?;
    let Some(key) = keys.iter().find(|key| key.id == args.id) else {
        bail!("there is no key {}; `postrider keys list` shows those there are", args.id);
    };
    if let (false, Some(at)) = (revoked, key.revoked_at) {
        bail!("key {} ({}) was revoked before, {}", key.id, key.name, ago(at, now));
    }
    if args.json {
        return print_json(&KeyView::from(key));
    }
    print(&format!("{} ({}…) is revoked; within 5 seconds no process takes it any more\n", key.name, key.prefix))
}
