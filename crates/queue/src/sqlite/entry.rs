//! One job's row: loaded, changed by the rules, saved. The paths that are not the common one go this way, a job at a
//! time; the common ones (enqueue, lease, plain completion, promotion) have bulk statements of their own.

use jiff::Timestamp;
use job::clock::from_ms;
use job::{JobId, JobState};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::place::{self, Place};
use super::work::Work;
use crate::error::BrokerError;
use crate::record::{ERROR_BYTES, KEPT_ERRORS, PastError};

/// What changes of a job while it lives.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: JobId,
    pub(super) queue: i64,
    pub(super) place: Place,
    pub(super) rank: i64,
    pub(super) priority: i64,
    pub(super) attempt: i64,
    pub(super) losses: i64,
    pub(super) token: i64,
    pub(super) cancel: bool,
    pub(super) solo: bool,
    pub(super) run_at: i64,
    pub(super) started_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
    pub(super) unknown_since: Option<i64>,
    pub(super) errors: Option<String>,
    pub(super) result: Option<String>,
    pub(super) snoozed: Option<String>,
    unique: Option<(String, i64)>,
    was: JobState,
}

impl Entry {
    /// The job's row, if it is there.
    pub(super) async fn load(work: &mut Work<'_>, id: JobId) -> Result<Option<Self>, BrokerError> {
        const SQL: &str =
            "SELECT queue, state, rank, priority, attempt, losses, token, cancel, solo, run_at, started_at,
                    expires_at, unknown_since, errors, result, snoozed, unique_key, unique_for
             FROM jobs WHERE id = ?1";
        let Some(row) = sqlx::query(SQL).bind(&id.as_bytes()[..]).fetch_optional(&mut *work.conn).await? else {
            return Ok(None);
        };
        let place = Place::from_code(row.try_get(1)?)?;
        let key: Option<String> = row.try_get(16)?;
        let unique_for: i64 = row.try_get(17)?;
        Ok(Some(Self {
            id,
            queue: row.try_get(0)?,
            place,
            rank: row.try_get(2)?,
            priority: row.try_get(3)?,
            attempt: row.try_get(4)?,
            losses: row.try_get(5)?,
            token: row.try_get(6)?,
            cancel: row.try_get(7)?,
            solo: row.try_get(8)?,
            run_at: row.try_get(9)?,
            started_at: row.try_get(10)?,
            expires_at: row.try_get(11)?,
            unknown_since: row.try_get(12)?,
            errors: row.try_get(13)?,
            result: row.try_get(14)?,
            snoozed: row.try_get(15)?,
            unique: key.map(|key| (key, unique_for)),
            was: place.state(),
        }))
    }

    /// Writes what was changed.
    pub(super) async fn save(self, work: &mut Work<'_>) -> Result<(), BrokerError> {
        const SQL: &str = "UPDATE jobs SET state = ?2, rank = ?3, attempt = ?4, losses = ?5, token = ?6, cancel = ?7,
                    solo = ?8, started_at = ?9, expires_at = ?10, unknown_since = ?11, errors = ?12, result = ?13,
                    snoozed = ?14
             WHERE id = ?1";
        work.moved(self.queue, Some(self.was), Some(self.place.state()), 1);
        sqlx::query(SQL)
            .bind(&self.id.as_bytes()[..])
            .bind(self.place.code())
            .bind(self.rank)
            .bind(self.attempt)
            .bind(self.losses)
            .bind(self.token)
            .bind(self.cancel)
            .bind(self.solo)
            .bind(self.started_at)
            .bind(self.expires_at)
            .bind(self.unknown_since)
            .bind(self.errors)
            .bind(self.result)
            .bind(self.snoozed)
            .execute(&mut *work.conn)
            .await?;
        Ok(())
    }

    /// Puts the job among those that wait, due at `due`: apart if two workers were lost with it.
    pub(super) fn wait_until(&mut self, work: &mut Work<'_>, due: i64) {
        (self.token, self.cancel, self.solo) = (0, false, false);
        let suspect = self.losses >= SUSPECT_LOSSES;
        (self.place, self.rank) = if due > work.now {
            let priority = if suspect { place::LAST } else { self.priority };
            (Place::Scheduled, place::scheduled(priority, due))
        } else if suspect {
            work.rouse = true;
            (Place::Suspect, due)
        } else {
            work.wake = true;
            (Place::Available, place::available(self.priority, due))
        };
    }

    /// Ends the job and lets its unique key go, now or after the time that it is held for.
    pub(super) async fn end(&mut self, work: &mut Work<'_>, place: Place) -> Result<(), BrokerError> {
        (self.place, self.rank, self.cancel, self.solo) = (place, work.now, false, false);
        let Some((key, hold)) = &self.unique else { return Ok(()) };
        let sql = if *hold > 0 {
            "UPDATE unique_keys SET until = ?4 WHERE queue = ?1 AND key = ?2 AND job = ?3"
        } else {
            "DELETE FROM unique_keys WHERE queue = ?1 AND key = ?2 AND job = ?3"
        };
        let query = sqlx::query(sql).bind(self.queue).bind(key.clone()).bind(&self.id.as_bytes()[..]);
        query.bind(work.now.saturating_add(*hold)).execute(&mut *work.conn).await?;
        Ok(())
    }

    /// Takes the unique key again, for a job that comes back. `Some` is the other job that holds it.
    pub(super) async fn take_key(&self, work: &mut Work<'_>) -> Result<Option<JobId>, BrokerError> {
        const HOLDER: &str = "SELECT job FROM unique_keys
             WHERE queue = ?1 AND key = ?2 AND job <> ?3 AND coalesce(until > ?4, 1)";
        const TAKE: &str = "INSERT OR REPLACE INTO unique_keys (queue, key, job) VALUES (?1, ?2, ?3)";
        let Some((key, _)) = &self.unique else { return Ok(None) };
        let query = sqlx::query(HOLDER).bind(self.queue).bind(key.clone()).bind(&self.id.as_bytes()[..]).bind(work.now);
        if let Some(row) = query.fetch_optional(&mut *work.conn).await? {
            return Ok(Some(id(row.try_get(0)?)?));
        }
        let query = sqlx::query(TAKE).bind(self.queue).bind(key.clone()).bind(&self.id.as_bytes()[..]);
        query.execute(&mut *work.conn).await?;
        Ok(None)
    }

    /// Adds the error of the attempt that ends; the last ones are kept.
    pub(super) fn add_error(&mut self, now: i64, error: &str) -> Result<(), BrokerError> {
        let mut errors = past_errors(self.errors.as_deref())?;
        errors.push(PastError { attempt: count(self.attempt), at: from_ms(now), error: cut(error).to_owned() });
        let surplus = errors.len().saturating_sub(KEPT_ERRORS);
        errors.drain(..surplus);
        self.errors = Some(super::enqueue::json(&errors));
        Ok(())
    }
}

/// With so many losses a job is leased alone.
const SUSPECT_LOSSES: i64 = 2;

/// The errors as the column writes them.
pub(super) fn past_errors(json: Option<&str>) -> Result<Vec<PastError>, BrokerError> {
    match json {
        None => Ok(Vec::new()),
        Some(json) => serde_json::from_str(json).map_err(|e| BrokerError::Corrupt(format!("errors of a job: {e}"))),
    }
}

/// A text of at most [`ERROR_BYTES`] bytes, cut at a character.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(ERROR_BYTES)]
}

/// An id from its column.
pub(super) fn id(bytes: &[u8]) -> Result<JobId, BrokerError> {
    let bytes = <[u8; 16]>::try_from(bytes);
    bytes.map(JobId::from_bytes).map_err(|_| BrokerError::Corrupt("an id that is not 16 bytes".into()))
}

/// A small count from its column.
pub(super) fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(if n < 0 { 0 } else { u32::MAX })
}

/// An optional time from its column.
pub(super) fn time(row: &SqliteRow, column: usize) -> Result<Option<Timestamp>, BrokerError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(from_ms))
}
