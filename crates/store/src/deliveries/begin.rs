//! Beginning an attempt, and the mark before the first body byte.

use jiff::Timestamp;
use uuid::Uuid;

use super::class::Class;
use super::record::{Delivery, delivery_columns};
use super::settle::{AttemptReport, write_attempt};
use super::state::{AttemptOutcome, DeliveryState, MailPhase};
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// What an attempt found when it wanted to begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// The mail is this attempt's to send.
    Begun(Box<Delivery>),
    /// There is nothing to send: it has ended, or it is held.
    NotSendable(DeliveryState),
    /// The mail was released under another job since: it is that one's to send.
    Superseded,
    /// An earlier attempt vanished while it wrote the body. Nobody knows whether the receiver took the mail, so from now
    /// on it is `unknown`, and this attempt must not send it.
    BecameUnknown,
    /// There is no such mail.
    Missing,
}

/// The message as it is about to go over the wire, noted with the mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnTheWire {
    /// The Message-ID header's value.
    pub message_id: String,
    /// The subject, decoded.
    pub subject: String,
}

/// How often a row that changes under our eyes is looked at again.
const LOOKS: usize = 8;

/// How far a mail, and the attempt that has it, was found to be.
pub(super) struct Found {
    pub(super) state: DeliveryState,
    pub(super) phase: Option<MailPhase>,
    pub(super) lease_token: Option<i64>,
    job_id: Uuid,
    class: Class,
    pub(super) attempts: i64,
    begun_at: Option<At>,
}

impl Record for Found {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            state: row.get("state")?,
            phase: row.get("phase")?,
            lease_token: row.get("lease_token")?,
            job_id: row.get("job_id")?,
            class: row.get("class")?,
            attempts: row.get("attempts")?,
            begun_at: row.get("begun_at")?,
        })
    }
}

impl Store {
    /// Begins an attempt of the job `job_id`, under its lease.
    ///
    /// 1. Only the mail's own job may: a release gives it another one, and the two may come due together, even in one
    ///    lease and under one token.
    /// 2. A mail that waits (`queued`, `deferred`) is begun; so is one that ended only because its job did: the job was
    ///    redriven.
    /// 3. One that another attempt had begun and not brought to the body is taken over: whoever held it will find its
    ///    mark refused.
    /// 4. One whose body another attempt had begun to write becomes `unknown`, or is begun again if its class says so.
    /// 5. Beginning again under the same token, before the mark, is harmless.
    ///
    /// # Errors
    /// As the database says.
    pub async fn begin_sending(
        &self,
        id: Uuid,
        job_id: Uuid,
        lease_token: u64,
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        for _ in 0..LOOKS {
            if let Some(delivery) = self.begin_waiting(id, job_id, lease_token, now).await? {
                return Ok(Begun::Begun(Box::new(delivery)));
            }
            let Some(found) = self.look(id).await? else { return Ok(Begun::Missing) };
            match (found.state, found.phase) {
                _ if found.job_id != job_id => return Ok(Begun::Superseded),
                (DeliveryState::Queued | DeliveryState::Deferred, _) => {}
                (DeliveryState::Sending, Some(MailPhase::Data)) if !found.class.resends_unknown() => {
                    if self.give_up(id, &found, now).await? {
                        return Ok(Begun::BecameUnknown);
                    }
                }
                (DeliveryState::Sending, phase) => {
                    let again = phase == Some(MailPhase::Envelope) && found.lease_token == Some(bits(lease_token));
                    let delivery = if again {
                        self.delivery(id).await?
                    } else {
                        self.take_over(id, &found, lease_token, now).await?
                    };
                    if let Some(delivery) = delivery {
                        return Ok(Begun::Begun(Box::new(delivery)));
                    }
                }
                (state, _) => return Ok(Begun::NotSendable(state)),
            }
        }
        Err(StoreError::Contended)
    }

    /// Marks that the body is about to be written: to be called after the receiver's 354 and before the first byte.
    /// Answers `false` if the lease is lost; then nothing may be written and the connection must be dropped. Repeating
    /// the call under the same token is harmless.
    ///
    /// # Errors
    /// As the database says. Nothing may be written then either.
    pub async fn mark_data(
        &self,
        id: Uuid,
        lease_token: u64,
        message: &OnTheWire,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.mark_data_together(id, lease_token, message, now).await
    }

    /// Takes an attempt back whose mail's turn has not come: the mail waits until `again`, and `why` says for what. The
    /// attempt was none: it is not counted and leaves no line in the mail's history. Answers `false` if the mail is another
    /// attempt's or further than that. Repeating the call is harmless.
    ///
    /// # Errors
    /// As the database says.
    pub async fn put_back(
        &self,
        id: Uuid,
        lease_token: u64,
        why: &str,
        again: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .write_one()
            .await?
            .sql(
                "UPDATE deliveries
                 SET state = 'deferred', phase = NULL, last_error = $3, next_attempt_at = $4, touched_at = $5,
                     sweep_from = $4, attempts = CASE WHEN state = 'sending' THEN attempts - 1 ELSE attempts END
                 WHERE id = $1 AND lease_token = $2
                   AND (state = 'deferred' OR (state = 'sending' AND phase = 'envelope'))",
            )
            .bind(id)
            .bind(bits(lease_token))
            .bind(why)
            .bind(At(again))
            .bind(At(now))
            .run()
            .await?;
        Ok(changed > 0)
    }

    pub(super) async fn look(&self, id: Uuid) -> Result<Option<Found>, StoreError> {
        self.read()
            .await?
            .sql("SELECT state, phase, lease_token, job_id, class, attempts, begun_at FROM deliveries WHERE id = $1")
            .bind(id)
            .optional()
            .await
    }

    /// Takes the mail from the attempt that was found, if it is still as it was found.
    async fn take_over(
        &self,
        id: Uuid,
        found: &Found,
        lease_token: u64,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let mut transaction = self.begin().await?;
        let taken: Option<Delivery> = transaction
            .sql(concat!(
                "UPDATE deliveries
                 SET phase = 'envelope', lease_token = $5, attempts = attempts + 1, begun_at = $6, touched_at = $6,
                     sweep_from = $6
                 WHERE id = $1 AND job_id = $7 AND state = 'sending' AND phase = $2 AND lease_token = $3 AND attempts = $4
                 RETURNING ",
                delivery_columns!()
            ))
            .bind(id)
            .bind(found.phase)
            .bind(found.lease_token)
            .bind(found.attempts)
            .bind(bits(lease_token))
            .bind(At(now))
            .bind(found.job_id)
            .optional()
            .await?;
        if taken.is_some() {
            let report = found.vanished(now);
            write_attempt(&mut transaction, id, found.attempts, found.began(now), &report, AttemptOutcome::Lost)
                .await?;
            transaction.commit().await?;
        }
        Ok(taken)
    }

    /// Notes that nobody knows what became of the mail, if it is still as it was found.
    async fn give_up(&self, id: Uuid, found: &Found, now: Timestamp) -> Result<bool, StoreError> {
        let report = found.vanished(now);
        let mut transaction = self.begin().await?;
        let changed = transaction
            .sql(
                "UPDATE deliveries SET state = 'unknown', last_error = $4, touched_at = $5
                 WHERE id = $1 AND state = 'sending' AND phase = 'data' AND lease_token = $2 AND attempts = $3",
            )
            .bind(id)
            .bind(found.lease_token)
            .bind(found.attempts)
            .bind(report.text.as_deref())
            .bind(At(now))
            .run()
            .await?;
        if changed > 0 {
            let outcome = AttemptOutcome::Unknown;
            write_attempt(&mut transaction, id, found.attempts, found.began(now), &report, outcome).await?;
            transaction.commit().await?;
        }
        Ok(changed > 0)
    }
}

impl Found {
    pub(super) fn began(&self, now: Timestamp) -> Timestamp {
        self.begun_at.map_or(now, Timestamp::from)
    }

    /// What is known about an attempt that never reported.
    pub(super) fn vanished(&self, now: Timestamp) -> AttemptReport {
        AttemptReport {
            phase: self.phase.map(|phase| phase.to_string()),
            text: Some("the worker vanished".to_owned()),
            duration: now.duration_since(self.began(now)).try_into().unwrap_or_default(),
            ..AttemptReport::default()
        }
    }
}

/// A lease token as the database keeps it: the same 64 bits, with a sign.
pub(super) fn bits(lease_token: u64) -> i64 {
    lease_token.cast_signed()
}
