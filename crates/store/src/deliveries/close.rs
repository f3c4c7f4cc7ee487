//! Ending a mail whose job has ended: nobody will send it any more, and it must not look as if somebody would.

use jiff::Timestamp;
use uuid::Uuid;

use super::settle::write_attempt;
use super::state::{AttemptOutcome, DeliveryState};
use super::table::{Event, Place};
use crate::db::{At, Store};
use crate::endings::JobEnd;
use crate::error::StoreError;

/// Ends the mail as the table says, if nothing was heard of it since `silent_since`; answers the state.
///
/// An attempt that still believes to have the mail is refused its mark from here on. Where the body had begun, the token
/// stays: a reply that comes after all still corrects `unknown`.
pub(crate) async fn close(
    store: &Store,
    (id, job_id): (Uuid, Uuid),
    ended: JobEnd,
    reason: &str,
    silent_since: Timestamp,
    now: Timestamp,
) -> Result<Option<DeliveryState>, StoreError> {
    let Some(found) = store.look(id).await? else { return Ok(None) };
    let ended_at = Place::of(found.state, found.phase).after(Event::of_job(ended));
    let Some(state) = ended_at.map(Place::state) else { return Ok(None) };
    let unknown = state == DeliveryState::Unknown;
    let mut transaction = store.begin().await?;
    let changed = transaction
        .sql(
            "UPDATE deliveries
             SET state = $6, job_ended = $7, last_error = $8, lease_token = $9, phase = NULL, next_attempt_at = NULL,
                 touched_at = $10
             WHERE id = $1 AND job_id = $2 AND state = $3 AND attempts = $4 AND sweep_from < $5",
        )
        .bind(id)
        .bind(job_id)
        .bind(found.state)
        .bind(found.attempts)
        .bind(At(silent_since))
        .bind(state)
        .bind((!unknown).then_some(ended))
        .bind(reason)
        .bind(found.lease_token.filter(|_| unknown))
        .bind(At(now))
        .run()
        .await?;
    if changed == 0 {
        return Ok(None);
    }
    if found.state == DeliveryState::Sending {
        let outcome = if unknown { AttemptOutcome::Unknown } else { AttemptOutcome::Lost };
        write_attempt(&mut transaction, id, found.attempts, found.began(now), &found.vanished(now), outcome).await?;
    }
    transaction.commit().await?;
    Ok(Some(state))
}
