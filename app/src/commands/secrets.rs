//! `postrider secrets`: the keys that seal and sign.

use std::process::ExitCode;

use job::{Clock, SystemClock};
use secrets::KeyId;

use crate::output::{hint, print};
use crate::secrets::{id_of_day, new_line};

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider secrets new
  postrider secrets new >> /etc/postrider/keys.toml      where secrets.keys_file names it")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints a new key as a line for [secrets.keys]; nothing is kept or changed
    New(NewArgs),
}

/// Which id it gets.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  postrider secrets new --id k2")]
struct NewArgs {
    /// The key's id, 1 to 32 of a-z, 0-9, _ and -; today's date unless given
    #[arg(long, value_name = "ID", value_parser = id)]
    id: Option<KeyId>,
}

fn id(text: &str) -> Result<KeyId, String> {
    KeyId::new(text).map_err(|e| e.to_string())
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Command::New(new) = &args.command;
    let id = new.id.clone().unwrap_or_else(|| id_of_day(SystemClock.now()));
    hint(&format!(
        "under [secrets.keys], or POSTRIDER__SECRETS__KEYS__{}=…; the same in every process",
        id.as_str().to_uppercase()
    ));
    print(&new_line(&id))?;
    Ok(ExitCode::SUCCESS)
}
