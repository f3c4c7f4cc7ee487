//! The queue: whether it answers, how fast, and whether every job that waits in it has a worker.

use std::sync::Arc;
use std::time::Duration;

use config::Config;
use job::{Clock, JobState};
use queue::{Broker, QueueStats};
use tokio::time::Instant;
use worker::Registry;

use super::{Report, files, milliseconds, redis};
use crate::commands::sqlite_file;
use crate::output::short;
use crate::wire;

/// An answer that takes longer delays the start of every job by as much.
const SLOW: Duration = Duration::from_millis(50);
/// A due job that waits longer than this makes one ask whether there is a worker.
const LONG: Duration = Duration::from_secs(600);

/// Looks at the queue and, if it is one, at its Redis.
pub async fn check(report: &mut Report, config: &Config, clock: &dyn Clock) {
    kinds(report, config);
    if let Some(file) = sqlite_file(&config.queue.url.to_string()) {
        if files::sqlite(report, "queue", &file) {
            match wire::broker(config).await {
                Ok(broker) => {
                    answers(report, config, &broker).await;
                }
                Err(e) => away(report, config, &format!("{e:#}")),
            }
        }
    } else {
        match wire::redis_broker(config) {
            Ok(Some(redis)) => {
                let broker: Arc<dyn Broker> = Arc::new(redis.clone());
                if answers(report, config, &broker).await {
                    redis::check(report, config, &redis, clock).await;
                }
            }
            Ok(None) => report.warn(
                "queue",
                "durable",
                format!("{} is gone with its process", config.queue.url),
                "right for tests only: set queue.url to a file or to a Redis",
            ),
            Err(e) => report.fail("queue", "settings", format!("{e:#}"), "correct [queue]"),
        }
    }
}

/// Pings it and looks at its queues; whether it could be asked.
async fn answers(report: &mut Report, config: &Config, broker: &Arc<dyn Broker>) -> bool {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        if let Err(e) = broker.ping().await {
            if broker.now().await.is_err() {
                away(report, config, &e.to_string());
                return false;
            }
            // It answers, and takes no work: what else is looked at tells why.
            let advice =
                "give it memory, point queue.url at a master, or see to its replicas: the API answers 503 until then";
            report.fail("queue", "takes jobs", format!("{}: {e}", config.queue.url), advice);
            return counted(report, config, broker).await;
        }
        times.push(begun.elapsed());
    }
    times.sort();
    let middle = times[times.len() / 2];
    let found = format!("{} answers in {}", config.queue.url, milliseconds(middle));
    match middle > SLOW {
        true => report.warn(
            "queue",
            "reachable",
            found,
            "bring workers and queue nearer together: each job waits for round trips",
        ),
        false => report.ok("queue", "reachable", found),
    }
    counted(report, config, broker).await
}

/// Counts its jobs; whether that could be done. Counting runs the scripts, so that a user who may not run them is found out
/// here and not by the first worker.
async fn counted(report: &mut Report, config: &Config, broker: &Arc<dyn Broker>) -> bool {
    match broker.stats().await {
        Ok(stats) => {
            waiting(report, config, &stats);
            true
        }
        Err(e) => {
            let prefix = &config.queue.prefix;
            let advice = format!("a Redis user needs at least `~{prefix}:* &{prefix}:* +@all -@admin +config|get`");
            report.fail("queue", "counts", e.to_string(), advice);
            false
        }
    }
}

fn away(report: &mut Report, config: &Config, why: &str) {
    let advice = "see that it runs and that queue.url names it; the API answers 503 and workers wait until then";
    report.fail("queue", "reachable", format!("{}: {why}", config.queue.url), advice);
}

/// Jobs that wait where nobody takes them.
fn waiting(report: &mut Report, config: &Config, all: &[QueueStats]) {
    let before = report.checks.len();
    for stats in all {
        let queue = &stats.queue;
        let due = stats.count(JobState::Available);
        if stats.paused {
            let found = format!("{queue} is paused; {due} due jobs wait");
            report.warn(
                "queue",
                "waiting jobs",
                found,
                format!("`postrider queues resume {queue}` when the reason is gone"),
            );
        } else if !config.queues.contains_key(queue.as_str()) && due + stats.count(JobState::Scheduled) > 0 {
            let found = format!("{queue} holds {due} due jobs and no worker takes them");
            report.warn(
                "queue",
                "waiting jobs",
                found,
                format!("add [queues.{queue}] to the configuration of the workers"),
            );
        } else if let Some(age) = stats.oldest.filter(|age| *age > LONG) {
            let found = format!("the oldest of {due} due jobs in {queue} waits for {}", short(age));
            report.warn(
                "queue",
                "waiting jobs",
                found,
                "see that workers run and keep up: `postrider jobs list --state running`",
            );
        }
    }
    if report.checks.len() == before {
        let due: u64 = all.iter().map(|stats| stats.count(JobState::Available)).sum();
        report.ok("queue", "waiting jobs", format!("{due} due, none for long, no queue is paused"));
    }
}

/// Every kind's queue must have a worker, or its jobs wait for ever.
fn kinds(report: &mut Report, config: &Config) {
    let names = match wire::queue_names(config) {
        Ok(names) => names,
        Err(e) => return report.fail("queue", "kinds", format!("{e:#}"), "correct the name of the table"),
    };
    let registry = Registry::standard(config.debug.kinds);
    let missing = registry.queues_without_consumer(&names);
    for (kind, queue) in &missing {
        let found = format!("{kind} waits in queue {queue}, which no worker takes jobs from");
        report.fail(
            "queue",
            "kinds",
            found,
            format!("add [queues.{queue}] to the configuration; api and worker refuse to start"),
        );
    }
    if missing.is_empty() {
        let names = names.iter().map(job::QueueName::as_str).collect::<Vec<_>>().join(", ");
        report.ok("queue", "kinds", format!("{} kinds, each in one of the queues {names}", registry.entries().len()));
    }
}
