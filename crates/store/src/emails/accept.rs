//! Accepting an email: the row and its deliveries in one transaction, once for each idempotency key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::types::Json;
use uuid::Uuid;

use super::EmailRecipients;
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::{self, DeliveryRef, NewDelivery};
use crate::error::StoreError;

/// For how long a key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// An email that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEmail {
    /// Its id, if the key is new.
    pub id: Uuid,
    /// What makes a repeated call the same call.
    pub idempotency_key: Option<String>,
    /// What stands for what was asked for, by each key of the ring, the current one first. Not a plain digest: whoever reads
    /// the store could try short secrets against it.
    pub payload_hashes: Vec<String>,
    /// The sender profile's name.
    pub sender: String,
    /// The template's name; none where the caller gave the text.
    pub template: Option<String>,
    /// What it says, sealed for this id.
    pub content: Vec<u8>,
    /// Whom it goes to.
    pub recipients: EmailRecipients,
    /// The caller's labels.
    pub tags: BTreeMap<String, String>,
    /// Not to be sent before.
    pub send_at: Option<Timestamp>,
    /// One a recipient.
    pub deliveries: Vec<NewDelivery>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailAccepted {
    /// It was written; enqueue its deliveries.
    New(Vec<DeliveryRef>),
    /// The same call was accepted before.
    Duplicate {
        /// Under this id.
        id: Uuid,
        /// With these deliveries; enqueueing those that wait again is harmless.
        deliveries: Vec<DeliveryRef>,
        /// When they are due.
        send_at: Option<Timestamp>,
    },
    /// Another call was accepted under the same key within 24 hours.
    Conflict,
}

struct There {
    id: Uuid,
    payload_hash: Vec<u8>,
    send_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl Record for There {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            payload_hash: row.get("payload_hash")?,
            send_at: row.get::<Option<At>>("send_at")?.map(|at| at.0),
            created_at: row.get::<At>("created_at")?.0,
        })
    }
}

impl Store {
    /// Writes an email and its deliveries, once for each key.
    ///
    /// # Errors
    /// As the database says.
    pub async fn accept_email(&self, new: &NewEmail, now: Timestamp) -> Result<EmailAccepted, StoreError> {
        let mut session = self.begin().await?;
        // A key that was forgotten may be taken anew by another call while this one waits for its row.
        while !insert(&mut session, new, now).await? {
            let key = new.idempotency_key.as_deref().unwrap_or_default();
            // None: it was forgotten in this very moment, and is free.
            let Some(there) = find(&mut session, key).await? else { continue };
            let fresh = now.duration_since(there.created_at) < REMEMBERED;
            if fresh && new.payload_hashes.iter().any(|hash| hash.as_bytes() == there.payload_hash) {
                let deliveries = of_email(&mut session, there.id).await?;
                session.commit().await?;
                return Ok(EmailAccepted::Duplicate { id: there.id, deliveries, send_at: there.send_at });
            }
            if fresh {
                session.commit().await?;
                return Ok(EmailAccepted::Conflict);
            }
            session.sql("UPDATE emails SET idempotency_key = NULL WHERE id = $1").bind(there.id).run().await?;
        }
        let written = deliveries::insert(&mut session, &new.deliveries, now).await?;
        if let Some(send_at) = new.send_at {
            // Silent on purpose until then.
            session
                .sql("UPDATE deliveries SET send_at = $2, sweep_from = $2, next_attempt_at = $2 WHERE email_id = $1")
                .bind(new.id)
                .bind(At(send_at))
                .run()
                .await?;
        }
        session.commit().await?;
        Ok(EmailAccepted::New(written))
    }
}

/// Answers whether the row was written: not if its key is taken.
async fn insert(session: &mut Session, new: &NewEmail, now: Timestamp) -> Result<bool, StoreError> {
    let written = session
        .sql(
            "INSERT INTO emails (id, idempotency_key, payload_hash, sender, template, content, recipients, tags, send_at,
                 created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (idempotency_key) DO NOTHING",
        )
        .bind(new.id)
        .bind(new.idempotency_key.as_deref())
        .bind(new.payload_hashes.first().map(String::as_bytes))
        .bind(new.sender.as_str())
        .bind(new.template.as_deref())
        .bind(new.content.as_slice())
        .bind(Json(&new.recipients))
        .bind(Json(&new.tags))
        .bind(new.send_at.map(At))
        .bind(At(now))
        .run()
        .await?;
    Ok(written > 0)
}

async fn find(session: &mut Session, key: &str) -> Result<Option<There>, StoreError> {
    session
        .sql("SELECT id, payload_hash, send_at, created_at FROM emails WHERE idempotency_key = $1")
        .bind(key)
        .optional()
        .await
}

/// The deliveries of an email, in the order in which they were made.
pub(super) async fn of_email(session: &mut Session, id: Uuid) -> Result<Vec<DeliveryRef>, StoreError> {
    session
        .sql(
            "SELECT id, idempotency_key, job_id, release, state, send_at FROM deliveries WHERE email_id = $1
             ORDER BY created_at, id",
        )
        .bind(id)
        .all()
        .await
}
