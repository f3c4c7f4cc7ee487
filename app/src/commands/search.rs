//! `postrider search`: counting search events by hand.
//!
//! The same as the job kind `search.rollup`, with the result in front of a person.

use std::process::ExitCode;

use jiff::Timestamp;
use job::Job;
use worker::jobs::search_rollup::SearchRollup;

use super::reach::{at_store, queue, store};
use super::reconcile::why;
use super::{Usage, load};
use crate::cli::Globals;
use crate::output::{print, print_json};
use crate::wire::Parts;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider search rollup                                                            count what is due
  postrider search rollup --from 2026-11-24T00:00:00Z --to 2026-11-25T00:00:00Z      count a day again")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Counts searches by the hour and the day
    Rollup(RollupArgs),
}

#[derive(Debug, clap::Args)]
struct RollupArgs {
    /// The beginning of the first hour (RFC 3339); without it whatever is due.
    #[arg(long, requires = "to")]
    from: Option<Timestamp>,
    /// The end of the last hour.
    #[arg(long, requires = "from")]
    to: Option<Timestamp>,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let Command::Rollup(args) = &args.command;
    let asked = SearchRollup { from: args.from, to: args.to };
    if let Some(wrong) = asked.validate().err().and_then(|errors| errors.into_iter().next()) {
        return Err(Usage(format!("--{}: {}", wrong.field, wrong.message)).into());
    }
    let config = load(globals)?;
    // What is not there is named before anything is built, or made, for it.
    store(&config).await.map_err(|e| at_store(e, &config))?.close().await;
    drop(queue(&config).await?);
    let context = Parts::build(config).await?.context()?;
    let done = worker::search::roll_up(&context, asked.wanted(), || false).await.map_err(why)?;
    if args.json {
        print_json(&done)?;
    } else {
        print(&format!(
            "{} hours and {} days were counted, {} searches in these hours\n{} interactions found their search, {} count \
             as orphans now\n",
            done.hours, done.days, done.searches, done.found, done.orphaned
        ))?;
        if done.kept > 0 {
            let kept = done.kept;
            print(&format!(
                "{kept} windows stay as they were counted: some of their events have gone with their age\n"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
