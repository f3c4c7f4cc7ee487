//! The eyes: jobs as people look at them, and the counts of all queues.

use std::time::Duration;

use async_trait::async_trait;
use job::clock::from_ms;
use job::{JobId, QueueName};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::enqueue::{json, packed};
use super::entry;
use super::place::{self, PRIORITY, Place};
use super::work::{Operation, Work};
use crate::error::BrokerError;
use crate::record::{JobRecord, QueueStats};

/// The jobs of these ids that are there, in the order of the ids.
pub(super) async fn records(work: &mut Work<'_>, ids: &[JobId]) -> Result<Vec<JobRecord>, BrokerError> {
    const SQL: &str = "SELECT j.id, q.name, j.state, j.rank, j.attempt, j.losses, j.cancel, j.started_at, j.errors,
                j.result, j.snoozed, j.envelope
         FROM json_each(?2) e
         CROSS JOIN jobs j ON j.id = substr(?1, e.key * 16 + 1, 16)
         JOIN queues q ON q.id = j.queue
         ORDER BY e.key";
    let query = sqlx::query(SQL).bind(packed(ids.iter().copied())).bind(json(&vec![0; ids.len()]));
    query.fetch_all(&mut *work.conn).await?.iter().map(record).collect()
}

fn record(row: &SqliteRow) -> Result<JobRecord, BrokerError> {
    let id = entry::id(row.try_get(0)?)?;
    let place = Place::from_code(row.try_get(2)?)?;
    let rank: i64 = row.try_get(3)?;
    let attempt = entry::count(row.try_get(4)?);
    Ok(JobRecord {
        id,
        queue: name(row.try_get(1)?)?,
        envelope: job::wire::decode(id, attempt, row.try_get(11)?),
        state: place.state(),
        due_at: place::due(place, rank).map(from_ms),
        started_at: entry::time(row, 7)?,
        finished_at: place.state().is_terminal().then(|| from_ms(rank)),
        attempt,
        losses: entry::count(row.try_get(5)?),
        cancel_requested: row.try_get(6)?,
        errors: entry::past_errors(row.try_get(8)?)?,
        result: row.try_get(9)?,
        snoozed: row.try_get(10)?,
    })
}

fn name(text: &str) -> Result<QueueName, BrokerError> {
    QueueName::new(text).map_err(|e| BrokerError::Corrupt(e.to_string()))
}

/// One job.
pub(super) struct Getting(pub(super) JobId);

#[async_trait]
impl Operation for Getting {
    type Answer = Option<JobRecord>;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Option<JobRecord>, BrokerError> {
        Ok(records(work, &[self.0]).await?.pop())
    }
}

/// All queues at a glance.
pub(super) struct Counting;

#[async_trait]
impl Operation for Counting {
    type Answer = Vec<QueueStats>;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Vec<QueueStats>, BrokerError> {
        // The first of each priority is the oldest of it: ten look-ups a queue, whatever waits there.
        const SQL: &str =
            "WITH RECURSIVE step (priority) AS (VALUES (0) UNION ALL SELECT priority + 1 FROM step LIMIT 10)
             SELECT name, scheduled, available, running, completed, dead, cancelled, expired, paused,
                    (SELECT min((SELECT min(rank) FROM jobs
                                 WHERE queue = q.id AND state = 1
                                   AND rank >= step.priority * ?1 AND rank < (step.priority + 1) * ?1)
                                - step.priority * ?1)
                     FROM step),
                    (SELECT min(rank) FROM jobs WHERE queue = q.id AND state = 7)
             FROM queues q ORDER BY name";
        let rows = sqlx::query(SQL).bind(PRIORITY).fetch_all(&mut *work.conn).await?;
        let stats = rows.iter().map(|row| {
            let mut counts = [0; 7];
            for (i, n) in counts.iter_mut().enumerate() {
                *n = u64::try_from(row.try_get::<i64, _>(i + 1)?).unwrap_or(0);
            }
            let (first, suspect): (Option<i64>, Option<i64>) = (row.try_get(9)?, row.try_get(10)?);
            let due = first.into_iter().chain(suspect).min();
            Ok(QueueStats {
                queue: name(row.try_get(0)?)?,
                counts,
                oldest: due.map(|due| Duration::from_millis(u64::try_from(work.now - due).unwrap_or(0))),
                paused: row.try_get(8)?,
            })
        });
        stats.collect()
    }
}
