//! Asking the ledger.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::insert::recipient_key;
use super::record::{Attempt, Delivery, delivery_columns};
use super::state::DeliveryState;
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;
use crate::page::{Cursor, Page};

/// Rows in a page at most.
const LARGEST_PAGE: u32 = 1000;

/// Which mails to list: those that meet all conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To this address, whatever its case.
    pub recipient: Option<String>,
    /// About this booking.
    pub booking_id: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
}

struct Count(u32);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.number("n")?))
    }
}

impl Store {
    /// A mail with all of its finished attempts, oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_delivery(&self, id: Uuid) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        let Some(delivery) = self.delivery(id).await? else { return Ok(None) };
        let attempts = self
            .read()
            .await?
            .sql(
                "SELECT n, started_at, relay, phase, code, enhanced, text, duration_ms, outcome
                 FROM delivery_attempts WHERE delivery_id = $1 ORDER BY n",
            )
            .bind(id)
            .all()
            .await?;
        Ok(Some((delivery, attempts)))
    }

    /// How many of its finished attempts got as far as a relay.
    ///
    /// # Errors
    /// As the database says.
    pub async fn attempts_at_relays(&self, id: Uuid) -> Result<u32, StoreError> {
        let count: Option<Count> = self
            .read()
            .await?
            .sql("SELECT COUNT(*) AS n FROM delivery_attempts WHERE delivery_id = $1 AND relay IS NOT NULL")
            .bind(id)
            .optional()
            .await?;
        Ok(count.map_or(0, |count| count.0))
    }

    /// Mails, newest first, up to `limit` (1…1000) a page.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`]; otherwise as the database says.
    pub async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Delivery>, StoreError> {
        let after = cursor.map(Cursor::parse).transpose()?;
        let limit = limit.clamp(1, LARGEST_PAGE);

        let mut text = concat!("SELECT ", delivery_columns!(), " FROM deliveries WHERE 1 = 1").to_owned();
        let mut placeholders = (1..).map(|n| format!("${n}"));
        let mut next = || placeholders.next().unwrap_or_default();
        if filter.recipient.is_some() {
            text += &format!(" AND recipient_key = {}", next());
        }
        if filter.booking_id.is_some() {
            text += &format!(" AND booking_id = {}", next());
        }
        if let Some(state) = filter.state {
            text += &in_state(state);
        }
        if after.is_some() {
            text += &format!(" AND (created_at, id) < ({}, {})", next(), next());
        }
        text += &format!(" ORDER BY created_at DESC, id DESC LIMIT {}", next());

        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text));
        if let Some(recipient) = &filter.recipient {
            statement = statement.bind(recipient_key(recipient));
        }
        if let Some(booking_id) = &filter.booking_id {
            statement = statement.bind(booking_id.as_str());
        }
        if let Some(after) = after {
            statement = statement.bind(At(after.created_at)).bind(after.id);
        }
        // One more than is shown tells whether there is another page.
        let mut items: Vec<Delivery> = statement.bind(i64::from(limit) + 1).all().await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| Cursor { created_at: last.created_at, id: last.id }.text());
        Ok(Page { items, next_cursor })
    }

    pub(super) async fn delivery(&self, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        self.read()
            .await?
            .sql(concat!("SELECT ", delivery_columns!(), " FROM deliveries WHERE id = $1"))
            .bind(id)
            .optional()
            .await
    }
}

/// The condition on the state, in words that lead both databases to one of the partial indexes. `sent` has none: most
/// mails are sent, so walking by age finds them at once.
fn in_state(state: DeliveryState) -> String {
    use DeliveryState as S;
    let index = match state {
        S::Sent => return format!(" AND state = '{state}'"),
        S::Queued | S::Sending => "'queued', 'sending', 'deferred'",
        S::Deferred | S::Held | S::Suppressed | S::Cancelled | S::Expired | S::Failed | S::Unknown => {
            "'deferred', 'held', 'suppressed', 'cancelled', 'expired', 'failed', 'unknown'"
        }
    };
    format!(" AND state = '{state}' AND state IN ({index})")
}
