//! Writing mails that are to be sent.

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::class::Category;
use super::record::DeliveryRef;
use crate::db::{At, Session, Store};
use crate::error::StoreError;

/// A mail that is to be sent. [`NewDelivery::new`] asks for what every mail has; the rest is named where it is needed.
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
    /// What the mail is to its reader; how it is sent follows from it.
    pub category: Category,
    /// The address that it goes to.
    pub recipient: String,
    /// The name beside it.
    pub recipient_name: Option<String>,
    /// What the template is filled with.
    pub data: serde_json::Value,
    /// The recipient's language, BCP 47; none is English.
    pub locale: Option<String>,
    /// The invitation that it carries, as `mail::calendar` reads it.
    pub calendar: Option<serde_json::Value>,
    /// What is sent or filled in and must not be read in the store: sealed by who gives it.
    pub content: Option<Vec<u8>>,
    /// The To and Cc to show, where several recipients share a mail; none: the recipient.
    pub headers_to: Option<serde_json::Value>,
    /// The booking that it is about.
    pub booking_id: Option<String>,
    /// The `POST /v1/emails` that it belongs to.
    pub email_id: Option<Uuid>,
    /// The job that will send it, if the key is new.
    pub job_id: Uuid,
    /// After this the mail is worth nothing; none: for as long as its class says ([`Class::worth`](super::Class::worth)).
    pub deadline: Option<Timestamp>,
}

impl NewDelivery {
    /// A mail made from `template`, from the profile `sender` to the address `recipient`, without data, to be sent by the
    /// job `id`, which is also the row's id. `key` says what it is for.
    #[must_use]
    pub fn new(
        id: Uuid,
        key: impl Into<String>,
        category: Category,
        template: impl Into<String>,
        sender: impl Into<String>,
        recipient: impl Into<String>,
    ) -> Self {
        Self {
            id,
            idempotency_key: key.into(),
            template: template.into(),
            sender: sender.into(),
            category,
            recipient: recipient.into(),
            recipient_name: None,
            data: serde_json::json!({}),
            locale: None,
            calendar: None,
            content: None,
            headers_to: None,
            booking_id: None,
            email_id: None,
            job_id: id,
            deadline: None,
        }
    }
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
            "INSERT INTO deliveries (id, idempotency_key, template, sender, category, class, recipient, recipient_key,
                 recipient_name, data, locale, calendar, content, headers_to, booking_id, email_id, job_id, deadline,
                 state, release, attempts, created_at, touched_at, sweep_from)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 'queued', 0, 0, $19, $19, $19)
             ON CONFLICT (idempotency_key) DO NOTHING
             RETURNING id, idempotency_key, job_id, release, state",
        )
        .bind(mail.id)
        .bind(mail.idempotency_key.as_str())
        .bind(mail.template.as_str())
        .bind(mail.sender.as_str())
        .bind(mail.category)
        .bind(mail.category.class())
        .bind(mail.recipient.as_str())
        .bind(recipient_key(&mail.recipient))
        .bind(mail.recipient_name.as_deref())
        .bind(Json(&mail.data))
        .bind(mail.locale.as_deref())
        .bind(mail.calendar.as_ref().map(Json))
        .bind(mail.content.as_deref())
        .bind(mail.headers_to.as_ref().map(Json))
        .bind(mail.booking_id.as_deref())
        .bind(mail.email_id)
        .bind(mail.job_id)
        .bind(At(mail.deadline.unwrap_or_else(|| worth_until(mail, now))))
        .bind(At(now))
        .optional()
        .await
}

/// The deadline of a mail that nobody gave one.
fn worth_until(mail: &NewDelivery, now: Timestamp) -> Timestamp {
    now.checked_add(mail.category.class().worth()).unwrap_or(Timestamp::MAX)
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
pub(crate) fn recipient_key(address: &str) -> String {
    address.to_lowercase()
}
