//! `postrider bench search`: search events through the API and the worker into Postgres, and counting a day of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use job::{Chance, Clock, SystemClock};
use queue::consumer::Share;
use secrecy::ExposeSecret;
use store::{Granularity, MetricsFilter, NewApiKey, Scope};
use telemetry::metrics::Meters;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use worker::{Registry, Runner, RunnerSettings};

use super::Bench;
use super::figures::{Figures, own_cpu, own_memory};
use super::http::Connection;
use super::queue::{context, wait_empty};

/// How often it is looked whether all is written.
const LOOK: Duration = Duration::from_millis(5);
/// Events in a call.
const BATCH: u64 = 1_000;
/// Of these, searches; the rest is what was done with what they found.
const SEARCHES: u64 = 400;
/// Connections that batches come over.
const CONNECTIONS: usize = 4;
/// Batches that a worker writes at a time, as `[queues.search]` says unless it is changed.
const CONCURRENCY: usize = 4;

/// Measures.
pub(super) async fn run(bench: &Bench, events: u64, day: u64) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    figures.ran("postrider", format!("{}, {} and Postgres", env!("CARGO_PKG_VERSION"), bench.backend()));
    if events > 0 {
        ingest(bench, events.div_ceil(BATCH), &mut figures).await?;
    }
    if day > 0 {
        count(bench, day, &mut figures).await?;
    }
    Ok(figures)
}

async fn ingest(bench: &Bench, batches: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let key = NewApiKey {
        id: bench.ids.next(&bench.queue).uuid(),
        name: "bench".to_owned(),
        scopes: vec![Scope::SearchWrite],
        rate_per_second: Some(1_000_000),
    };
    let secret = bench.store.create_api_key(&key, SystemClock.now()).await?.secret;
    let config = config::Config::default();
    let meters = Meters::default();
    let state = api::State::new(api::Parts {
        broker: Arc::clone(&bench.broker),
        store: bench.store.clone(),
        registry: Arc::new(Registry::standard(false)),
        ids: Arc::clone(&bench.ids),
        clock: Arc::new(SystemClock),
        chance: Chance::system(),
        settings: api::Settings::from_config(&config.api, vec![bench.queue.clone()]),
        bookings: Arc::default(),
        alerts: worker::alerts::Intake::new(bench.store.clone(), Arc::default(), Arc::clone(&bench.ids)),
        heartbeats: Arc::default(),
        meters: meters.clone(),
        metrics: Arc::new(String::new),
        gate: None,
        notices: worker::Notices::default(),
        dev: None,
        secrets: Some(Arc::new(secrets::Keyring::ephemeral())),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let end = CancellationToken::new();
    let server = tokio::spawn(api::serve(listener, api::router(state), end.clone().cancelled_owned()));
    // Made beforehand: who sends is not what is measured.
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..batches)
            .map(|n| Connection::request("/v1/search/events", secret.expose_secret(), &batch(bench, n)))
            .collect(),
    );
    let runner = start(bench);

    let (cpu, began) = (own_cpu(), Instant::now());
    let next = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, requests) = (Arc::clone(&next), Arc::clone(&requests));
        senders.spawn(async move {
            let mut connection = Connection::open(address).await?;
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                let status = connection.exchange(request).await?;
                ensure!(status == 202, "the API answered {status}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    let accepted = began.elapsed().as_secs_f64();
    wait_empty(bench, batches, LOOK).await?;
    let written = began.elapsed().as_secs_f64();
    let cpu = own_cpu().zip(cpu).map(|(after, before)| after - before);
    runner.shut_down().await;
    end.cancel();
    server.await??;

    let events = (batches * BATCH) as f64;
    figures.add("accepted_per_s", "events accepted over HTTP, in batches of 1,000", events / accepted, "events/s");
    figures.add("events_per_s", "events through API, queue and worker into Postgres", events / written, "events/s");
    if let Some(cpu) = cpu {
        figures.add("cpu_us_per_event", "CPU of API, worker and sender for an event", cpu / events * 1e6, "µs");
    }
    // What was written is what was sent.
    let now = SystemClock.now();
    let hour = Granularity::Hour.floor(now);
    let mut searches = 0;
    for start in [job::clock::from_ms(hour.as_millisecond() - Granularity::Hour.millis()), hour] {
        let rules = worker::search::SearchSettings::default().rules;
        searches += bench.store.roll_search_window(Granularity::Hour, start, &rules, now).await?.searches;
    }
    if searches != batches * SEARCHES {
        bail!("{searches} searches are in the store; {} were sent", batches * SEARCHES);
    }
    Ok(())
}

fn start(bench: &Bench) -> Runner {
    let settings = RunnerSettings {
        queues: vec![Share { queue: bench.queue.clone(), weight: 1, limit: Some(CONCURRENCY) }],
        concurrency: CONCURRENCY * 2,
        loops: 2,
        heartbeat: Duration::from_secs(5),
        unknown_grace: Duration::from_secs(600),
        soft: Duration::from_secs(20),
        hard: Duration::from_secs(30),
        sweep_after: Duration::from_secs(30),
        worker: crate::process::start_id(),
    };
    Runner::start(settings, Arc::new(Registry::standard(false)), context(bench, None))
}

/// A batch as a marketplace sends it: searches, and what was done with what these found.
fn batch(bench: &Bench, n: u64) -> String {
    let now = SystemClock.now();
    let id = || bench.ids.next(&bench.queue).uuid();
    let ids: Vec<String> = (0..SEARCHES).map(|_| id().to_string()).collect();
    let search = |(i, id): (usize, &String)| {
        let user = (n * 131 + i as u64 * 7) % 100_000;
        format!(
            "{{\"id\":\"{id}\",\"occurred_at\":\"{now}\",\"user\":\"u_{user}\",\"session\":\"s_{user}\",\
             \"query\":\"Piano lessons {}\",\"kind\":\"text\",\"filters\":{{\"online\":true}},\"results_count\":{},\
             \"device\":\"mobile\",\"referrer\":\"https://www.example.com/music\",\"consent\":true,\"ip\":\"192.0.2.{}\"}}",
            user % 977,
            i % 30,
            i % 250,
        )
    };
    let interaction = |i: u64| {
        let search = &ids[(i % SEARCHES) as usize];
        let kind = ["view", "view", "click", "hover", "contact", "book"][(i % 6) as usize];
        format!(
            "{{\"id\":\"{}\",\"search_id\":\"{search}\",\"occurred_at\":\"{now}\",\"kind\":\"{kind}\",\
             \"item\":\"tutor_{i}\",\"position\":{},\"seconds\":4.2}}",
            id(),
            i % 20 + 1,
        )
    };
    let searches: Vec<String> = ids.iter().enumerate().map(search).collect();
    let interactions: Vec<String> = (0..BATCH - SEARCHES).map(interaction).collect();
    format!("{{\"searches\":[{}],\"interactions\":[{}]}}", searches.join(","), interactions.join(","))
}

async fn count(bench: &Bench, events: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let today = Granularity::Day.floor(now);
    let day = job::clock::from_ms(today.as_millisecond() - 2 * Granularity::Day.millis());
    let context = context(bench, None);
    bench.store.make_search_partitions_ahead(day).await?;
    bench.store.fill_search_events(day, events).await.context("the day of events")?;
    let before = own_memory();
    let (peak, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watch = {
        let (peak, end) = (Arc::clone(&peak), Arc::clone(&end));
        tokio::spawn(async move {
            while !end.load(Ordering::Relaxed) {
                peak.fetch_max(own_memory().unwrap_or(0.0) as u64, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };
    let began = Instant::now();
    let asked = worker::search::Wanted::All(day, Granularity::Day.next(day));
    let done = worker::search::roll_up(&context, asked, || false).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let took = began.elapsed().as_secs_f64();
    end.store(true, Ordering::Relaxed);
    watch.await?;
    ensure!((done.hours, done.days) == (24, 1), "{done:?}");
    let counted = bench
        .store
        .search_metrics(day, Granularity::Day.next(day), Granularity::Day, &MetricsFilter::default())
        .await?;
    ensure!(counted.iter().map(|day| day.searches).sum::<u64>() == events * 2 / 5 / 24 * 24, "{counted:?}");
    figures.add("rollup_s", &format!("counting a day of {events} events: 24 hours and the day"), took, "s");
    figures.add(
        "rollup_events_per_s",
        "events counted, each in its hour and its day",
        events as f64 / took,
        "events/s",
    );
    if let Some(before) = before {
        let grown = (peak.load(Ordering::Relaxed) as f64 - before).max(0.0) / 1e6;
        figures.add("rollup_memory_mb", "memory that it took, at most", grown, "MB");
    }
    Ok(())
}
