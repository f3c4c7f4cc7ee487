//! `postrider schedules`: what is done by itself, when, and what became of it.

mod act;
mod look;

use std::process::ExitCode;

use jiff::Timestamp;

use super::reach::at_store;
use super::{Usage, load};
use crate::cli::Globals;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules list
  postrider schedules next retention
  postrider schedules run retention
  postrider schedules pause retention --reason 'the archive is being moved'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists the schedules with what they do next
    List(look::ListArgs),
    /// Shows one schedule and what it has fired lately
    Show(look::ShowArgs),
    /// Shows when a schedule, or an expression, fires next: local time and UTC
    Next(look::NextArgs),
    /// Fires a schedule now, paused or not
    Run(act::Name),
    /// Fires nothing of a schedule until it is resumed
    Pause(act::PauseArgs),
    /// Fires a schedule again, from the next planned instant on
    Resume(act::Name),
    /// Fires a schedule for each planned instant of a span that has passed and has no tick
    Backfill(act::BackfillArgs),
    /// Calls off the ticks of a schedule that wait behind an earlier job
    CancelWaiting(act::Name),
    /// Deletes a schedule that was made over the API; what it has fired is kept for a while
    Delete(act::Name),
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let done = match &args.command {
        Command::List(args) => look::list(&config, args).await,
        Command::Show(args) => look::show(&config, args).await,
        Command::Next(args) => look::next(&config, args).await,
        Command::Run(args) => act::run(&config, args).await,
        Command::Pause(args) => act::pause(&config, args).await,
        Command::Resume(args) => act::resume(&config, args).await,
        Command::Backfill(args) => act::backfill(&config, args).await,
        Command::CancelWaiting(args) => act::cancel_waiting(&config, args).await,
        Command::Delete(args) => act::delete(&config, args).await,
    };
    done.map_err(|e| at_store(e, &config)).map(|()| ExitCode::SUCCESS)
}

/// The usage error for a name that is no schedule's.
fn no_such(name: &str) -> anyhow::Error {
    Usage(format!(
        "NAME: there is no schedule {name}; `postrider schedules list` shows those there are. One that is new in the \
         configuration is there once a scheduler has started with it"
    ))
    .into()
}

fn now() -> Timestamp {
    job::Clock::now(&job::SystemClock)
}
