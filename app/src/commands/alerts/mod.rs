//! `postrider alerts`: what is wrong, who is told of it, and what is silenced.

mod act;
mod incidents;
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
  postrider alerts list
  postrider alerts show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider alerts ack 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
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
    /// Lists incidents, newest first
    List(incidents::ListArgs),
    /// Says all that happened to an incident, and who was told of it
    Show(incidents::ShowArgs),
    /// Takes incidents on: they are no longer repeated, and nobody else is told
    Ack(act::AckArgs),
    /// Says that incidents are over
    Resolve(act::ResolveArgs),
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
    let well = |()| ExitCode::SUCCESS;
    let done = match &args.command {
        Command::List(args) => incidents::list(&config, args).await,
        Command::Show(args) => incidents::show(&config, args).await,
        Command::Ack(args) => act::acknowledge(&config, args).await,
        Command::Resolve(args) => act::resolve(&config, args).await,
        Command::Route(args) => route::run(&config, args).await.map(well),
        Command::Silence(args) => silences::create(&config, args).await.map(well),
        Command::Silences(args) => silences::list(&config, args).await.map(well),
        Command::Unsilence(args) => silences::end(&config, args).await.map(well),
    };
    done.map_err(|e| at_store(e, &config))
}

fn now() -> Timestamp {
    job::Clock::now(&job::SystemClock)
}
