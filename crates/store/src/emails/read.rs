//! Asking for an email and what it says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::EmailRecipients;
use super::accept::of_email;
use crate::db::{At, Record, Row, Store};
use crate::deliveries::DeliveryRef;
use crate::error::StoreError;

/// An email that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Email {
    /// Its id.
    pub id: Uuid,
    /// The sender profile's name.
    pub sender: String,
    /// The template's name; none where the caller gave the text.
    pub template: Option<String>,
    /// What it says, sealed; none once it was erased.
    pub content: Option<Vec<u8>>,
    /// Whom it goes to.
    pub recipients: EmailRecipients,
    /// The caller's labels.
    pub tags: BTreeMap<String, String>,
    /// Not to be sent before.
    pub send_at: Option<Timestamp>,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl Record for Email {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            sender: row.get("sender")?,
            template: row.get("template")?,
            content: row.get("content")?,
            recipients: row.get::<Json<EmailRecipients>>("recipients")?.0,
            tags: row.get::<Json<BTreeMap<String, String>>>("tags")?.0,
            send_at: row.get::<Option<At>>("send_at")?.map(|at| at.0),
            created_at: row.get::<At>("created_at")?.0,
        })
    }
}

impl Store {
    /// An email by its id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_email(&self, id: Uuid) -> Result<Option<Email>, StoreError> {
        self.read()
            .await?
            .sql(
                "SELECT id, sender, template, content, recipients, tags, send_at, created_at
                 FROM emails WHERE id = $1",
            )
            .bind(id)
            .optional()
            .await
    }

    /// The deliveries of an email, one a recipient.
    ///
    /// # Errors
    /// As the database says.
    pub async fn email_deliveries(&self, id: Uuid) -> Result<Vec<DeliveryRef>, StoreError> {
        of_email(&mut self.read().await?, id).await
    }
}
