//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;

/// Background jobs and mail that arrives: one binary, every role.
///
/// Begin with `postrider dev`: API, worker, queue, store, a mail catcher and a DNS zone in one process, with nothing
/// else installed. In production run `postrider migrate` once, then `postrider api` and as many `postrider worker`
/// as are wanted, with POSTRIDER__QUEUE__URL and POSTRIDER__STORE__URL set.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, max_term_width = 110)]
pub struct Cli {
    /// What every command knows.
    #[command(flatten)]
    pub globals: Globals,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command knows.
#[derive(Debug, Clone, clap::Args)]
pub struct Globals {
    /// A configuration file (TOML). What it leaves out has its default; `postrider config` prints all defaults.
    /// Each key can also be set by environment: POSTRIDER__SECTION__KEY.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything in one process, for trying and developing: nothing else is needed.
    Dev(commands::dev::Args),
    /// The HTTP API.
    Api,
    /// A worker: takes jobs from the queues and runs them.
    Worker(commands::worker::Args),
    /// Brings the store's tables up to date.
    Migrate(commands::migrate::Args),
    /// Puts one job into its queue.
    Enqueue(commands::enqueue::Args),
    /// Lists, shows, cancels and retries jobs.
    Jobs(commands::jobs::Args),
    /// Lists, pauses and resumes queues.
    Queues(commands::queues::Args),
    /// Creates, lists and revokes API keys.
    Keys(commands::keys::Args),
    /// Checks queue, store and settings, and says what to mend.
    Doctor(commands::doctor::Args),
    /// Measures, through the production path.
    Bench(commands::bench::Args),
    /// Prints the default configuration, every key explained.
    Config,
}
