//! `postrider domain`: whether mail of a domain authenticates, and the keys that sign it.
//!
//! `check` looks at what is published and changes nothing; `list` shows what the workers have found. `keygen` makes a key
//! and prints its record; `rotate` goes over to a second one in two steps, so that no mail is signed with a key that
//! receivers do not find.

mod check;
mod keygen;
mod list;
mod rotate;

use std::process::ExitCode;

use config::Config;
use jiff::Timestamp;
use job::{Clock, SystemClock};
use mail::EmailAddress;

use super::{Usage, dev, load};
use crate::cli::Globals;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider domain check example.com
  postrider domain keygen example.com
  postrider domain rotate example.com
  postrider domain list")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Looks at everything that is published for a domain, and says what to mend
    Check(check::Args),
    /// Makes a DKIM key and prints the record to publish
    Keygen(keygen::Args),
    /// Goes over to another DKIM key: makes it, or, once it is published, switches
    Rotate(rotate::Args),
    /// Lists the senders' domains, as the workers have found them
    List(list::Args),
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let mut config = load(globals)?;
    if let Some(data) = &globals.data {
        ask_the_zone_of_dev(&mut config, data);
    }
    match &args.command {
        Command::Check(args) => check::run(&config, args).await,
        Command::Keygen(args) => keygen::run(args),
        Command::Rotate(args) => rotate::run(&config, args).await,
        Command::List(args) => list::run(&config, args).await,
    }
}

/// The zone of a `dev` that runs on this folder, if it has left its address there.
pub fn ask_the_zone_of_dev(config: &mut Config, data: &std::path::Path) {
    if !config.mail.dns.servers.is_empty() {
        return;
    }
    let address = std::fs::read_to_string(data.join(dev::DNS_ADDRESS)).ok().and_then(|text| text.trim().parse().ok());
    config.mail.dns.servers = address.into_iter().collect();
}

/// A domain as it is written on the command line, in lower-case ASCII.
fn domain(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('.');
    match EmailAddress::parse(&format!("x@{text}")) {
        Ok(address) => Ok(address.domain().to_owned()),
        Err(error) => Err(format!("a domain like example.com is expected: {error}")),
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// A sender or a domain that the configuration does not have.
fn unknown(what: String, known: impl Iterator<Item = String>) -> Usage {
    let known: Vec<String> = known.collect();
    match known.is_empty() {
        true => Usage(format!("{what}: no sender is configured (mail.domain, mail.senders)")),
        false => Usage(format!("{what}; there are {}", known.join(", "))),
    }
}
