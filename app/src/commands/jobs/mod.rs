//! `postrider jobs`: lists, shows, cancels and retries jobs.

mod act;
mod bulk;
mod list;
mod show;

use std::process::ExitCode;

use super::load;
use super::reach::{at_queue, queue};
use crate::cli::Globals;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider jobs list --state dead
  postrider jobs show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider jobs retry --all-dead --queue emails")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists jobs, newest first within a state
    List(list::Args),
    /// Shows all that is known of one job
    Show(show::Args),
    /// Cancels jobs: a waiting one at once, a running one by asking its worker
    Cancel(act::CancelArgs),
    /// Makes dead, cancelled or expired jobs available again, their attempts counted from 0
    Retry(act::RetryArgs),
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let broker = queue(&config).await.map_err(|e| at_queue(e, &config))?;
    let done = match &args.command {
        Command::List(args) => list::run(&config, &*broker, args).await,
        Command::Show(args) => show::run(&config, &*broker, args).await,
        Command::Cancel(args) => act::cancel(&*broker, args).await,
        Command::Retry(args) => act::retry(&config, &broker, args).await,
    };
    done.map_err(|e| at_queue(e, &config))
}
