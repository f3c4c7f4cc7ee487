//! The exchange: what was finished goes back, what can be done is leased, in one transaction.
//!
//! Plain completions (no result, no unique key) are the common end: one statement ends all of them, and if it touched
//! as many rows as were named, all leases were good. Otherwise it is undone and each is looked at by itself.

use std::collections::HashSet;

use async_trait::async_trait;
use job::clock::from_ms;
use job::{JobId, JobState, QueueName};

use super::enqueue::{json, packed};
use super::entry::{Entry, cut};
use super::place::Place;
use super::work::{Operation, Work};
use crate::broker::MAX_BATCH;
use crate::error::BrokerError;
use crate::lease::{Disposition, Exchange, Finish, FinishResult, LeaseRequest};

/// Finishes, then leases.
pub(super) struct Exchanging {
    pub(super) queue: QueueName,
    pub(super) finishes: Vec<Finish>,
    pub(super) lease: Option<LeaseRequest>,
}

impl Exchanging {
    /// Refuses what is over the bounds.
    pub(super) fn new(
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Self, BrokerError> {
        if finishes.len() > MAX_BATCH || lease.is_some_and(|lease| lease.max > MAX_BATCH) {
            return Err(BrokerError::Invalid(format!("at most {MAX_BATCH} jobs a call")));
        }
        Ok(Self { queue: queue.clone(), finishes: finishes.to_vec(), lease })
    }
}

#[async_trait]
impl Operation for Exchanging {
    type Answer = Exchange;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Exchange, BrokerError> {
        let Some(queue) = work.find_queue(&self.queue).await? else {
            let finished = vec![FinishResult::Stale; self.finishes.len()];
            return Ok(Exchange { now: from_ms(work.now), finished, ..Exchange::default() });
        };
        let finished = finish(work, queue, &self.finishes).await?;
        let mut answer = match self.lease {
            Some(request) if request.max > 0 => super::lease::lease(work, queue, request).await?,
            _ => Exchange::default(),
        };
        (answer.now, answer.finished) = (from_ms(work.now), finished);
        Ok(answer)
    }
}

async fn finish(work: &mut Work<'_>, queue: i64, finishes: &[Finish]) -> Result<Vec<FinishResult>, BrokerError> {
    let mut results = vec![FinishResult::Stale; finishes.len()];
    let (plain, mut others): (Vec<usize>, Vec<usize>) = (0..finishes.len()).partition(|n| is_plain(&finishes[*n]));
    if complete(work, queue, finishes, &plain).await? {
        for n in plain {
            results[n] = FinishResult::Done;
        }
    } else {
        others = (0..finishes.len()).collect();
    }
    for n in others {
        results[n] = finish_one(work, queue, &finishes[n]).await?;
    }
    Ok(results)
}

fn is_plain(finish: &Finish) -> bool {
    finish.unique.is_none() && matches!(finish.disposition, Disposition::Completed { result: None })
}

/// Completes all of `plain`, or none: then at least one lease is stale or needs a closer look.
async fn complete(work: &mut Work<'_>, queue: i64, finishes: &[Finish], plain: &[usize]) -> Result<bool, BrokerError> {
    const SQL: &str = "UPDATE jobs SET state = 3, rank = ?4, cancel = 0, solo = 0
         FROM json_each(?2) e
         WHERE jobs.id = substr(?1, e.key * 16 + 1, 16) AND jobs.token = e.value
           AND +jobs.state = 2 AND +jobs.queue = ?3 AND jobs.unique_key IS NULL";
    if plain.is_empty() {
        return Ok(true);
    }
    let leases: Vec<_> = plain.iter().map(|n| finishes[*n].lease).collect();
    let ids: HashSet<JobId> = leases.iter().map(|lease| lease.id).collect();
    if ids.len() < leases.len() {
        return Ok(false);
    }
    sqlx::query("SAVEPOINT plain").execute(&mut *work.conn).await?;
    let tokens: Vec<i64> = leases.iter().map(|lease| lease.token.cast_signed()).collect();
    let query = sqlx::query(SQL).bind(packed(leases.iter().map(|lease| lease.id))).bind(json(&tokens));
    let done = query.bind(queue).bind(work.now).execute(&mut *work.conn).await?.rows_affected();
    let all = done == plain.len() as u64;
    if all {
        work.moved(queue, Some(JobState::Running), Some(JobState::Completed), plain.len() as i64);
    } else {
        sqlx::query("ROLLBACK TO plain").execute(&mut *work.conn).await?;
    }
    sqlx::query("RELEASE plain").execute(&mut *work.conn).await?;
    Ok(all)
}

async fn finish_one(work: &mut Work<'_>, queue: i64, finish: &Finish) -> Result<FinishResult, BrokerError> {
    let Some(mut job) = Entry::load(work, finish.lease.id).await? else { return Ok(FinishResult::Stale) };
    if job.place != Place::Running || job.token != finish.lease.token.cast_signed() || job.queue != queue {
        return Ok(FinishResult::Stale);
    }
    let called_off = job.cancel;
    // Only a snooze that says so keeps a job unknown.
    job.unknown_since = None;
    match &finish.disposition {
        Disposition::Completed { result } => {
            job.result.clone_from(result);
            job.end(work, Place::Completed).await?;
        }
        Disposition::Dead { error } => {
            job.add_error(work.now, error)?;
            job.end(work, Place::Dead).await?;
        }
        Disposition::Cancelled => job.end(work, Place::Cancelled).await?,
        Disposition::Expired => job.end(work, Place::Expired).await?,
        Disposition::Retry { .. } | Disposition::Snooze { .. } | Disposition::Release if called_off => {
            job.end(work, Place::Cancelled).await?;
        }
        Disposition::Retry { delay, error } => {
            job.add_error(work.now, error)?;
            job.wait_until(work, later(work.now, *delay));
        }
        Disposition::Snooze { delay, reason, unknown_since } => {
            job.attempt = (job.attempt - 1).max(0);
            job.snoozed = Some(cut(reason).to_owned());
            job.unknown_since = unknown_since.map(|t| t.as_millisecond());
            job.wait_until(work, later(work.now, *delay));
        }
        Disposition::Release => {
            job.attempt = (job.attempt - 1).max(0);
            let due = job.run_at.min(work.now);
            job.wait_until(work, due);
        }
    }
    job.save(work).await?;
    Ok(FinishResult::Done)
}

fn later(now: i64, delay: std::time::Duration) -> i64 {
    now.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
}
