//! Writing mails that are to be sent.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::class::Category;
use super::record::DeliveryRef;
use crate::db::{At, Session, Store};
use crate::error::StoreError;

/// Mails that one statement writes.
const CHUNK: usize = 100;

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
    /// The booking that it is about.
    pub booking_id: Option<String>,
    /// The version of the booking that it tells of: a newer one calls it off while it waits.
    pub booking_version: Option<i64>,
    /// For a reminder: which start it is about, counted as the booking's moves. Another one calls it off.
    pub booking_moves: Option<i64>,
    /// Before this it is not sent; none: at once.
    pub send_at: Option<Timestamp>,
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
            booking_id: None,
            booking_version: None,
            booking_moves: None,
            send_at: None,
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

/// Writes mails within a transaction: many with one statement, for reminders come by the thousand.
pub(crate) async fn insert(
    session: &mut Session,
    mails: &[NewDelivery],
    now: Timestamp,
) -> Result<Vec<DeliveryRef>, StoreError> {
    let mut rows = HashMap::with_capacity(mails.len());
    for chunk in mails.chunks(CHUNK) {
        let written = insert_chunk(session, chunk, now).await?;
        rows.extend(written.into_iter().map(|row| (row.idempotency_key.clone(), row)));
    }
    let mut all = Vec::with_capacity(mails.len());
    for mail in mails {
        let row = match rows.get(&mail.idempotency_key) {
            Some(row) => row.clone(),
            None => find_by_key(session, &mail.idempotency_key).await?,
        };
        all.push(row);
    }
    Ok(all)
}

/// Answers the rows that are new.
async fn insert_chunk(
    session: &mut Session,
    mails: &[NewDelivery],
    now: Timestamp,
) -> Result<Vec<DeliveryRef>, StoreError> {
    let mut statement = session.sql(AssertSqlSafe(inserting(mails.len())));
    // The plans of what comes often are worth keeping: one mail, two for a booking, a full chunk.
    if mails.len() > 2 && mails.len() < CHUNK {
        statement = statement.unprepared();
    }
    for mail in mails {
        statement = statement
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
            .bind(mail.booking_id.as_deref())
            .bind(mail.booking_version)
            .bind(mail.booking_moves)
            .bind(mail.email_id)
            .bind(mail.job_id)
            .bind(At(mail.deadline.unwrap_or_else(|| worth_until(mail, now))))
            .bind(mail.send_at.map(At))
            .bind(At(now))
            // A mail for later is silent on purpose until then.
            .bind(At(mail.send_at.map_or(now, |at| at.max(now))));
    }
    statement.all().await
}

/// Values of a mail that are bound: the last two are the time of writing, which stands twice, and the sweep's.
const VALUES: usize = 21;

/// The statement that writes `count` mails.
fn inserting(count: usize) -> String {
    let row = |n: usize| {
        let place = |value: usize| format!("${}", n * VALUES + value);
        let values: Vec<String> = (1..VALUES - 1).map(place).collect();
        let (now, sweep_from) = (place(VALUES - 1), place(VALUES));
        format!("({}, 'queued', 0, 0, {now}, {now}, {sweep_from})", values.join(", "))
    };
    format!(
        "INSERT INTO deliveries (id, idempotency_key, template, sender, category, class, recipient, recipient_key,
             recipient_name, data, locale, calendar, booking_id, booking_version, booking_moves, email_id, job_id, deadline,
             send_at, state, release, attempts, created_at, touched_at, sweep_from)
         VALUES {}
         ON CONFLICT (idempotency_key) DO NOTHING
         RETURNING id, idempotency_key, job_id, release, state, send_at",
        (0..count).map(row).collect::<Vec<_>>().join(", ")
    )
}

/// The deadline of a mail that nobody gave one.
fn worth_until(mail: &NewDelivery, now: Timestamp) -> Timestamp {
    now.checked_add(mail.category.class().worth()).unwrap_or(Timestamp::MAX)
}

async fn find_by_key(session: &mut Session, key: &str) -> Result<DeliveryRef, StoreError> {
    session
        .sql("SELECT id, idempotency_key, job_id, release, state, send_at FROM deliveries WHERE idempotency_key = $1")
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
