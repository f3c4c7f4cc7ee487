//! `postrider alerts`: what is wrong, who is told of it, and what is silenced.

mod route;
mod silences;

use std::process::ExitCode;

use jiff::Timestamp;

use super::reach::at_store;
use super::{Usage, load};
use crate::cli::Globals;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts route --labels severity=critical,type=db.down
  postrider alerts silence 'team=\"db\"' --for 2h --comment 'moving the disks'
  postrider alerts silences
  postrider alerts unsilence 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Says who would be told of an alert, when and how, and what mutes it
    Route(route::Args),
    /// Silences what matches: it is counted, but nobody is told
    Silence(silences::NewArgs),
    /// Lists silences, newest first
    Silences(silences::ListArgs),
    /// Ends a silence
    Unsilence(silences::EndArgs),
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let done = match &args.command {
        Command::Route(args) => route::run(&config, args).await,
        Command::Silence(args) => silences::create(&config, args).await,
        Command::Silences(args) => silences::list(&config, args).await,
        Command::Unsilence(args) => silences::end(&config, args).await,
    };
    done.map_err(|e| at_store(e, &config)).map(|()| ExitCode::SUCCESS)
}

fn now() -> Timestamp {
    job::Clock::now(&job::SystemClock)
}
