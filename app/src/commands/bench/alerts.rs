//! `postrider bench alerts`: a storm over HTTP at a set pace, with the clockwork beside it, in one process. At the end each
//! incident must be counted right, and nobody may have got more than one digest an interval: or the run fails.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{bail, ensure};
use job::{Chance, Clock, SystemClock};
use secrecy::ExposeSecret;
use store::{DeliveryFilter, NewApiKey, Scope, Store};
use telemetry::metrics::Meters;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use worker::alerts::{AlertRules, Intake, OPERATORS, Receiver, clockwork};
use worker::{Context, Registry};

use super::Bench;
use super::figures::{Figures, own_cpu, percentile};
use super::http::Connection;

/// The people who are told.
const PEOPLE: [&str; 3] = ["ana@example.com", "ben@example.com", "ops@example.com"];
/// How often the clockwork looks, as in a worker.
const LOOK: Duration = Duration::from_secs(1);
/// How long after the storm everybody must have been told: twice what groups and digests wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures.
pub(super) async fn run(
    bench: &Bench,
    alerts: u64,
    types: u64,
    seconds: u64,
    connections: u64,
) -> anyhow::Result<Figures> {
    let metrics = telemetry::metrics::install()?;
    let mut figures = Figures::default();
    figures.ran(
        "ran",
        format!(
            "postrider {} bench alerts: {alerts} alerts of {types} types, one a request, within {seconds} s over \
             {connections} connections, store {}, clockwork and load generator in the same process",
            env!("CARGO_PKG_VERSION"),
            bench.store.backend()
        ),
    );
    let operators = Receiver { emails: PEOPLE.map(str::to_owned).to_vec(), ..Receiver::default() };
    let receivers = BTreeMap::from([(OPERATORS.to_owned(), operators)]);
    let rules = Arc::new(AlertRules { receivers, ..AlertRules::default() });
    let interval = rules.storm.interval;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let intake = Intake::new(bench.store.clone(), rules, Arc::clone(&bench.ids));
    let context = Context {
        alerts: intake.clone(),
        ..Context::new(bench.store.clone(), Arc::clone(&bench.broker), Arc::clone(&bench.ids), Arc::clone(&clock))
    };
    let key = NewApiKey {
        id: bench.ids.next(&bench.queue).uuid(),
        name: "bench".to_owned(),
        scopes: vec![Scope::AlertsWrite],
        rate_per_second: Some(1_000_000),
    };
    let secret = bench.store.create_api_key(&key, clock.now()).await?.secret;
    let state = api::State::new(api::Parts {
        broker: Arc::clone(&bench.broker),
        store: bench.store.clone(),
        registry: Arc::new(Registry::standard(false)),
        ids: Arc::clone(&bench.ids),
        clock: Arc::clone(&clock),
        chance: Chance::system(),
        settings: api::Settings::from_config(&config::Config::default().api, vec![bench.queue.clone()]),
        bookings: Arc::default(),
        meters: Meters::default(),
        metrics: Arc::new(move || metrics.render()),
        gate: None,
        alerts: intake,
        heartbeats: Arc::default(),
        notices: worker::Notices::default(),
        dev: None,
        secrets: None,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let end = CancellationToken::new();
    let server = tokio::spawn(api::serve(listener, api::router(state), end.clone().cancelled_owned()));
    let looking = tokio::spawn(look(context, end.clone()));

    let (began, cpu) = (Instant::now(), own_cpu());
    let storm = Storm { address, secret: secret.expose_secret().to_owned(), alerts, types, seconds };
    let mut times = storm.rage(connections).await?;
    let took = began.elapsed();
    let used = own_cpu().zip(cpu).map_or(f64::NAN, |(now, before)| now - before);
    times.sort_unstable();
    figures.add("alerts_per_s", "alerts taken in", alerts as f64 / took.as_secs_f64(), "alerts/s");
    figures.add("alert_p50_ms", "answer p50", percentile(&times, 0.5), "ms");
    figures.add("alert_p99_ms", "answer p99", percentile(&times, 0.99), "ms");
    figures.add("alert_max_ms", "slowest answer", percentile(&times, 1.0), "ms");
    figures.add("cpu_cores", "CPU of all of it", used / took.as_secs_f64(), "cores");

    // A group waits for others, and a digest for groups.
    let most = || 1 + began.elapsed().as_secs() / interval.as_secs();
    let patience = Instant::now() + PATIENCE;
    while told(&bench.store, most()).await.is_err() && Instant::now() < patience {
        tokio::time::sleep(LOOK).await;
    }
    end.cancel();
    looking.await??;
    server.await??;
    counted(&bench.store, alerts, types).await?;
    let digests = told(&bench.store, most()).await?;
    figures.add("digests", "digests to three people", digests as f64, "mails");
    Ok(figures)
}

async fn look(context: Context, end: CancellationToken) -> anyhow::Result<()> {
    while !end.is_cancelled() {
        clockwork::once(&context).await?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// What is sent.
struct Storm {
    address: std::net::SocketAddr,
    secret: String,
    alerts: u64,
    types: u64,
    seconds: u64,
}

impl Storm {
    /// Sends every alert at its own time, or as soon after it as a connection is free; answers how long each took, from when
    /// it was to be sent, so that waiting for a connection counts.
    async fn rage(self, connections: u64) -> anyhow::Result<Vec<Duration>> {
        let (next, storm) = (Arc::new(AtomicU64::new(0)), Arc::new(self));
        let mut senders = JoinSet::new();
        let began = Instant::now();
        for _ in 0..connections {
            let (next, storm) = (Arc::clone(&next), Arc::clone(&storm));
            senders.spawn(async move {
                let mut connection = Connection::open(storm.address).await?;
                let mut times = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= storm.alerts {
                        return Ok(times);
                    }
                    let due = began + Duration::from_secs(storm.seconds).mul_f64(n as f64 / storm.alerts as f64);
                    let request = Connection::request("/v1/alerts", &storm.secret, &storm.alert(n));
                    sleep_until(due).await;
                    let got = connection.exchange(&request).await?;
                    times.push(due.elapsed());
                    if got != 202 {
                        bail!("the API answered {got}");
                    }
                }
            });
        }
        let mut times = Vec::new();
        while let Some(sender) = senders.join_next().await {
            times.extend(sender??);
        }
        Ok(times)
    }

    fn alert(&self, n: u64) -> String {
        let kind = n % self.types;
        let severity = ["info", "warning", "critical"][(kind % 3) as usize];
        format!(
            "{{\"type\":\"check.{kind}\",\"severity\":\"{severity}\",\"title\":\"Check {kind} fails\",\
             \"message\":\"It has failed three times in a row.\",\"labels\":{{\"host\":\"h{}\",\"service\":\"search\"}}}}",
            kind % 40
        )
    }
}

/// Every incident has the alerts that it should have.
async fn counted(store: &Store, alerts: u64, types: u64) -> anyhow::Result<()> {
    let active = store.active_incidents(u32::try_from(types)?.saturating_add(1)).await?;
    ensure!(active.len() as u64 == types.min(alerts), "{} incidents are there", active.len());
    for incident in active {
        let kind: u64 = incident.kind.trim_start_matches("check.").parse()?;
        let expected = alerts / types + u64::from(kind < alerts % types);
        ensure!(incident.alerts == i64::try_from(expected)?, "{} counted {}", incident.kind, incident.alerts);
    }
    Ok(())
}

/// How many digests there were, if nobody got more than `most`, and everybody one.
async fn told(store: &Store, most: u64) -> anyhow::Result<u64> {
    let mails = store.list_deliveries(&DeliveryFilter::default(), 1_000, None).await?.items;
    let mut digests: HashMap<String, u64> = HashMap::new();
    for mail in mails.iter().filter(|mail| mail.template == "alert_digest") {
        *digests.entry(mail.recipient.clone()).or_default() += 1;
    }
    for person in PEOPLE {
        let got = digests.get(person).copied().unwrap_or_default();
        ensure!((1..=most).contains(&got), "{person} got {got} digests; 1 to {most} are fine");
    }
    Ok(digests.values().sum())
}
