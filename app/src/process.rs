//! The process and the outside: signals, and an identity that no other start has.

use job::Chance;
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT. A second one ends the process at once.
pub fn shutdown_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        for time in 0..2 {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if time == 0 {
                told.cancel();
                tracing::info!("stopping: finishing what runs (once more to stop at once)");
            }
        }
        std::process::exit(130);
    });
    Ok(token)
}

/// A number that no other start of any process has: worker ids and lease tokens begin with it.
pub fn start_id() -> u64 {
    Chance::system().bits()
}
