//! Writing jobs in bulk.
//!
//! 1. The caller encodes its jobs ([`Written`]), so that the writer has less to do.
//! 2. One statement looks which of them are there already, by id or by unique key. Mostly it finds nothing.
//! 3. In the order of the call each job is accepted, unless it was found, or repeats one that was just accepted.
//! 4. One statement writes all that were accepted. The ids travel as one packed blob, 16 bytes each, the envelopes as
//!    another, the rest as JSON: a statement with a thousand parameters is no faster and must be prepared for each
//!    size.

use std::collections::HashMap;

use async_trait::async_trait;
use job::{Envelope, JobId, QueueName};
use serde::Serialize;
use sqlx::Row;

use super::place::{self, Place};
use super::work::{Operation, Work};
use crate::broker::{Enqueue, Enqueued};
use crate::error::BrokerError;

/// How long a `once` id is remembered.
const REMEMBERED_MS: i64 = 24 * 3600 * 1000;

/// A job as it goes into the table.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: JobId,
    pub(super) queue: QueueName,
    pub(super) kind: String,
    pub(super) priority: i64,
    /// When it is due, `None` for at once.
    pub(super) due: Option<i64>,
    pub(super) run_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) unique_key: Option<String>,
    pub(super) unique_for: i64,
    pub(super) once: bool,
    pub(super) envelope: Vec<u8>,
}

impl From<&Enqueue> for Written {
    fn from(e: &Enqueue) -> Self {
        let job: &Envelope = &e.envelope;
        let run_at = job.run_at.as_millisecond();
        Self {
            id: job.id,
            queue: job.queue.clone(),
            kind: job.kind.as_str().to_owned(),
            priority: i64::from(job.priority.get()),
            due: (job.run_at > job.created_at).then_some(run_at),
            run_at,
            expires_at: job.expires_at.map(|t| t.as_millisecond()),
            unique_key: job.unique_key.as_ref().map(|key| key.as_str().to_owned()),
            unique_for: i64::from(u32::try_from(job.unique_for.as_secs()).unwrap_or(u32::MAX)) * 1000,
            once: e.once,
            envelope: job::wire::encode(job),
        }
    }
}

/// All jobs that were handed in since the last commit.
pub(super) struct Bulk(pub(super) Vec<Written>);

#[async_trait]
impl Operation for Bulk {
    type Answer = Vec<Enqueued>;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Vec<Enqueued>, BrokerError> {
        let mut queues = Vec::with_capacity(self.0.len());
        for job in &self.0 {
            queues.push(work.queue(&job.queue).await?);
        }
        let found = look(work, &self.0, &queues).await?;
        let mut batch = Batch::default();
        let mut ids = HashMap::with_capacity(self.0.len());
        let mut keys = HashMap::new();
        let mut answers = Vec::with_capacity(self.0.len());
        for (n, (job, queue)) in self.0.iter().zip(&queues).enumerate() {
            let there = found.get(&n).copied();
            let key = job.unique_key.as_deref().map(|key| (*queue, key));
            let same_id = || ids.contains_key(&job.id).then_some(job.id);
            let same_key = || key.as_ref().and_then(|key| keys.get(key).copied());
            if let Some(holder) = there.or_else(same_id).or_else(same_key) {
                if job.once && holder != job.id {
                    // Whoever asks again is answered with this job again, when it has long ended and the key is free.
                    batch.once.push((job.id, Some(holder)));
                }
                answers.push(Enqueued::Duplicate(holder));
                continue;
            }
            ids.insert(job.id, ());
            if let Some(key) = key {
                keys.insert(key, job.id);
            }
            batch.push(work, job, *queue);
            answers.push(Enqueued::New);
        }
        batch.write(work).await?;
        Ok(answers)
    }
}

/// Which of the jobs are there already: position → the job that is.
async fn look(work: &mut Work<'_>, jobs: &[Written], queues: &[i64]) -> Result<HashMap<usize, JobId>, BrokerError> {
    const SQL: &str = "SELECT e.key, j.id IS NOT NULL OR (o.id IS NOT NULL AND o.job IS NULL), coalesce(o.job, k.job)
         FROM json_each(?1) e
         LEFT JOIN jobs j ON j.id = substr(?2, e.key * 16 + 1, 16)
         LEFT JOIN once_ids o ON o.id = substr(?2, e.key * 16 + 1, 16) AND o.until > ?3
         LEFT JOIN unique_keys k ON k.queue = e.value ->> 0 AND k.key = e.value ->> 1 AND coalesce(k.until > ?3, 1)
         WHERE j.id IS NOT NULL OR o.id IS NOT NULL OR k.job IS NOT NULL";
    let keys: Vec<Option<(i64, &str)>> =
        jobs.iter().zip(queues).map(|(job, queue)| job.unique_key.as_deref().map(|key| (*queue, key))).collect();
    let query = sqlx::query(SQL).bind(json(&keys)).bind(packed(jobs.iter().map(|job| job.id))).bind(work.now);
    let mut found = HashMap::new();
    for row in query.fetch_all(&mut *work.conn).await? {
        let n = usize::try_from(row.try_get::<i64, _>(0)?).expect("a position in the array");
        let known: bool = row.try_get(1)?;
        let holder = if known { jobs[n].id } else { super::entry::id(row.try_get(2)?)? };
        found.insert(n, holder);
    }
    Ok(found)
}

/// A job's columns, in the order of the insert.
#[derive(Serialize)]
struct Columns<'a>(i64, i64, i64, i64, i64, Option<i64>, i64, Option<&'a str>, &'a str, usize, usize);

/// The jobs that were accepted.
#[derive(Default)]
struct Batch<'a> {
    ids: Vec<JobId>,
    columns: Vec<Columns<'a>>,
    envelopes: Vec<u8>,
    keys: Vec<(JobId, (i64, &'a str))>,
    /// With the job that answered for it, if that is another.
    once: Vec<(JobId, Option<JobId>)>,
}

impl<'a> Batch<'a> {
    fn push(&mut self, work: &mut Work<'_>, job: &'a Written, queue: i64) {
        let due = job.due.unwrap_or(work.now).max(work.now);
        let (place, rank) = if due > work.now {
            (Place::Scheduled, place::scheduled(job.priority, due))
        } else {
            work.wake = true;
            (Place::Available, place::available(job.priority, due))
        };
        work.moved(queue, None, Some(place.state()), 1);
        self.ids.push(job.id);
        self.columns.push(Columns(
            queue,
            place.code(),
            rank,
            job.priority,
            job.run_at,
            job.expires_at,
            job.unique_for,
            job.unique_key.as_deref(),
            &job.kind,
            self.envelopes.len() + 1,
            job.envelope.len(),
        ));
        self.envelopes.extend_from_slice(&job.envelope);
        if let Some(key) = &job.unique_key {
            self.keys.push((job.id, (queue, key)));
        }
        if job.once {
            self.once.push((job.id, None));
        }
    }

    async fn write(self, work: &mut Work<'_>) -> Result<(), BrokerError> {
        const JOBS: &str = "INSERT INTO jobs (id, queue, state, rank, priority, run_at, expires_at, unique_for,
                                              unique_key, kind, envelope)
             SELECT substr(?1, e.key * 16 + 1, 16), e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3,
                    e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8,
                    substr(?2, e.value ->> 9, e.value ->> 10)
             FROM json_each(?3) e";
        const KEYS: &str = "INSERT OR REPLACE INTO unique_keys (queue, key, job)
             SELECT e.value ->> 0, e.value ->> 1, substr(?1, e.key * 16 + 1, 16) FROM json_each(?2) e";
        // The same id twice in one call is one that the first answered for: the first remains.
        const ONCE: &str = "INSERT INTO once_ids (id, until, job)
             SELECT substr(?1, e.key * 16 + 1, 16), ?3, CASE e.value WHEN 1 THEN substr(?2, e.key * 16 + 1, 16) END
             FROM json_each(?4) e WHERE true
             ON CONFLICT (id) DO UPDATE SET until = excluded.until, job = excluded.job WHERE once_ids.until <= ?5";
        if !self.ids.is_empty() {
            let query = sqlx::query(JOBS).bind(packed(self.ids)).bind(self.envelopes).bind(json(&self.columns));
            query.execute(&mut *work.conn).await?;
        }
        if !self.keys.is_empty() {
            let (ids, keys): (Vec<_>, Vec<_>) = self.keys.into_iter().unzip();
            sqlx::query(KEYS).bind(packed(ids)).bind(json(&keys)).execute(&mut *work.conn).await?;
        }
        if !self.once.is_empty() {
            let others: Vec<u8> = self.once.iter().map(|(_, other)| u8::from(other.is_some())).collect();
            let answering = packed(self.once.iter().map(|(id, other)| other.unwrap_or(*id)));
            let query = sqlx::query(ONCE).bind(packed(self.once.iter().map(|(id, _)| *id))).bind(answering);
            let query = query.bind(work.now + REMEMBERED_MS).bind(json(&others)).bind(work.now);
            query.execute(&mut *work.conn).await?;
        }
        Ok(())
    }
}

/// Ids as one blob of 16 bytes each.
pub(super) fn packed(ids: impl IntoIterator<Item = JobId>) -> Vec<u8> {
    ids.into_iter().flat_map(|id| *id.as_bytes()).collect()
}

/// Plain numbers and texts as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("numbers and texts can always be written as JSON")
}
