//! Enqueueing over HTTP: the API as in production, and a load generator, in one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use job::{Chance, SystemClock};
use store::{NewApiKey, Scope};
use telemetry::metrics::Meters;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use worker::Registry;

use super::Bench;
use super::figures::{Figures, percentile};
use super::http::Connection;
use job::Clock;
use secrecy::ExposeSecret;

/// Jobs in a batch.
const BATCH: u64 = 1_000;

/// Measures.
pub async fn run(bench: &Bench, requests: u64, batches: u64, connections: u64) -> anyhow::Result<Figures> {
    let metrics = telemetry::metrics::install()?;
    let mut figures = Figures::default();
    figures.ran(
        "ran",
        format!(
            "postrider {} bench api: {requests} requests over {connections} connections, {batches} batches of {BATCH}, \
         jobs to {}, load generator in the same process",
            env!("CARGO_PKG_VERSION"),
            bench.backend()
        ),
    );
    let key = NewApiKey {
        id: bench.ids.next(&bench.queue).uuid(),
        name: "bench".to_owned(),
        scopes: vec![Scope::JobsWrite],
        rate_per_second: Some(1_000_000),
    };
    let secret = bench.store.create_api_key(&key, SystemClock.now()).await?.secret;
    let mut config = config::Config::default();
    config.debug.kinds = true;
    let state = api::State::new(api::Parts {
        broker: Arc::clone(&bench.broker),
        store: bench.store.clone(),
        registry: Arc::new(Registry::standard(true)),
        ids: Arc::clone(&bench.ids),
        clock: Arc::new(SystemClock),
        chance: Chance::system(),
        settings: api::Settings::from_config(&config.api, vec![bench.queue.clone()]),
        heartbeats: Arc::default(),
        bookings: Arc::default(),
        meters: Meters::default(),
        metrics: Arc::new(move || metrics.render()),
        gate: None,
        alerts: worker::alerts::Intake::new(bench.store.clone(), Arc::default(), Arc::clone(&bench.ids)),
        notices: worker::Notices::default(),
        dev: None,
        secrets: None,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let end = CancellationToken::new();
    let server = tokio::spawn(api::serve(listener, api::router(state), end.clone().cancelled_owned()));

    let job = |n: u64| {
        format!("{{\"kind\":\"debug.noop\",\"queue\":\"bench\",\"args\":{{\"n\":{n},\"to\":\"u{n}@example.com\"}}}}")
    };
    let single = Connection::request("/v1/jobs", secret.expose_secret(), &job(1));
    let batch = (0..BATCH).map(job).collect::<Vec<_>>().join(",");
    let batch = Connection::request("/v1/jobs/batch", secret.expose_secret(), &format!("{{\"jobs\":[{batch}]}}"));

    let (took, mut times) = load(address, connections, requests, single, 202).await?;
    figures.add("requests_per_s", "single requests", requests as f64 / took.as_secs_f64(), "requests/s");
    times.sort();
    figures.add("request_p50_ms", "answer p50 under this load", percentile(&times, 0.5), "ms");
    figures.add("request_p99_ms", "answer p99 under this load", percentile(&times, 0.99), "ms");
    let (took, _) = load(address, 4, batches, batch, 200).await?;
    let per_s = (batches * BATCH) as f64 / took.as_secs_f64();
    figures.add("batch_jobs_per_s", "jobs in batches of 1,000", per_s, "jobs/s");
    let stats = bench.broker.stats().await?;
    let written: u64 = stats.iter().map(|queue| queue.counts.iter().sum::<u64>()).sum();
    end.cancel();
    server.await??;
    if written != requests + batches * BATCH {
        bail!("{written} jobs are in the queue; {} were accepted", requests + batches * BATCH);
    }
    Ok(figures)
}

/// Sends `count` requests over `connections`; every answer must have `status`.
async fn load(
    address: std::net::SocketAddr,
    connections: u64,
    count: u64,
    request: Vec<u8>,
    status: u16,
) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let (next, request) = (Arc::new(AtomicU64::new(0)), Arc::new(request));
    let mut senders = JoinSet::new();
    let began = Instant::now();
    for _ in 0..connections {
        let (next, request) = (Arc::clone(&next), Arc::clone(&request));
        senders.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut times = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let sent = Instant::now();
                let got = connection.exchange(&request).await?;
                times.push(sent.elapsed());
                if got != status {
                    bail!("the API answered {got}");
                }
            }
            Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(sender) = senders.join_next().await {
        times.extend(sender??);
    }
    Ok((began.elapsed(), times))
}
