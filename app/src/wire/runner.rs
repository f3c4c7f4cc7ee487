//! How this process's worker runs.

use anyhow::Context as _;
use config::Config;
use job::QueueName;
use queue::consumer::Share;
use worker::RunnerSettings;

use crate::process;

/// How this process's worker runs; `queues` narrows the configured ones and gives them other weights.
pub fn runner_settings(
    config: &Config,
    queues: Option<Vec<Share>>,
    concurrency: Option<usize>,
) -> anyhow::Result<RunnerSettings> {
    let configured = config.queues.iter().map(|(name, share)| {
        let queue = QueueName::new(name).with_context(|| format!("queues.{name}"))?;
        Ok(Share { queue, weight: share.weight, limit: share.concurrency.map(|n| n as usize) })
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(RunnerSettings {
        queues: match queues {
            Some(queues) => queues,
            None => configured.collect::<anyhow::Result<_>>()?,
        },
        concurrency: concurrency.unwrap_or(config.worker.concurrency as usize),
        loops: config.worker.loops_on(cores),
        heartbeat: config.queue.heartbeat,
        unknown_grace: config.queue.unknown_grace,
        soft: config.worker.shutdown_soft,
        hard: config.worker.shutdown_hard,
        sweep_after: config.worker.sweep_after,
        worker: process::start_id(),
    })
}
