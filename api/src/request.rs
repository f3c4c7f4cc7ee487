//! What happens around every request, in one layer, so that a request passes through little.
//!
//! 1. In `postrider dev` the `Host` must be this machine's: a foreign page must not reach the server through a name of
//!    its own that points here (DNS rebinding). 421 otherwise.
//! 2. It gets a request id: the caller's, if it is a plain word, or a random one. It is in the answer and in the logs.
//! 3. It runs in a span with method, route and id; the body is in no log, nor is the path, which may name a person.
//! 4. If it is refused while its body is still coming, the rest is read, so that the client sees why ([`crate::unread`]).
//! 5. It may take `request_timeout`, then it is answered 503. A panic is answered 500 and logged.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::error::{ApiError, Fault};
use crate::state::State;
use crate::unread::keep;

/// The header of the request id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over from a caller.
const LONGEST_ID: usize = 64;

/// The layer.
pub async fn around(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let id = request_id(&state, request.headers());
    let (request, rest) = keep(request);
    let mut response = match refuse_foreign_host(&state, &request) {
        Ok(()) => guarded(&state, &id, request, next).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(rest) = rest
        && response.status().is_client_error()
        && response.status() != StatusCode::REQUEST_TIMEOUT
    {
        rest.drain().await;
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn guarded(state: &State, id: &HeaderValue, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("-", |path| path.as_str());
    let meter = state.meters.http(request.method().as_str(), route);
    let span = tracing::info_span!(
        "request", method = %request.method(), route, request_id = id.to_str().unwrap_or_default()
    );
    let running = timeout(state.settings.request_timeout, AssertUnwindSafe(next.run(request)).catch_unwind());
    async move {
        let response = match running.await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => ApiError::internal(panic_message(panic.as_ref())).into_response(),
            Err(_) => ApiError::unavailable("The request took too long and was given up.").into_response(),
        };
        let (status, took) = (response.status(), began.elapsed());
        meter.answered(status.as_u16(), took);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(status = status.as_u16(), duration_ms = took.as_millis(), "unavailable");
        } else {
            tracing::debug!(status = status.as_u16(), duration_ms = took.as_secs_f64() * 1e3, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// The caller's id, or a random one.
fn request_id(state: &State, headers: &HeaderMap) -> HeaderValue {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:".contains(b);
    headers
        .get(REQUEST_ID)
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_ID && id.as_bytes().iter().all(plain))
        .cloned()
        .unwrap_or_else(|| {
            HeaderValue::from_str(&format!("{:016x}", state.chance.bits())).expect("hexadecimal is plain ASCII")
        })
}

fn refuse_foreign_host(state: &State, request: &Request) -> Result<(), ApiError> {
    if state.dev.is_none() {
        return Ok(());
    }
    let in_uri = request.uri().host();
    let in_header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    // A request of HTTP/1.0 may have none; a browser always sends it.
    let hosts = in_uri.into_iter().chain(in_header.map(without_port));
    for host in hosts {
        if !is_this_machine(host) {
            let message = "only localhost and loopback addresses are served in `postrider dev`";
            return Err(ApiError::new(Fault::Misdirected, format!("Host: {message}.")).field("Host", message));
        }
    }
    Ok(())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_host() {
        for ours in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "[::1]"]
        {
            assert!(is_this_machine(without_port(ours)), "{ours}");
        }
        for foreign in ["example.com", "localhost.example.com:8080", "10.0.0.1", "evil.test:8080", "", "[fe80::1]", "?"]
        {
            assert!(!is_this_machine(without_port(foreign)), "{foreign}");
        }
    }
}
