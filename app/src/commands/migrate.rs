//! `postrider migrate`: brings the store's tables to what this release needs.
//!
//! Safe to run by several at once, and again: who comes second finds nothing left to do.

use std::process::ExitCode;

use config::Config;
use serde::Serialize;
use store::{MigrationStatus, Store, StoreConfig};

use super::load;
use super::reach::{at_store, sqlite_file};
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, Table, print, print_json, print_table};
use crate::wire;

/// What to do, and how to tell it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider migrate
  POSTRIDER__STORE__URL=postgres://postrider:secret@db/postrider postrider migrate
  postrider migrate --status       what is done and what is pending; changes nothing")]
pub struct Args {
    /// Only say what is done and what is pending.
    #[arg(long)]
    status: bool,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let done = if args.status { show(&config, args).await } else { apply(&config, args).await };
    done.map_err(|e| at_store(e, &config))
}

/// The answer of `--json`.
#[derive(Debug, Serialize)]
struct View {
    store: String,
    current: bool,
    /// What this call did.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_now: Option<Vec<Step>>,
    applied: Vec<Step>,
    pending: Vec<Step>,
    /// Steps of a newer release.
    unknown: Vec<i64>,
    /// Steps that were done with another content.
    changed: Vec<i64>,
}

#[derive(Debug, Clone, Serialize)]
struct Step {
    version: i64,
    name: String,
}

impl View {
    fn new(config: &Config, status: &MigrationStatus) -> Self {
        let steps = |steps: &[store::MigrationStep]| {
            steps.iter().map(|step| Step { version: step.version, name: step.name.clone() }).collect()
        };
        Self {
            store: config.store.url.to_string(),
            current: status.is_current(),
            applied_now: None,
            applied: steps(&status.applied),
            pending: steps(&status.pending),
            unknown: status.unknown.clone(),
            changed: status.changed.clone(),
        }
    }
}

async fn apply(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let store = wire::open_store(config).await?;
    let versions = store.migrate().await?;
    let mut view = View::new(config, &store.migration_status().await?);
    store.close().await;
    let now: Vec<Step> = view.applied.iter().filter(|step| versions.contains(&step.version)).cloned().collect();
    if args.json {
        view.applied_now = Some(now);
        print_json(&view)?;
    } else if now.is_empty() {
        print(&format!("{} is up to date: {} steps were done before\n", view.store, view.applied.len()))?;
    } else {
        let lines: String = now.iter().map(|step| format!("  {:>4}  {}\n", step.version, step.name)).collect();
        print(&format!("{} is up to date; done now:\n{lines}", view.store))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    // Looking must not make the file: what is missing has every step pending, as an empty database in memory has.
    let missing = sqlite_file(&config.store.url.to_string()).is_some_and(|file| !file.exists());
    let store = match missing {
        true => Store::open(&StoreConfig::new("sqlite::memory:")).await?,
        false => wire::open_store(config).await?,
    };
    let status = store.migration_status().await?;
    store.close().await;
    let view = View::new(config, &status);
    if args.json {
        print_json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([Column::right("STEP"), Column::left("NAME"), Column::left("STATE")]);
    let mut row = |version: i64, name: &str, state: &str, colour| {
        table.row([version.to_string().into(), name.into(), Cell::new(state, colour)]);
    };
    for step in &view.applied {
        match view.changed.contains(&step.version) {
            true => row(step.version, &step.name, "done, with another content than this release has", Colour::Red),
            false => row(step.version, &step.name, "done", Colour::Green),
        }
    }
    for step in &view.pending {
        row(step.version, &step.name, "pending", Colour::Yellow);
    }
    for version in &view.unknown {
        row(*version, "", "done by a newer release", Colour::Dim);
    }
    print_table(&table)?;
    print(&match (view.changed.is_empty(), view.pending.len()) {
        (false, _) => {
            format!("\n{} does not fit this release: restore it, or run the release that changed it\n", view.store)
        }
        (true, 0) => format!("\n{} is up to date\n", view.store),
        (true, n) => format!("\n{}: {n} pending; `postrider migrate` does them\n", view.store),
    })?;
    Ok(ExitCode::SUCCESS)
}
