//! `postrider bench`: measures through the production path.

use std::process::ExitCode;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Measures.
pub async fn run(_: Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
