//! The operator's hands: cancel, redrive, pause, resume; and the idempotency keys of callers.

use async_trait::async_trait;
use job::{JobId, QueueName};
use sqlx::Row;

use super::entry::{self, Entry};
use super::place::Place;
use super::work::{Operation, Work};
use crate::broker::Reservation;
use crate::error::BrokerError;
use crate::record::{Cancelled, Redriven};

/// How long an idempotency key reserves its job id.
const RESERVED_MS: i64 = 24 * 3600 * 1000;

/// Cancels a job.
pub(super) struct Cancelling(pub(super) JobId);

#[async_trait]
impl Operation for Cancelling {
    type Answer = Cancelled;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Cancelled, BrokerError> {
        let Some(mut job) = Entry::load(work, self.0).await? else { return Ok(Cancelled::NotFound) };
        let answer = match job.place {
            Place::Scheduled | Place::Available | Place::Suspect => {
                job.end(work, Place::Cancelled).await?;
                Cancelled::Now
            }
            Place::Running => {
                job.cancel = true;
                Cancelled::Requested
            }
            ended => return Ok(Cancelled::Ended(ended.state())),
        };
        job.save(work).await?;
        Ok(answer)
    }
}

/// Makes an ended job available again.
pub(super) struct Redriving(pub(super) JobId);

#[async_trait]
impl Operation for Redriving {
    type Answer = Redriven;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Redriven, BrokerError> {
        let Some(mut job) = Entry::load(work, self.0).await? else { return Ok(Redriven::NotFound) };
        if !job.place.state().may_redrive() {
            return Ok(Redriven::WrongState(job.place.state()));
        }
        if let Some(holder) = job.take_key(work).await? {
            return Ok(Redriven::KeyHeld(holder));
        }
        if job.expires_at.take().is_some() {
            lift_expiry(work, self.0).await?;
        }
        (job.attempt, job.losses, job.started_at) = (0, 0, None);
        (job.snoozed, job.unknown_since) = (None, None);
        job.wait_until(work, work.now);
        job.save(work).await?;
        Ok(Redriven::Now)
    }
}

/// Takes the expiry out of the envelope itself: the job checks it, too.
async fn lift_expiry(work: &mut Work<'_>, id: JobId) -> Result<(), BrokerError> {
    let sql = "SELECT envelope FROM jobs WHERE id = ?1";
    let row = sqlx::query(sql).bind(&id.as_bytes()[..]).fetch_one(&mut *work.conn).await?;
    if let Ok(mut envelope) = job::wire::decode(id, 0, row.try_get(0)?) {
        envelope.expires_at = None;
        let sql = "UPDATE jobs SET envelope = ?2 WHERE id = ?1";
        let query = sqlx::query(sql).bind(&id.as_bytes()[..]).bind(job::wire::encode(&envelope));
        query.execute(&mut *work.conn).await?;
    }
    Ok(())
}

/// Stops or starts leasing from a queue.
pub(super) struct Pausing {
    pub(super) queue: QueueName,
    pub(super) paused: bool,
}

#[async_trait]
impl Operation for Pausing {
    type Answer = ();

    async fn run(&mut self, work: &mut Work<'_>) -> Result<(), BrokerError> {
        let queue = work.queue(&self.queue).await?;
        let sql = "UPDATE queues SET paused = ?2 WHERE id = ?1";
        sqlx::query(sql).bind(queue).bind(self.paused).execute(&mut *work.conn).await?;
        work.wake |= !self.paused;
        Ok(())
    }
}

/// Reserves a job id under an idempotency key.
pub(super) struct Reserving {
    pub(super) scope: String,
    pub(super) key: String,
    pub(super) digest: [u8; 32],
    pub(super) id: JobId,
}

#[async_trait]
impl Operation for Reserving {
    type Answer = Reservation;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Reservation, BrokerError> {
        const LOOK: &str = "SELECT digest, job FROM reservations WHERE scope = ?1 AND key = ?2 AND until > ?3";
        const TAKE: &str = "INSERT OR REPLACE INTO reservations (scope, key, digest, job, until)
             VALUES (?1, ?2, ?3, ?4, ?5)";
        let query = sqlx::query(LOOK).bind(self.scope.clone()).bind(self.key.clone()).bind(work.now);
        if let Some(row) = query.fetch_optional(&mut *work.conn).await? {
            let digest: &[u8] = row.try_get(0)?;
            return if digest == self.digest {
                Ok(Reservation::Same(entry::id(row.try_get(1)?)?))
            } else {
                Ok(Reservation::Conflict)
            };
        }
        let query = sqlx::query(TAKE).bind(self.scope.clone()).bind(self.key.clone()).bind(&self.digest[..]);
        let query = query.bind(&self.id.as_bytes()[..]).bind(work.now + RESERVED_MS);
        query.execute(&mut *work.conn).await?;
        Ok(Reservation::New)
    }
}

/// Does nothing but take and leave the write lock: whether the file can be written.
pub(super) struct Knocking;

#[async_trait]
impl Operation for Knocking {
    type Answer = ();

    async fn run(&mut self, _: &mut Work<'_>) -> Result<(), BrokerError> {
        Ok(())
    }
}

/// Makes queues known.
pub(super) struct Naming(pub(super) Vec<QueueName>);

#[async_trait]
impl Operation for Naming {
    type Answer = ();

    async fn run(&mut self, work: &mut Work<'_>) -> Result<(), BrokerError> {
        for queue in &self.0 {
            work.queue(queue).await?;
        }
        Ok(())
    }
}
