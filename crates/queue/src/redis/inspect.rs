//! The operator's eyes: one job, lists of jobs, the queues.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::from_ms;
use job::{JobId, JobState, Kind, QueueName, wire};
use redis::Value;

use super::answer::{self, Items, Mutable, unexpected};
use super::operate::state;
use super::{RedisBroker, script};
use crate::error::BrokerError;
use crate::record::{Cursor, Filter, JobRecord, Page, QueueStats};
use crate::settings::Time;

/// How many jobs one call of a list looks at before it answers with what it has.
const LOOKED_AT: usize = 2_000;

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

    /// All queues: those that are configured and those that ever had a job.
    async fn queues(&self) -> Result<Vec<QueueName>, BrokerError> {
        let mut cmd = redis::cmd("SMEMBERS");
        cmd.arg(self.registry());
        let names = match self.link.send(&cmd).await? {
            Value::Array(names) | Value::Set(names) => names,
            _ => return Err(unexpected("set of queues")),
        };
        let mut queues = self.settings.queues.clone();
        for name in names {
            let name = String::from_utf8(answer::bytes(name)?).map_err(|_| unexpected("queue name"))?;
            queues.push(QueueName::new(&name)?);
        }
        queues.sort();
        queues.dedup();
        Ok(queues)
    }

    /// The queues that a job id can belong to, by its tag: almost always one.
    pub(super) async fn queues_of(&self, id: JobId) -> Result<Vec<QueueName>, BrokerError> {
        Ok(self.queues().await?.into_iter().filter(|queue| queue.tag() == id.queue_tag()).collect())
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
    async fn look(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<JobRecord>, BrokerError> {
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

    pub(super) async fn page(
        &self,
        filter: &Filter,
        limit: usize,
        cursor: Option<Cursor>,
    ) -> Result<Page, BrokerError> {
        if limit == 0 || limit > 1_000 {
            return Err(BrokerError::Invalid("limit must be 1 to 1000".to_owned()));
        }
        let queues = match &filter.queue {
            Some(queue) => vec![queue.clone()],
            None => self.queues().await?,
        };
        let states = filter.state.map_or_else(|| JobState::ALL.to_vec(), |state| vec![state]);
        // The sets to walk, in order: queue by queue within each state. Suspects are available jobs, too.
        let stops: Vec<Stop> = states
            .iter()
            .flat_map(|state| queues.iter().map(move |queue| (*state, queue)))
            .flat_map(|(state, queue)| keys_of(state).iter().map(move |key| Stop { key, queue: queue.clone() }))
            .collect();
        let mut place = match cursor {
            Some(cursor) => Place::parse(&cursor, &stops)?,
            None => Place { stop: 0, score: String::new(), id: None },
        };
        let (mut items, mut looked_at) = (Vec::new(), 0);
        while place.stop < stops.len() && looked_at < LOOKED_AT {
            let stop = &stops[place.stop];
            let wanted = (limit - items.len()).clamp(16, 256);
            let found = self.ids(stop, wanted, &place).await?;
            let ids: Vec<JobId> = found.iter().map(|(id, _)| *id).collect();
            let last = found.len() < wanted;
            looked_at += ids.len().max(1);
            let mut records = self.look(&stop.queue, &ids).await?.into_iter().peekable();
            for (id, score) in &found {
                place = Place { stop: place.stop, score: score.clone(), id: Some(*id) };
                // A job that was trimmed between the two calls is passed over.
                let Some(record) = records.next_if(|record| record.id == *id) else { continue };
                if filter.kind.as_ref().is_none_or(|kind| is_of_kind(&record, kind)) {
                    items.push(record);
                    if items.len() == limit {
                        return Ok(Page { items, next: Some(place.cursor(&stops)) });
                    }
                }
            }
            if last {
                place = Place { stop: place.stop + 1, score: String::new(), id: None };
            }
        }
        let next = (place.stop < stops.len()).then(|| place.cursor(&stops));
        Ok(Page { items, next })
    }

    async fn ids(&self, stop: &Stop, limit: usize, place: &Place) -> Result<Vec<(JobId, String)>, BrokerError> {
        let arguments = [
            self.now_arg(),
            stop.key.as_bytes().to_vec(),
            limit.to_string().into_bytes(),
            place.score.clone().into_bytes(),
            place.id.map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
        ];
        let mut items = Items::of(self.call(&script::PAGE, &self.base(&stop.queue), &arguments).await?)?;
        let mut found = Vec::with_capacity(items.len() / 2);
        while !items.is_done() {
            let id = items.id()?;
            found.push((id, String::from_utf8(items.bytes()?).map_err(|_| unexpected("score"))?));
        }
        Ok(found)
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

fn is_of_kind(record: &JobRecord, kind: &Kind) -> bool {
    record.envelope.as_ref().is_ok_and(|envelope| envelope.kind == *kind)
}

/// A set of ids to walk.
struct Stop {
    key: &'static str,
    queue: QueueName,
}

fn keys_of(state: JobState) -> &'static [&'static str] {
    match state {
        JobState::Scheduled => &["s"],
        JobState::Available => &["a", "o"],
        JobState::Running => &["r"],
        JobState::Completed => &["c"],
        JobState::Dead => &["d"],
        JobState::Cancelled => &["x"],
        JobState::Expired => &["e"],
    }
}

/// Where a walk stands: the stop, and the last job that was shown of it.
struct Place {
    stop: usize,
    score: String,
    id: Option<JobId>,
}

impl Place {
    /// `key.queue.score.id`: by name, so that a queue that comes or goes does not move it.
    fn cursor(&self, stops: &[Stop]) -> Cursor {
        let stop = &stops[self.stop];
        let id = self.id.map_or_else(String::new, |id| id.to_string());
        Cursor(format!("{}.{}.{}.{id}", stop.key, stop.queue, self.score))
    }

    fn parse(cursor: &Cursor, stops: &[Stop]) -> Result<Self, BrokerError> {
        let bad = || BrokerError::Invalid("cursor: not one that this list gave out".to_owned());
        let mut parts = cursor.0.splitn(4, '.');
        let mut part = || parts.next().ok_or_else(bad);
        let (key, queue, score, id) = (part()?, part()?, part()?, part()?);
        let stop = stops.iter().position(|s| s.key == key && s.queue.as_str() == queue).ok_or_else(bad)?;
        let id = if id.is_empty() { None } else { Some(id.parse().map_err(|_| bad())?) };
        if id.is_some() && score.parse::<f64>().is_err() {
            return Err(bad());
        }
        Ok(Self { stop, score: score.to_owned(), id })
    }
}
