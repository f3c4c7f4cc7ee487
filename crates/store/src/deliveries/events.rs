//! What was learned about a mail outside of its attempts: a bounce that came back, a complaint, an unsubscription, a
//! recipient that a test installation replaced.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::settle::unless_erased;
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::error::StoreError;
use crate::suppressions::{self, NewSuppression};
use crate::words::words;

words! {
    /// What was learned.
    pub enum DeliveryEventKind {
        /// A receiver gave it back (RFC 3464, action `failed`).
        Bounce = "bounce",
        /// A receiver has not delivered it yet (RFC 3464, action `delayed`).
        Delayed = "delayed",
        /// A receiver said that it delivered it (RFC 3464, action `delivered`, `relayed`, `expanded`).
        Delivered = "delivered",
        /// Its reader called it unwanted (RFC 5965).
        Complaint = "complaint",
        /// Its reader unsubscribed (RFC 8058).
        Unsubscribe = "unsubscribe",
        /// It went to `mail.redirect_to` in place of its recipient.
        Redirected = "redirected",
    }
}

/// Something that was learned about a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEvent {
    /// The mail.
    pub delivery_id: Uuid,
    /// When it was learned.
    pub at: Timestamp,
    /// What.
    pub kind: DeliveryEventKind,
    /// Whether the report proved that it is about this mail.
    pub verified: bool,
    /// The status (RFC 3463), such as `5.1.1`.
    pub status: Option<String>,
    /// What was said.
    pub text: Option<String>,
}

impl Record for DeliveryEvent {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            delivery_id: row.get("delivery_id")?,
            at: row.get::<At>("at")?.0,
            kind: row.get("kind")?,
            verified: row.get("verified")?,
            status: row.get("status")?,
            text: row.get("text")?,
        })
    }
}

impl Store {
    /// Writes down what was learned, under `id`; `source` is what it was learned from. Answers `false` if the same was
    /// written before, or if there is no such mail.
    ///
    /// # Errors
    /// As the database says.
    pub async fn add_delivery_event(&self, id: Uuid, event: &DeliveryEvent, source: &[u8]) -> Result<bool, StoreError> {
        insert(&mut self.write_one().await?, self.backend(), id, event, source).await
    }

    /// As [`Store::add_delivery_event`], with what follows from it for the reader, in one transaction: a report that is
    /// handed in again because the answer was lost has had its effect, or has it now.
    ///
    /// # Errors
    /// As the database says; then neither is written.
    pub async fn add_report(
        &self,
        id: Uuid,
        event: &DeliveryEvent,
        source: &[u8],
        suppression: &NewSuppression,
    ) -> Result<bool, StoreError> {
        let mut session = self.begin().await?;
        let written = insert(&mut session, self.backend(), id, event, source).await?;
        if written {
            suppressions::insert(&mut session, self.backend(), suppression, event.at).await?;
        }
        session.commit().await?;
        Ok(written)
    }

    /// What was learned about a mail, oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn delivery_events(&self, delivery_id: Uuid) -> Result<Vec<DeliveryEvent>, StoreError> {
        self.read()
            .await?
            .sql(
                "SELECT delivery_id, at, kind, verified, status, text
                 FROM delivery_events WHERE delivery_id = $1 ORDER BY at, id",
            )
            .bind(delivery_id)
            .all()
            .await
    }

    /// The mail that went over the wire under this Message-ID, if it can still be told.
    ///
    /// # Errors
    /// As the database says.
    pub async fn delivery_by_message_id(&self, message_id: &str) -> Result<Option<Uuid>, StoreError> {
        // No Message-ID of ours has one, and a database may not take it.
        if message_id.chars().any(char::is_control) {
            return Ok(None);
        }
        // The id of the delivery is its left side: nothing else needs an index.
        let Some(id) =
            message_id.trim_matches(['<', '>']).split('@').next().and_then(|left| Uuid::try_parse(left).ok())
        else {
            return Ok(None);
        };
        let found: Option<ById> = self
            .read()
            .await?
            .sql("SELECT id FROM deliveries WHERE id = $1 AND message_id = $2")
            .bind(id)
            .bind(message_id)
            .optional()
            .await?;
        Ok(found.map(|found| found.0))
    }
}

struct ById(Uuid);

impl Record for ById {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

async fn insert(
    session: &mut Session,
    backend: Backend,
    id: Uuid,
    event: &DeliveryEvent,
    source: &[u8],
) -> Result<bool, StoreError> {
    // An erasure that is under way sees what is written here, or is seen.
    let lock = match backend {
        Backend::Postgres => "FOR SHARE",
        Backend::Sqlite => "",
    };
    let text = format!(
        "INSERT INTO delivery_events (id, delivery_id, at, kind, verified, status, text, digest)
         SELECT $1, id, $3, $4, $5, $6, {said}, $8 FROM deliveries WHERE id = $2 {lock}
         ON CONFLICT (delivery_id, digest) DO NOTHING",
        said = unless_erased("$7"),
    );
    let written = session
        .sql(AssertSqlSafe(text))
        .bind(id)
        .bind(event.delivery_id)
        .bind(At(event.at))
        .bind(event.kind)
        .bind(event.verified)
        .bind(event.status.as_deref())
        .bind(event.text.as_deref())
        .bind(digest(&SHA256, source).as_ref())
        .run()
        .await?;
    Ok(written > 0)
}
