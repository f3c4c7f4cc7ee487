//! Adding a suppression: once an address and what it covers.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::record::{Covers, Suppression, SuppressionReason, suppression_columns};
use crate::db::{At, Backend, Session, Store};
use crate::deliveries::recipient_key;
use crate::error::StoreError;
use crate::people::ERASED_ADDRESS;

/// A suppression to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSuppression {
    /// Its id, if it is new.
    pub id: Uuid,
    /// The address; its case does not matter.
    pub address: String,
    /// What stands for the address once it is erased: a keyed hash of its lower case form.
    pub address_hash: Option<String>,
    /// Which mails it holds.
    pub covers: Covers,
    /// Why.
    pub reason: SuppressionReason,
    /// What the receiver or the operator said.
    pub detail: Option<String>,
    /// The mail that led to it.
    pub delivery_id: Option<Uuid>,
    /// Who or what adds it.
    pub actor: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is in force from now on.
    New(Suppression),
    /// One that covers the same was in force already, for the reason that it has; nothing changed.
    Already(Suppression),
}

impl Store {
    /// Adds a suppression.
    ///
    /// # Errors
    /// As the database says.
    pub async fn add_suppression(&self, new: &NewSuppression, now: Timestamp) -> Result<Added, StoreError> {
        let added = insert(&mut self.write_one().await?, self.backend(), new, now).await?;
        if let Some(row) = added {
            return Ok(Added::New(row));
        }
        let there = self
            .read()
            .await?
            .sql(concat!(
                "SELECT ",
                suppression_columns!(),
                " FROM suppressions WHERE address = $1 AND covers = $2 ORDER BY lifted_at IS NULL DESC, created_at DESC
                 LIMIT 1"
            ))
            .bind(recipient_key(&new.address))
            .bind(new.covers)
            .optional()
            .await?;
        there
            .map(Added::Already)
            .ok_or_else(|| StoreError::Corrupt("a suppression is neither written nor there".to_owned()))
    }
}

/// Answers nothing if one that covers the same is in force. Of a mail whose reader was erased meanwhile only the hash is kept.
pub(crate) async fn insert(
    session: &mut Session,
    backend: Backend,
    new: &NewSuppression,
    now: Timestamp,
) -> Result<Option<Suppression>, StoreError> {
    // Who erases has the mail's row until the suppressions are done: on Postgres this waits for it.
    let locked = match backend {
        Backend::Postgres => "FOR SHARE",
        Backend::Sqlite => "",
    };
    let text = format!(
        "WITH about AS (SELECT recipient FROM deliveries WHERE id = $7 {locked}),
              found AS (SELECT EXISTS (SELECT 1 FROM about WHERE recipient = '{ERASED_ADDRESS}') AS erased)
         INSERT INTO suppressions (id, address, address_hash, covers, reason, detail, delivery_id, actor, created_at)
         SELECT $1, CASE WHEN erased THEN NULL ELSE $2 END, $3, $4, $5, CASE WHEN erased THEN NULL ELSE $6 END, $7, $8, $9
         FROM found WHERE TRUE
         ON CONFLICT (address, covers) WHERE lifted_at IS NULL DO NOTHING
         RETURNING {columns}",
        columns = suppression_columns!()
    );
    session
        .sql(AssertSqlSafe(text))
        .bind(new.id)
        .bind(recipient_key(&new.address))
        .bind(new.address_hash.as_deref())
        .bind(new.covers)
        .bind(new.reason)
        .bind(new.detail.as_deref())
        .bind(new.delivery_id)
        .bind(new.actor.as_str())
        .bind(At(now))
        .optional()
        .await
}
