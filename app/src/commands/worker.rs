//! `postrider worker`: takes jobs from the queues and runs them until a signal, then stops softly.

use std::collections::HashSet;
use std::process::ExitCode;

use job::QueueName;
use queue::consumer::Share;
use worker::Runner;

use super::{Usage, api::bind, load, start_logging};
use crate::cli::Globals;
use crate::process;
use crate::wire::{Parts, Schema, links_must_work, must_be_reachable, runner_settings};

/// Which queues, and how much at a time.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postrider worker\n  postrider worker --queues emails:3,bookings:1 --concurrency 200"
)]
pub struct Args {
    /// Only these queues, each with a weight: `emails:3,bookings:1`. All configured ones unless given.
    #[arg(long, value_name = "QUEUE[:WEIGHT],…")]
    pub queues: Option<String>,
    /// How many jobs run at a time. `worker.concurrency` unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: Option<u32>,
}

/// Runs until a signal.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    start_logging(&config)?;
    let metrics = telemetry::metrics::install()?;
    must_be_reachable(&config)?;
    links_must_work(&config)?;
    let parts = Parts::build(config).await?;
    let queues = args.queues.as_deref().map(|text| shares(text, &parts.config)).transpose()?;
    let settings = runner_settings(&parts.config, queues, args.concurrency.map(|n| n as usize))?;
    let shutdown = process::shutdown_on_signal()?;
    let schema = Schema::prepare(&parts, shutdown.clone()).await?;
    let context = parts.context()?;
    if context.mailer.is_none() {
        tracing::warn!("no relay or no sender with a key is configured (mail.transport, mail.dkim): mail waits");
    }
    let names: Vec<&str> = settings.queues.iter().map(|share| share.queue.as_str()).collect();
    tracing::info!(
        worker = format!("{:016x}", settings.worker),
        queues = names.join(","),
        concurrency = settings.concurrency,
        "worker ready"
    );
    let figures = match parts.config.worker.metrics_listen {
        Some(address) => {
            let state = super::api::state(&parts, metrics, None)?;
            let listener = bind("worker.metrics_listen", address).await?;
            let until = shutdown.clone().cancelled_owned();
            Some(tokio::spawn(api::serve(listener, api::metrics_router(state), until)))
        }
        None => None,
    };
    let runner = Runner::start(settings, parts.registry, context);
    shutdown.cancelled().await;
    let left = runner.shut_down().await;
    if let Some(figures) = figures {
        figures.await??;
    }
    schema.end().await?;
    tracing::info!(left, "worker stopped");
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Reads `a:3,b:1`; only configured queues, so that a typing error does not leave a queue without a worker.
fn shares(text: &str, config: &config::Config) -> anyhow::Result<Vec<Share>> {
    let mut seen = HashSet::new();
    text.split(',')
        .map(|part| {
            let (name, weight) = part.trim().split_once(':').unwrap_or((part.trim(), "1"));
            let wrong = |why: String| Usage(format!("--queues {part:?}: {why}"));
            let queue = QueueName::new(name).map_err(|e| wrong(e.to_string()))?;
            let weight = weight.parse().ok().filter(|weight| (1..=100).contains(weight));
            let weight = weight.ok_or_else(|| wrong("the weight is a number of 1 to 100".to_owned()))?;
            if !seen.insert(name) {
                return Err(wrong("is named twice".to_owned()).into());
            }
            let known: Vec<&str> = config.queues.keys().map(String::as_str).collect();
            let share = config
                .queues
                .get(name)
                .ok_or_else(|| wrong(format!("no such queue is configured; there are {}", known.join(", "))))?;
            Ok(Share { queue, weight, limit: share.concurrency.map(|n| n as usize) })
        })
        .collect()
}
