//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;

/// Background jobs and mail that arrives: one binary, every role.
///
/// Begin with `postrider dev`: API, worker, queue, store, a mail catcher and a DNS zone in one process, with nothing
/// else installed. In production run `postrider migrate` once, then `postrider api`, `postrider scheduler` and as many
/// `postrider worker` as are wanted, with POSTRIDER__QUEUE__URL and POSTRIDER__STORE__URL set.
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
    /// A configuration file (TOML); the environment, POSTRIDER__SECTION__KEY, is laid over it
    ///
    /// What it leaves out has its default; `postrider config` prints all of them, explained.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Works on the data of `postrider dev` in this folder, with its settings
    ///
    /// The same as --data of `postrider dev`, which uses `./postrider-data` unless it is given. What was set for `postrider
    /// dev` by --config or in the environment has to be given here, too.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
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
    /// A scheduler: fires schedules; of any number of them one leads.
    Scheduler,
    /// Brings the store's tables up to date.
    Migrate(commands::migrate::Args),
    /// Puts one job into its queue.
    Enqueue(commands::enqueue::Args),
    /// Lists, shows, cancels and retries jobs.
    Jobs(commands::jobs::Args),
    /// Lists, pauses and resumes queues.
    Queues(commands::queues::Args),
    /// Lists schedules, shows when they fire, runs, pauses, resumes and backfills them.
    Schedules(commands::schedules::Args),
    /// Lists, beats and removes heartbeats: what has to report regularly.
    Heartbeats(commands::heartbeats::Args),
    /// Counts searches by the hour and the day.
    Search(commands::search::Args),
    /// Creates, lists and revokes API keys.
    Keys(commands::keys::Args),
    /// Prints new keys for sealing and signing.
    Secrets(commands::secrets::Args),
    /// Lists, adds and lifts suppressions: who must not be written to.
    Suppressions(commands::suppressions::Args),
    /// Lists, checks and shows the templates of mails.
    Templates(commands::templates::Args),
    /// Checks a sender's domain, makes and rotates its keys.
    Domain(commands::domain::Args),
    /// Says what became of a mail; resends, cancels and resolves those that are stuck.
    Delivery(commands::delivery::Args),
    /// Lists incidents, says who is told, silences.
    Alerts(commands::alerts::Args),
    /// Holds what must have been mailed against the ledger, and makes good what is missing.
    Reconcile(commands::reconcile::Args),
    /// Checks queue, store and settings, and says what to mend.
    Doctor(commands::doctor::Args),
    /// Measures, through the production path.
    Bench(commands::bench::Args),
    /// Prints the default configuration, every key explained.
    Config,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_command_line_fits_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_data_folder_can_be_named_on_either_side_of_a_command() {
        for line in ["postrider --data d jobs list", "postrider jobs --data d list", "postrider dev --data d"] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert_eq!(cli.globals.data, Some("d".into()), "{line}");
        }
    }

    #[test]
    fn every_command_is_explained_and_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                assert!(sub.get_about().is_some(), "{path} has no summary");
                for arg in sub.get_arguments().filter(|arg| !arg.is_global_set()) {
                    assert!(arg.get_help().is_some(), "{path} {} is not explained", arg.get_id());
                }
                let ours = [
                    "alerts",
                    "delivery",
                    "migrate",
                    "enqueue",
                    "jobs",
                    "queues",
                    "schedules",
                    "heartbeats",
                    "keys",
                    "secrets",
                    "suppressions",
                    "templates",
                    "reconcile",
                    "doctor",
                    "domain",
                ];
                if ours.iter().any(|name| path.starts_with(&format!("postrider {name}"))) {
                    let shown = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                    assert!(shown.contains("postrider "), "{path} shows no example");
                }
                check(sub, &path);
            }
        }
        check(&Cli::command(), "postrider");
    }
}
