//! One file a subcommand.

pub mod alerts;
pub mod api;
pub mod bench;
pub mod delivery;
pub mod dev;
pub mod doctor;
pub mod domain;
pub mod enqueue;
pub mod heartbeats;
pub mod jobs;
pub mod keys;
pub mod migrate;
pub mod queues;
mod reach;
pub mod reconcile;
pub mod scheduler;
pub mod schedules;
pub mod search;
pub mod secrets;
pub mod suppressions;
pub mod templates;
pub mod worker;

pub use reach::{sqlite_file, why_away};

use std::process::ExitCode;

use config::Config;

use crate::cli::{Cli, Command, Globals};

/// A mistake of the caller: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Runs the command.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let globals = &cli.globals;
    match cli.command {
        Command::Dev(args) => dev::run(globals, &args).await,
        Command::Api => api::run(globals).await,
        Command::Worker(args) => worker::run(globals, &args).await,
        Command::Scheduler => scheduler::run(globals).await,
        Command::Migrate(args) => migrate::run(globals, &args).await,
        Command::Enqueue(args) => enqueue::run(globals, &args).await,
        Command::Jobs(args) => jobs::run(globals, &args).await,
        Command::Queues(args) => queues::run(globals, &args).await,
        Command::Schedules(args) => schedules::run(globals, &args).await,
        Command::Heartbeats(args) => heartbeats::run(globals, &args).await,
        Command::Search(args) => search::run(globals, &args).await,
        Command::Keys(args) => keys::run(globals, &args).await,
        Command::Secrets(args) => secrets::run(&args),
        Command::Suppressions(args) => suppressions::run(globals, &args).await,
        Command::Templates(args) => templates::run(globals, &args),
        Command::Domain(args) => domain::run(globals, &args).await,
        Command::Delivery(args) => delivery::run(globals, &args).await,
        Command::Alerts(args) => alerts::run(globals, &args).await,
        Command::Reconcile(args) => reconcile::run(globals, &args).await,
        Command::Doctor(args) => doctor::run(globals, &args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Config => crate::output::print(config::DEFAULT_TOML).map(|()| ExitCode::SUCCESS),
    }
}

/// The configuration of a command: defaults (with `--data` those of `dev` in that folder), file, environment.
fn load(globals: &Globals) -> anyhow::Result<Config> {
    let file = globals.config.as_deref();
    Ok(match &globals.data {
        Some(data) => Config::load_dev(data, file, environment()?)?,
        None => Config::load(file, environment()?)?,
    })
}

/// The environment. What is not ours may hold any bytes; what is ours must be text.
fn environment() -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) if name.starts_with(config::ENV_PREFIX) => {
                return Err(Usage(format!("environment variable {name}: is not UTF-8")).into());
            }
            Err(_) => {}
        }
    }
    Ok(variables)
}

/// Sets up logging as configured.
fn start_logging(config: &Config) -> anyhow::Result<()> {
    let format = match config.telemetry.format {
        config::LogFormat::Auto => telemetry::log::Format::Auto,
        config::LogFormat::Pretty => telemetry::log::Format::Pretty,
        config::LogFormat::Json => telemetry::log::Format::Json,
    };
    Ok(telemetry::log::init(&config.telemetry.level, format)?)
}
