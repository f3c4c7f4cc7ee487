//! Leasing.
//!
//! 1. A paused queue leases nothing.
//! 2. Suspects (two workers were lost with them) come first: an idle worker gets one, alone; otherwise one worker is
//!    chosen to make room and the others go on.
//! 3. What is due is promoted, as many as were asked for.
//! 4. The first in the order are taken. Those whose time has passed become `expired` on the way and are not replaced:
//!    the caller asks again.

use futures::TryStreamExt;
use jiff::Timestamp;
use job::clock::from_ms;
use job::{JobId, JobState};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::entry::{self, Entry};
use super::place::{self, Place};
use super::work::Work;
use crate::error::BrokerError;
use crate::lease::{Exchange, Lease, LeaseRequest, Leased, Solo};

/// An answer is bounded by bytes, too: one that has so many of envelopes is full, and the caller asks again.
const ENOUGH: usize = 8 << 20;

/// How long the chosen worker is waited for before another is chosen.
const CHOSEN_MS: i64 = 30_000;

const READ: &str = "SELECT id, attempt, losses, expires_at, unknown_since, errors, envelope FROM jobs
     WHERE queue = ?1 AND state = ?2 ORDER BY rank, id LIMIT ?3";
const TAKE: &str = "UPDATE jobs SET state = 2, rank = ?4, attempt = attempt + 1, token = ?5, started_at = ?6, solo = ?7
     WHERE id IN (SELECT id FROM jobs WHERE queue = ?1 AND state = ?2 ORDER BY rank, id LIMIT ?3)";

/// What the queue's row says.
struct Head {
    paused: bool,
    chosen: Option<i64>,
    chosen_until: i64,
    first_scheduled: Option<i64>,
    suspects: bool,
}

/// Leases from `queue` for one asking worker.
pub(super) async fn lease(work: &mut Work<'_>, queue: i64, request: LeaseRequest) -> Result<Exchange, BrokerError> {
    let mut answer = Exchange::default();
    let mut head = head(work, queue).await?;
    if head.paused {
        return Ok(answer);
    }
    if head.suspects {
        if request.idle {
            if take_suspect(work, queue, request, &mut answer).await? {
                return Ok(answer);
            }
        } else if choose(work, queue, &head, request.worker).await? {
            answer.solo = Solo::MakeRoom;
            return Ok(answer);
        } else {
            answer.solo = Solo::Elsewhere;
        }
    }
    if head.first_scheduled.is_some_and(|rank| rank <= place::scheduled_until(work.now)) {
        promote(work, queue, request.max as i64).await?;
        head.first_scheduled = first_scheduled(work, queue).await?;
    }
    let looked = take(work, queue, request, &mut answer).await?;
    if answer.leased.len() < request.max {
        answer.next_due = head.first_scheduled.map(|rank| from_ms((rank / 16).max(work.now)));
        if looked > 0 && work_is_left(work, queue).await? {
            answer.next_due = Some(from_ms(work.now));
        }
    }
    Ok(answer)
}

async fn head(work: &mut Work<'_>, queue: i64) -> Result<Head, BrokerError> {
    const SQL: &str = "SELECT paused, chosen, chosen_until,
                (SELECT min(rank) FROM jobs WHERE queue = ?1 AND state = 0),
                EXISTS (SELECT 1 FROM jobs WHERE queue = ?1 AND state = 7)
         FROM queues WHERE id = ?1";
    let row = sqlx::query(SQL).bind(queue).fetch_one(&mut *work.conn).await?;
    Ok(Head {
        paused: row.try_get(0)?,
        chosen: row.try_get(1)?,
        chosen_until: row.try_get(2)?,
        first_scheduled: row.try_get(3)?,
        suspects: row.try_get(4)?,
    })
}

async fn first_scheduled(work: &mut Work<'_>, queue: i64) -> Result<Option<i64>, BrokerError> {
    let sql = "SELECT min(rank) FROM jobs WHERE queue = ?1 AND state = 0";
    Ok(sqlx::query(sql).bind(queue).fetch_one(&mut *work.conn).await?.try_get(0)?)
}

async fn work_is_left(work: &mut Work<'_>, queue: i64) -> Result<bool, BrokerError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE queue = ?1 AND state = 1)";
    Ok(sqlx::query(sql).bind(queue).fetch_one(&mut *work.conn).await?.try_get(0)?)
}

/// Makes due jobs available, at most `limit`; answers how many. Those with two losses wait apart.
pub(super) async fn promote(work: &mut Work<'_>, queue: i64, limit: i64) -> Result<i64, BrokerError> {
    // rank = due * 16 + priority becomes priority * 2^44 + due, or due for a suspect.
    const SQL: &str = "UPDATE jobs SET
                state = CASE WHEN losses >= 2 THEN 7 ELSE 1 END,
                rank = rank / 16 + CASE WHEN losses >= 2 THEN 0 ELSE priority << 44 END
         WHERE id IN (SELECT id FROM jobs WHERE queue = ?1 AND state = 0 AND rank <= ?2 ORDER BY rank, id LIMIT ?3)";
    let query = sqlx::query(SQL).bind(queue).bind(place::scheduled_until(work.now)).bind(limit);
    let promoted = query.execute(&mut *work.conn).await?.rows_affected() as i64;
    work.moved(queue, Some(JobState::Scheduled), Some(JobState::Available), promoted);
    work.wake |= promoted > 0;
    Ok(promoted)
}

/// Takes the first suspect for an idle worker; false if there was none that may still run.
async fn take_suspect(
    work: &mut Work<'_>,
    queue: i64,
    request: LeaseRequest,
    answer: &mut Exchange,
) -> Result<bool, BrokerError> {
    let query = sqlx::query(READ).bind(queue).bind(Place::Suspect.code()).bind(1);
    let Some(row) = query.fetch_optional(&mut *work.conn).await? else { return Ok(false) };
    let candidate = Candidate::read(&row)?;
    if candidate.is_late(work.now) {
        expire(work, candidate.id).await?;
        answer.expired += 1;
        return Ok(false);
    }
    mark(work, queue, Place::Suspect, 1, request.token).await?;
    let sql = "UPDATE queues SET chosen = NULL, chosen_until = 0 WHERE id = ?1 AND chosen IS NOT NULL";
    sqlx::query(sql).bind(queue).execute(&mut *work.conn).await?;
    answer.leased.push(candidate.leased(request.token, true)?);
    Ok(true)
}

/// Whether `worker` is the one that makes room for a suspect; it becomes it if nobody is. Number 0 declines.
async fn choose(work: &mut Work<'_>, queue: i64, head: &Head, worker: u64) -> Result<bool, BrokerError> {
    let worker = worker.cast_signed();
    if worker == 0 || head.chosen.is_some_and(|chosen| chosen != worker) && head.chosen_until > work.now {
        return Ok(false);
    }
    let sql = "UPDATE queues SET chosen = ?2, chosen_until = ?3 WHERE id = ?1";
    sqlx::query(sql).bind(queue).bind(worker).bind(work.now + CHOSEN_MS).execute(&mut *work.conn).await?;
    Ok(true)
}

/// Takes the first available jobs; answers how many it looked at.
async fn take(
    work: &mut Work<'_>,
    queue: i64,
    request: LeaseRequest,
    answer: &mut Exchange,
) -> Result<usize, BrokerError> {
    let rows = read(work, queue, request.max).await?;
    answer.leased.reserve(rows.len());
    for row in &rows {
        let candidate = Candidate::read(row)?;
        if candidate.is_late(work.now) {
            expire(work, candidate.id).await?;
            answer.expired += 1;
        } else {
            answer.leased.push(candidate.leased(request.token, false)?);
        }
    }
    // The late ones are out of the order now, so the first ones are exactly those that were read.
    mark(work, queue, Place::Available, answer.leased.len(), request.token).await?;
    Ok(rows.len())
}

/// The first available jobs: as many as were asked for, or as fill an answer.
async fn read(work: &mut Work<'_>, queue: i64, max: usize) -> Result<Vec<SqliteRow>, BrokerError> {
    let query = sqlx::query(READ).bind(queue).bind(Place::Available.code()).bind(max as i64);
    let mut found = query.fetch(&mut *work.conn);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.try_next().await? {
        bytes += row.try_get::<&[u8], _>(6)?.len();
        rows.push(row);
        if bytes >= ENOUGH {
            break;
        }
    }
    Ok(rows)
}

/// Leases the first `n` jobs of a place.
async fn mark(work: &mut Work<'_>, queue: i64, place: Place, n: usize, token: u64) -> Result<(), BrokerError> {
    if n == 0 {
        return Ok(());
    }
    let lease = i64::try_from(work.settings.lease.as_millis()).unwrap_or(i64::MAX);
    let query = sqlx::query(TAKE).bind(queue).bind(place.code()).bind(n as i64).bind(work.now.saturating_add(lease));
    let query = query.bind(token.cast_signed()).bind(work.now).bind(place == Place::Suspect);
    let taken = query.execute(&mut *work.conn).await?.rows_affected();
    if taken != n as u64 {
        return Err(BrokerError::Corrupt(format!("{n} jobs were read to be leased, {taken} could be")));
    }
    work.moved(queue, Some(JobState::Available), Some(JobState::Running), n as i64);
    Ok(())
}

async fn expire(work: &mut Work<'_>, id: JobId) -> Result<(), BrokerError> {
    if let Some(mut job) = Entry::load(work, id).await? {
        job.end(work, Place::Expired).await?;
        job.save(work).await?;
    }
    Ok(())
}

/// A job that may be leased.
struct Candidate<'r> {
    id: JobId,
    expires_at: Option<i64>,
    row: &'r SqliteRow,
}

impl<'r> Candidate<'r> {
    fn read(row: &'r SqliteRow) -> Result<Self, BrokerError> {
        Ok(Self { id: entry::id(row.try_get(0)?)?, expires_at: row.try_get(3)?, row })
    }

    fn is_late(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    fn leased(&self, token: u64, solo: bool) -> Result<Leased, BrokerError> {
        let attempt = entry::count(self.row.try_get::<i64, _>(1)? + 1);
        let unknown_since: Option<Timestamp> = entry::time(self.row, 4)?;
        Ok(Leased {
            lease: Lease { id: self.id, token },
            envelope: job::wire::decode(self.id, attempt, self.row.try_get(6)?),
            attempt,
            losses: entry::count(self.row.try_get(2)?),
            solo,
            errors: entry::past_errors(self.row.try_get(5)?)?,
            unknown_since,
        })
    }
}
