//! Writing mails that are to be sent.

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::record::DeliveryRef;
use crate::db::{At, Session, Store};
use crate::error::StoreError;

/// A mail that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDelivery {
    /// The row's id, if the key is new.
    pub id: Uuid,
    /// What the mail is for: a second one under the same key is not written.
    pub idempotency_key: String,
    /// The template's name.
    pub template: String,
    /// The sender profile's name.
    pub sender: String,
    /// The sender's class. Mails of class `alert` are sent again when their fate is unknown.
    pub class: String,
    /// The address that it goes to.
    pub recipient: String,
    /// The name beside it.
    pub recipient_name: Option<String>,
    /// What the template is filled with.
    pub data: serde_json::Value,
    /// The booking that it is about.
    pub booking_id: Option<String>,
    /// The job that will send it, if the key is new.
    pub job_id: Uuid,
    /// After this the mail is worth nothing.
    pub deadline: Option<Timestamp>,
}

impl Store {
    /// Writes mails to the ledger, all or none. Answers one reference each, in their order: of the row that was written
    /// now, or of the one that already had its key.
    ///
    /// # Errors
    /// As the database says.
    pub async fn insert_deliveries(
        &self,
        mails: &[NewDelivery],
        now: Timestamp,
    ) -> Result<Vec<DeliveryRef>, StoreError> {
        let mut transaction = self.begin().await?;
        let written = insert(&mut transaction, mails, now).await?;
        transaction.commit().await?;
        Ok(written)
    }
}

/// Writes mails within a transaction.
pub(crate) async fn insert(
    session: &mut Session,
    mails: &[NewDelivery],
    now: Timestamp,
) -> Result<Vec<DeliveryRef>, StoreError> {
    let mut written = Vec::with_capacity(mails.len());
    for mail in mails {
        let row = match insert_one(session, mail, now).await? {
            Some(new) => new,
            None => find_by_key(session, &mail.idempotency_key).await?,
        };
        written.push(row);
    }
    Ok(written)
}

async fn insert_one(
    session: &mut Session,
    mail: &NewDelivery,
    now: Timestamp,
) -> Result<Option<DeliveryRef>, StoreError> {
    session
        .sql(
            "INSERT INTO deliveries (id, idempotency_key, template, sender, class, recipient, recipient_key,
                 recipient_name, data, booking_id, job_id, deadline, state, release, attempts, created_at, touched_at,
                 sweep_from)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', 0, 0, $13, $13, $13)
             ON CONFLICT (idempotency_key) DO NOTHING
             RETURNING id, idempotency_key, job_id, release, state",
        )
        .bind(mail.id)
        .bind(mail.idempotency_key.as_str())
        .bind(mail.template.as_str())
        .bind(mail.sender.as_str())
        .bind(mail.class.as_str())
        .bind(mail.recipient.as_str())
        .bind(recipient_key(&mail.recipient))
        .bind(mail.recipient_name.as_deref())
        .bind(Json(&mail.data))
        .bind(mail.booking_id.as_deref())
        .bind(mail.job_id)
        .bind(mail.deadline.map(At))
        .bind(At(now))
        .optional()
        .await
}

async fn find_by_key(session: &mut Session, key: &str) -> Result<DeliveryRef, StoreError> {
    session
        .sql("SELECT id, idempotency_key, job_id, release, state FROM deliveries WHERE idempotency_key = $1")
        .bind(key)
        .optional()
        .await?
        .ok_or_else(|| StoreError::Corrupt(format!("delivery {key} is neither written nor there")))
}

/// What a person is looked up by: the address in lower case. (Case may matter before the @, RFC 5321 §2.4, and never
/// does; two people whose addresses differ only in case would be found together.)
pub(super) fn recipient_key(address: &str) -> String {
    address.to_lowercase()
}
