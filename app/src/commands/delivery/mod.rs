//! `postrider delivery`: why did this person (not) get this mail? And the ways out for one that is stuck.

mod act;
mod list;
mod show;

use std::process::ExitCode;

use store::DeliveryState;
use uuid::Uuid;

use super::load;
use super::reach::{at_queue, at_store, store};
use crate::cli::Globals;
use crate::output::Colour;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider delivery list --recipient zoe@example.com
  postrider delivery show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider delivery list --state unknown --json | jq -r '.items[].id'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists mails, newest first
    List(list::Args),
    /// Says in words why a mail did or did not arrive, attempt by attempt
    Show(show::Args),
    /// Sends mails again: all but those that are being sent, were sent or called off
    Resend(act::IdsArgs),
    /// Calls mails off that are not being sent yet
    Cancel(act::CancelArgs),
    /// Says what became of a mail whose fate is unknown
    Resolve(act::ResolveArgs),
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let store = store(&config).await.map_err(|e| at_store(e, &config))?;
    let done = match &args.command {
        Command::List(args) => list::run(&store, args).await,
        Command::Show(args) => show::run(&store, args).await,
        Command::Resend(args) => act::resend(&config, &store, args).await,
        Command::Cancel(args) => act::cancel(&store, args).await,
        Command::Resolve(args) => act::resolve(&store, args).await,
    };
    store.close().await;
    done.map_err(|e| at_queue(at_store(e, &config), &config))
}

/// A delivery's id.
fn id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| {
        "an id such as 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 is expected (postrider delivery list)".to_owned()
    })
}

/// The colour of a mail's state.
fn colour(state: DeliveryState) -> Colour {
    match state {
        DeliveryState::Queued => Colour::Plain,
        DeliveryState::Sending => Colour::Cyan,
        DeliveryState::Sent => Colour::Green,
        DeliveryState::Deferred | DeliveryState::Suppressed | DeliveryState::Cancelled | DeliveryState::Expired => {
            Colour::Yellow
        }
        DeliveryState::Held | DeliveryState::Failed | DeliveryState::Unknown => Colour::Red,
    }
}
