//! The operator's eyes: one job, the queues, the clock, and whether work is taken.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::from_ms;
use job::{JobId, JobState, QueueName, wire};

use super::answer::{Items, Mutable, unexpected};
use super::operate::state;
use super::{RedisBroker, script};
use crate::error::BrokerError;
use crate::record::{JobRecord, QueueStats};
use crate::settings::Time;

/// What outweighs every due time in a score of `:a`.
const PRIORITY: f64 = 17_592_186_044_416.0;

impl RedisBroker {
    pub(super) async fn time(&self) -> Result<Timestamp, BrokerError> {
        if let Time::Virtual(clock) = &self.settings.time {
            return Ok(clock.now());
        }
        let mut parts = Items::of(self.link.send(&redis::cmd("TIME")).await?)?;
        let number = |bytes: Vec<u8>| String::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
        let (seconds, micros) = (number(parts.bytes()?), number(parts.bytes()?));
        match (seconds, micros) {
            (Some(seconds), Some(micros)) => Ok(from_ms(seconds * 1_000 + micros / 1_000)),
            _ => Err(unexpected("time")),
        }
    }

    /// Whether an enqueue would be taken: a full memory, a replica or missing acknowledgements are found out. In a Cluster
    /// it is enough that one queue takes work, since the others say so themselves.
    pub(super) async fn knock(&self) -> Result<(), BrokerError> {
        let mut bases: Vec<String> = self.settings.queues.iter().map(|queue| self.base(queue)).collect();
        if bases.is_empty() {
            bases.push(self.slot(0));
        }
        if !self.link.is_cluster() {
            bases.truncate(1);
        }
        let now = [self.now_arg()];
        let knocks = bases.iter().map(|base| Box::pin(self.call_acked(&script::KNOCK, base, &now)));
        futures::future::select_ok(knocks).await.map(|_| ())
    }

    pub(super) async fn look_at(&self, id: JobId) -> Result<Option<JobRecord>, BrokerError> {
        for queue in self.queues_of(id).await? {
            if let Some(record) = self.look(&queue, &[id]).await?.pop() {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Reads jobs; those that are gone are left out.
    pub(super) async fn look(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<JobRecord>, BrokerError> {
        let mut records = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(256) {
            let mut arguments = vec![self.now_arg()];
            arguments.extend(chunk.iter().map(|id| id.as_bytes().to_vec()));
            let mut items = Items::of(self.call(&script::LOOK, &self.base(queue), &arguments).await?)?;
            for id in chunk {
                let (record, mutable) = (items.optional()?, items.bytes()?);
                let (available, scheduled, suspect) = (items.score()?, items.score()?, items.score()?);
                let Some(record) = record else { continue };
                let mutable = Mutable::read(&mutable)?;
                // In the moment between two calls a job can stand nowhere: it waits.
                let (state, due) = match &mutable {
                    Some(m) if m.state != b'W' => (state(&[m.state])?, None),
                    _ => match (available, scheduled, suspect) {
                        (_, Some(score), _) => (JobState::Scheduled, Some((score / 16.0).floor())),
                        (Some(score), ..) => (JobState::Available, Some(score % PRIORITY)),
                        (.., due) => (JobState::Available, due),
                    },
                };
                let m = mutable.unwrap_or_default();
                records.push(JobRecord {
                    id: *id,
                    queue: queue.clone(),
                    envelope: wire::decode(*id, m.attempt, &record),
                    state,
                    due_at: due.map(|ms| from_ms(ms as i64)),
                    started_at: m.started,
                    finished_at: if state.is_terminal() { m.ended } else { None },
                    attempt: m.attempt,
                    losses: m.losses,
                    cancel_requested: m.cancel_requested,
                    result: m.tail.result.clone(),
                    snoozed: m.tail.snoozed.clone(),
                    errors: m.tail.past_errors(),
                });
            }
        }
        Ok(records)
    }

    pub(super) async fn count(&self) -> Result<Vec<QueueStats>, BrokerError> {
        let mut all = Vec::new();
        for queue in self.queues().await? {
            let mut items = Items::of(self.call(&script::STATS, &self.base(&queue), &[self.now_arg()]).await?)?;
            let mut counts = [0; 7];
            for count in &mut counts {
                *count = u64::try_from(items.int()?).unwrap_or(0);
            }
            let oldest = u64::try_from(items.int()?).ok().map(Duration::from_millis);
            all.push(QueueStats { queue, counts, oldest, paused: items.int()? == 1 });
        }
        Ok(all)
    }
}
