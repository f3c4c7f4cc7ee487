//! The listener: HTTP/1.1 over TCP, until it is told to stop.
//!
//! 1. Connections are accepted; a lack of file descriptors is waited out, not died of.
//! 2. A client has 15 s to send its headers; idle connections end the same way.
//! 3. When `shutdown` resolves, nothing new is accepted, requests that run are finished, idle connections closed. Ten
//!    seconds later whatever is left is cut.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long running requests may take to end once the server is to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait after `accept` failed for want of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown` resolves and the running requests are done.
///
/// Errors: none that end it; the result is there for symmetry with what the binary awaits beside it.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => connection(stream, router.clone(), &graceful),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests that did not end in time are cut");
    }
    Ok(())
}

fn connection(stream: TcpStream, router: Router, graceful: &GracefulShutdown) {
    // Answers are small and written at once: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let watched = graceful.watch(served);
    tokio::spawn(async move {
        // A client that goes away, or speaks no HTTP, is its own affair.
        if let Err(error) = watched.await {
            tracing::trace!(%error, "a connection ended early");
        }
    });
}
