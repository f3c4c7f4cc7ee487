//! The far end of `bench mail`, in a process of its own: a relay that takes every mail and keeps none.
//!
//! It says where it listens, and when its standard input ends, how many mails it took.

use std::io::Write;
use std::process::ExitCode;

use mail::{Catcher, CatcherOptions};
use tokio::io::{AsyncReadExt, stdin};

/// Serves until standard input ends, in one thread: it is not what is measured, and shares the machine with what is.
pub async fn run() -> anyhow::Result<ExitCode> {
    let alone = || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve());
    tokio::task::spawn_blocking(alone).await?
}

async fn serve() -> anyhow::Result<ExitCode> {
    let options = CatcherOptions { max_connections: 1_024, ..CatcherOptions::default() };
    let sink = Catcher::sink("127.0.0.1:0".parse()?, options).await?;
    say(&sink.addr().to_string())?;
    let mut rest = Vec::new();
    stdin().read_to_end(&mut rest).await?;
    say(&sink.inbox().received().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
