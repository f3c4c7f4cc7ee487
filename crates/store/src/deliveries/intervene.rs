//! What people and repaired domains do to a mail from outside of any attempt.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::record::DeliveryRef;
use super::state::DeliveryState;
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// What came of an intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It happened; the row as it is now.
    Done(DeliveryRef),
    /// The mail's state does not allow it; nothing changed.
    Refused(DeliveryState),
    /// There is no such mail.
    Missing,
}

struct StateOf(DeliveryState);

impl Record for StateOf {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("state")?))
    }
}

impl Store {
    /// Calls a mail off. One that is being sent cannot be called off any more.
    ///
    /// # Errors
    /// As the database says.
    pub async fn cancel_delivery(&self, id: Uuid, now: Timestamp) -> Result<Moved, StoreError> {
        let mut session = self.write_one().await?;
        let cancelled = session
            .sql(AssertSqlSafe(format!(
                "UPDATE deliveries SET state = 'cancelled', lease_token = NULL, next_attempt_at = NULL, touched_at = $2
                 WHERE id = $1 AND state IN ({sources})
                 RETURNING id, idempotency_key, job_id, release, state",
                sources = DeliveryState::called_off_from(),
            )))
            .bind(id)
            .bind(At(now))
            .optional()
            .await?;
        moved(&mut session, id, cancelled).await
    }

    /// Sets a mail on its way again, under a new job: enqueue it under the key and the release number that this answers.
    /// An attempt that still believes to have the mail no longer does.
    ///
    /// # Errors
    /// As the database says.
    pub async fn release_delivery(&self, id: Uuid, job_id: Uuid, now: Timestamp) -> Result<Moved, StoreError> {
        let mut session = self.write_one().await?;
        let released = session
            .sql(AssertSqlSafe(format!(
                "UPDATE deliveries
                 SET state = 'queued', release = release + 1, job_id = $2, lease_token = NULL, phase = NULL,
                     next_attempt_at = NULL, job_ended = NULL, touched_at = $3, sweep_from = $3
                 WHERE id = $1 AND state IN ({sources})
                 RETURNING id, idempotency_key, job_id, release, state",
                sources = DeliveryState::Queued.sources(),
            )))
            .bind(id)
            .bind(job_id)
            .bind(At(now))
            .optional()
            .await?;
        moved(&mut session, id, released).await
    }

    /// Says what became of a mail whose fate was unknown: it was `sent`, or it was not.
    ///
    /// # Errors
    /// As the database says.
    pub async fn resolve_delivery(&self, id: Uuid, sent: bool, now: Timestamp) -> Result<Moved, StoreError> {
        let mut session = self.write_one().await?;
        let resolved = session
            .sql(
                "UPDATE deliveries
                 SET state = $2, sent_at = $3, phase = NULL, lease_token = NULL, touched_at = $4
                 WHERE id = $1 AND state = 'unknown'
                 RETURNING id, idempotency_key, job_id, release, state",
            )
            .bind(id)
            .bind(if sent { DeliveryState::Sent } else { DeliveryState::Failed })
            .bind(sent.then_some(At(now)))
            .bind(At(now))
            .optional()
            .await?;
        moved(&mut session, id, resolved).await
    }
}

/// Tells a mail that is not there from one that was not willing.
async fn moved(session: &mut Session, id: Uuid, row: Option<DeliveryRef>) -> Result<Moved, StoreError> {
    if let Some(row) = row {
        return Ok(Moved::Done(row));
    }
    let state = session.sql("SELECT state FROM deliveries WHERE id = $1").bind(id).optional().await?;
    Ok(state.map_or(Moved::Missing, |StateOf(state)| Moved::Refused(state)))
}
