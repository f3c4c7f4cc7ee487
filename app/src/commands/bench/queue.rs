//! Enqueue, drain, latency, memory.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use job::{Clock, Envelope, Job, JobState, SystemClock};
use queue::consumer::Share;
use serde_json::value::RawValue;
use tokio::time::Instant;
use worker::{Context, Mailer, Registry, Runner, RunnerSettings};

use super::figures::{Figures, info, own_cpu, own_memory, percentile, redis_cpu};
use super::{Bench, stamp::Stamp};

/// How many jobs one enqueue call carries.
const BATCH: u64 = 1_000;
/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(5);

/// Measures.
pub async fn run(bench: &Bench, jobs: u64, concurrency: u64, latency_jobs: u64) -> anyhow::Result<Figures> {
    let metrics = telemetry::metrics::install()?;
    let mut figures = Figures::default();
    let loops = std::thread::available_parallelism().map_or(1, usize::from);
    figures.ran(
        "ran",
        format!(
            "postrider {} bench queue: {jobs} debug.noop jobs over {}, {loops} apalis loops, {concurrency} at a time",
            env!("CARGO_PKG_VERSION"),
            bench.backend()
        ),
    );

    // 1. Enqueue.
    let before = match &bench.redis {
        Some(redis) => info(redis, "used_memory").await?,
        None => 0.0,
    };
    let (mut payload, began) = (0, Instant::now());
    for first in (0..jobs).step_by(BATCH as usize) {
        progress("enqueueing", first, jobs);
        let batch = (first..jobs.min(first + BATCH)).map(|n| noop(bench, n)).collect::<anyhow::Result<Vec<_>>>()?;
        payload += batch.iter().map(|job| job.args.get().len()).sum::<usize>();
        let batch: Vec<_> = batch.into_iter().map(Into::into).collect();
        bench.broker.enqueue(&batch).await?;
    }
    figures.add("enqueue_per_s", "enqueue", jobs as f64 / began.elapsed().as_secs_f64(), "jobs/s");
    if let Some(redis) = &bench.redis {
        let bytes = (info(redis, "used_memory").await? - before - payload as f64) / jobs as f64;
        figures.add("redis_bytes_per_job", "Redis, a waiting job beyond its payload", bytes, "bytes");
    }

    // 2. Drain.
    let (cpu, redis_before) = (own_cpu(), cpu_of_redis(bench).await?);
    let began = Instant::now();
    let runner = start(bench, concurrency, loops);
    wait_empty(bench, jobs, LOOK).await?;
    let took = began.elapsed().as_secs_f64();
    figures.add("drain_per_s", "drain", jobs as f64 / took, "jobs/s");
    if let (Some(before), Some(after)) = (cpu, own_cpu()) {
        figures.add("worker_cpu_cores", "worker CPU while draining", (after - before) / took, "cores");
    }
    if let (Some(before), Some(after)) = (redis_before, cpu_of_redis(bench).await?) {
        figures.add("redis_cpu_cores", "Redis CPU while draining", (after - before) / took, "cores");
    }
    if let Some(redis) = &bench.redis {
        let after = info(redis, "used_memory").await? - before;
        figures.add("redis_bytes_after_drain", "Redis memory after draining (10,000 kept)", after, "bytes");
    }

    // 3. Latency, on the idle system.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for n in 0..latency_jobs {
        progress("measuring latency", n, latency_jobs);
        ticks.tick().await;
        let now = SystemClock.now();
        let job = Stamp::now();
        let id = bench.ids.next(&bench.queue);
        bench.broker.enqueue(&[Envelope::of(&job, id, now)?.into()]).await?;
    }
    wait_empty(bench, jobs + latency_jobs, LOOK).await?;
    let mut waited = Stamp::waited();
    waited.sort();
    for (key, what, q) in [
        ("pickup_p50_ms", "pick-up latency p50", 0.5),
        ("pickup_p95_ms", "pick-up latency p95", 0.95),
        ("pickup_p99_ms", "pick-up latency p99", 0.99),
        ("pickup_max_ms", "pick-up latency max", 1.0),
    ] {
        if latency_jobs > 0 {
            figures.add(key, what, percentile(&waited, q), "ms");
        }
    }
    if let Some(bytes) = own_memory() {
        figures.add("worker_rss_bytes", "memory of this process (enqueuer and worker)", bytes, "bytes");
    }
    let left = runner.shut_down().await;
    // Counting is part of the production path: what was counted must be what was run.
    let counted = metrics.render();
    let completed = counted
        .lines()
        .filter(|line| line.starts_with("postrider_jobs_finished_total") && line.contains("outcome=\"completed\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum::<u64>();
    if left > 0 || completed != jobs + latency_jobs {
        bail!("{completed} of {} jobs were completed and {left} were left", jobs + latency_jobs);
    }
    Ok(figures)
}

fn start(bench: &Bench, concurrency: u64, loops: usize) -> Runner {
    let settings = RunnerSettings {
        queues: vec![Share { queue: bench.queue.clone(), weight: 1, limit: None }],
        concurrency: concurrency as usize,
        loops,
        heartbeat: Duration::from_secs(5),
        unknown_grace: Duration::from_secs(600),
        soft: Duration::from_secs(20),
        hard: Duration::from_secs(30),
        sweep_after: Duration::from_secs(30),
        worker: crate::process::start_id(),
    };
    Runner::start(settings, Arc::new(Registry::standard(true).with::<Stamp>()), context(bench, None))
}

/// What the jobs of a measurement may use.
pub(super) fn context(bench: &Bench, mailer: Option<Mailer>) -> Context {
    let (broker, ids) = (Arc::clone(&bench.broker), Arc::clone(&bench.ids));
    Context { mailer: mailer.map(Arc::new), ..Context::new(bench.store.clone(), broker, ids, Arc::new(SystemClock)) }
}

/// A no-op job with the payload that the peers' scripts use.
fn noop(bench: &Bench, n: u64) -> anyhow::Result<Envelope> {
    let args = RawValue::from_string(format!("{{\"n\":{n},\"to\":\"u{n}@example.com\"}}"))?;
    let id = bench.ids.next(&bench.queue);
    let kind = worker::jobs::debug::Noop::kind();
    Ok(Envelope::raw(id, kind, bench.queue.clone(), args, SystemClock.now()))
}

async fn cpu_of_redis(bench: &Bench) -> anyhow::Result<Option<f64>> {
    Ok(match &bench.redis {
        Some(redis) => Some(redis_cpu(redis).await?),
        None => None,
    })
}

/// Waits until no job waits or runs; looks that often.
pub(super) async fn wait_empty(bench: &Bench, total: u64, every: Duration) -> anyhow::Result<()> {
    loop {
        let stats = bench.broker.stats().await?;
        let queue = stats.iter().find(|stats| stats.queue == bench.queue).context("the queue of the measurement")?;
        let left = [JobState::Scheduled, JobState::Available, JobState::Running].map(|s| queue.count(s)).iter().sum();
        progress("draining", total.saturating_sub(left), total);
        if left == 0 {
            return Ok(());
        }
        tokio::time::sleep(every).await;
    }
}

/// Says on a terminal how far it is.
pub(super) fn progress(what: &str, done: u64, of: u64) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what} {done} of {of}\r");
    }
}
