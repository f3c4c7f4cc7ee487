//! `postrider jobs retry --all-dead`: every dead job of a queue.
//!
//! 1. The dead are read page by page, newest first; each page is retried, some at a time.
//! 2. The list goes on from its cursor, so that a job that dies again meanwhile is not met twice and the walk ends.
//! 3. A job that cannot be retried (its unique key is held by another one) stays dead and is named at the end.

use std::process::ExitCode;
use std::sync::Arc;

use config::Config;
use job::{JobState, Kind, QueueName};
use queue::{Broker, Filter};
use serde::Serialize;
use tokio::task::JoinSet;

use super::act::{Acted, lines};
use crate::commands::reach::{known_queues, must_be_known};
use crate::output::{Progress, print, print_json};

/// How many are under way at once: enough to hide the round trips, too few to keep others waiting.
const AT_ONCE: usize = 16;
/// How many are read at once.
const PAGE: usize = 256;
/// How many of those that stay dead are named.
const NAMED: usize = 100;

#[derive(Debug, Default, Serialize)]
struct Done {
    retried: u64,
    left_dead: u64,
    /// The first [`NAMED`] of those that stay dead, and why.
    items: Vec<Acted>,
}

/// Retries them.
pub async fn retry_dead(
    config: &Config,
    broker: &Arc<dyn Broker>,
    queue: &QueueName,
    kind: Option<&Kind>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    must_be_known("--queue", queue, &known_queues(config, &**broker).await?)?;
    let stats = broker.stats().await?.into_iter().find(|stats| stats.queue == *queue);
    let mut progress = Progress::new("dead jobs looked at", stats.map_or(0, |stats| stats.count(JobState::Dead)));
    let filter = Filter { queue: Some(queue.clone()), state: Some(JobState::Dead), kind: kind.cloned() };
    let (mut done, mut cursor) = (Done::default(), None);
    loop {
        let page = broker.list(&filter, PAGE, cursor).await?;
        let mut waiting = page.items.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(job) = waiting.next()
            {
                let broker = Arc::clone(broker);
                running
                    .spawn(async move { broker.redrive(job.id).await.map(|answer| Acted::from_retry(job.id, answer)) });
            }
            let Some(acted) = running.join_next().await else { break };
            let acted = acted??;
            if acted.is_done() {
                done.retried += 1;
            } else {
                done.left_dead += 1;
                if done.items.len() < NAMED {
                    done.items.push(acted);
                }
            }
            progress.at(done.retried + done.left_dead);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    drop(progress);
    let all_done = done.left_dead == 0;
    if json {
        print_json(&done)?;
    } else {
        let what = kind.map_or_else(|| "jobs".to_owned(), |kind| format!("{kind} jobs"));
        print(&match (done.retried, all_done) {
            (0, true) => format!("no dead {what} in queue {queue}\n"),
            (n, true) => format!("{n} dead {what} of queue {queue} are available again\n"),
            (n, false) => {
                let left = done.left_dead;
                format!("{n} dead {what} of queue {queue} are available again, {left} are not:\n{}", lines(&done.items))
            }
        })?;
    }
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
