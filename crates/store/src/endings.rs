//! What becomes of an intent whose job has ended without doing it.
//!
//! A dead, cancelled or expired job is not repeated behind people's backs. Its row ends with it, with the reason, so that
//! the row does not look as if something would still happen, and the sweep has no more to do with it, even when the job
//! is long trimmed. The row comes back to life with the job: redriven, it takes up the mail, or applies the event, as if
//! nothing had been.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::{At, Store};
use crate::deliveries::{self, DeliveryState};
use crate::error::StoreError;
use crate::intents::Intent;
use crate::schedules;
use crate::words::words;

words! {
    /// How a job ended that did not do what it was for.
    pub enum JobEnd {
        /// It failed for good.
        Dead = "dead",
        /// Somebody called it off.
        Cancelled = "cancelled",
        /// Its time had passed.
        Expired = "expired",
    }
}

/// A row that ended with its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// A booking event: it has failed.
    BookingEvent,
    /// A mail, and how it ended.
    Delivery(DeliveryState),
    /// A tick; so many failures in a row have just paused its schedule.
    Tick(Option<u32>),
    /// A message about incidents: it was not taken.
    Notification,
}

impl Store {
    /// Ends an intent because its job has ended; `reason` is kept with it. Answers nothing, and changes nothing, if the
    /// row was heard of since `silent_since`, has another job, or has its end already.
    ///
    /// # Errors
    /// As the database says.
    pub async fn close_intent(
        &self,
        intent: &Intent,
        ended: JobEnd,
        reason: &str,
        silent_since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Closed>, StoreError> {
        match intent {
            Intent::Delivery(row) => {
                let closed = deliveries::close(self, (row.id, row.job_id), ended, reason, silent_since, now).await?;
                Ok(closed.map(Closed::Delivery))
            }
            Intent::Tick(tick) => {
                let closed = schedules::close(self, tick, ended, reason, silent_since, now).await?;
                Ok(closed.map(|closed| Closed::Tick(closed.paused_after)))
            }
            Intent::Notification(notification) => {
                let changed = self
                    .write_one()
                    .await?
                    .sql(
                        "UPDATE alert_notifications SET state = 'failed', last_error = $4, ended_at = $5
                         WHERE id = $1 AND job_id = $2 AND state = 'queued' AND sweep_from < $3",
                    )
                    .bind(notification.id)
                    .bind(notification.job_id)
                    .bind(At(silent_since))
                    .bind(reason)
                    .bind(At(now))
                    .run()
                    .await?;
                Ok((changed > 0).then_some(Closed::Notification))
            }
            Intent::BookingEvent { booking_id, version, job_id, .. } => {
                let changed = self
                    .write_one()
                    .await?
                    .sql(
                        "UPDATE booking_events SET state = 'failed', failure = $5
                         WHERE booking_id = $1 AND version = $2 AND job_id = $3 AND state = 'accepted'
                           AND sweep_from < $4",
                    )
                    .bind(booking_id.as_str())
                    .bind(*version)
                    .bind(*job_id)
                    .bind(At(silent_since))
                    .bind(reason)
                    .run()
                    .await?;
                Ok((changed > 0).then_some(Closed::BookingEvent))
            }
        }
    }

    /// Gives an open intent another job, before that is enqueued. Answers `false`, and changes nothing, if it has got
    /// another one or its end meanwhile.
    ///
    /// # Errors
    /// As the database says.
    pub async fn renew_job(&self, intent: &Intent, job_id: Uuid) -> Result<bool, StoreError> {
        let mut session = self.write_one().await?;
        let statement = match intent {
            Intent::Delivery(row) => session
                .sql(
                    "UPDATE deliveries SET job_id = $1
                     WHERE job_id = $2 AND id = $3 AND state IN ('queued', 'sending', 'deferred')",
                )
                .bind(job_id)
                .bind(row.job_id)
                .bind(row.id),
            Intent::BookingEvent { booking_id, version, job_id: old, .. } => session
                .sql(
                    "UPDATE booking_events SET job_id = $1
                     WHERE job_id = $2 AND booking_id = $3 AND version = $4 AND state = 'accepted'",
                )
                .bind(job_id)
                .bind(*old)
                .bind(booking_id.as_str())
                .bind(*version),
            Intent::Tick(tick) => session
                .sql(
                    "UPDATE schedule_ticks SET job_id = $1
                     WHERE job_id = $2 AND schedule = $3 AND planned_at = $4 AND state = 'open'",
                )
                .bind(job_id)
                .bind(tick.job_id)
                .bind(tick.schedule.as_str())
                .bind(At(tick.planned_at)),
            Intent::Notification(notification) => session
                .sql("UPDATE alert_notifications SET job_id = $1 WHERE job_id = $2 AND id = $3 AND state = 'queued'")
                .bind(job_id)
                .bind(notification.job_id)
                .bind(notification.id),
        };
        Ok(statement.run().await? > 0)
    }
}
