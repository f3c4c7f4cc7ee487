//! `postrider keys`.

use std::process::ExitCode;

use crate::cli::Globals;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub async fn run(_: &Globals, _: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
