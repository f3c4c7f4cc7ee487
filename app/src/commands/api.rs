//! `postrider api`: the HTTP API, and its figures on a listener of their own.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use job::Chance;
use tokio::net::TcpListener;

use super::{load, start_logging};
use crate::cli::Globals;
use crate::process;
use crate::wire::{Parts, Schema, links_must_work, must_be_reachable, queue_names, search_settings};

/// The API's state from the parts.
pub fn state(
    parts: &Parts,
    metrics: telemetry::metrics::MetricsHandle,
    dev: Option<api::Dev>,
) -> anyhow::Result<api::State> {
    Ok(api::State::new(api::Parts {
        broker: Arc::clone(&parts.broker),
        store: parts.store.clone(),
        registry: Arc::clone(&parts.registry),
        ids: Arc::clone(&parts.ids),
        clock: Arc::clone(&parts.clock),
        chance: Chance::system(),
        settings: api::Settings {
            senders: parts.config.mail.profiles().collect(),
            templates_dir: parts.config.mail.templates_dir.clone(),
            search: search_settings(&parts.config),
            ..api::Settings::from_config(&parts.config.api, queue_names(&parts.config)?)
        },
        bookings: Arc::clone(&parts.bookings),
        heartbeats: Arc::clone(&parts.heartbeats),
        meters: parts.meters.clone(),
        metrics: Arc::new(move || metrics.render()),
        gate: gate(parts).map(Arc::new),
        alerts: parts.alerts.clone(),
        notices: parts.notices()?,
        dev,
        secrets: parts.secrets.clone(),
    }))
}

/// What looks at domains. It needs the signing keys; an API that has none can do everything else.
fn gate(parts: &Parts) -> Option<worker::Gate> {
    match parts.gate() {
        Ok(gate) => Some(gate),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "domains cannot be checked over this API");
            None
        }
    }
}

/// Binds a listener; the error names the setting (a key, or a flag), the address and what to do.
pub async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(1024));
        let example = match what.starts_with("--") {
            true => format!("{what} {}", other.port()),
            false => format!("POSTRIDER__{}={other}", what.replace('.', "__").to_uppercase()),
        };
        let hint = match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!(" (another process listens there; give this one another address, for example {example})")
            }
            _ => String::new(),
        };
        anyhow!("{what}: cannot listen on {address}: {e}{hint}")
    })
}

/// Serves until a signal.
pub async fn run(globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    start_logging(&config)?;
    let metrics = telemetry::metrics::install()?;
    must_be_reachable(&config)?;
    links_must_work(&config)?;
    let parts = Parts::build(config).await?;
    let state = state(&parts, metrics, None)?;
    let listener = bind("api.listen", parts.config.api.listen).await?;
    let figures = bind("api.metrics_listen", parts.config.api.metrics_listen).await?;
    let shutdown = process::shutdown_on_signal()?;
    let schema = Schema::prepare(&parts, shutdown.clone()).await?;
    tracing::info!(listen = %listener.local_addr()?, metrics = %figures.local_addr()?, "API ready");
    let (first, second) = tokio::join!(
        api::serve(listener, api::router(state.clone()), shutdown.clone().cancelled_owned()),
        api::serve(figures, api::metrics_router(state), shutdown.cancelled_owned()),
    );
    first.and(second)?;
    schema.end().await?;
    Ok(ExitCode::SUCCESS)
}
