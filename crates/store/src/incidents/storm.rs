//! How much is told to whom at about the same time: what was decided within the last minute, and what is due within the next.

use std::time::Duration;

use jiff::Timestamp;

use super::due;
use super::group::DueGroup;
use super::notification::Target;
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

const MINUTE: Duration = Duration::from_secs(60);
const HALF: Duration = Duration::from_secs(30);

/// Messages to one target that were decided lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lately {
    /// The person or channel.
    pub target: Target,
    /// Within the last minute.
    pub minute: u64,
    /// Within the last half minute.
    pub half: u64,
}

impl Record for Lately {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            target: Target { channel: row.get("channel")?, name: row.get("target")? },
            minute: row.number("minute")?,
            half: row.number("half")?,
        })
    }
}

impl Store {
    /// How many messages were decided within the last minute, to each target; digests aside.
    ///
    /// # Errors
    /// As the database says.
    pub async fn told_lately(&self, now: Timestamp) -> Result<Vec<Lately>, StoreError> {
        let before = |span| At(now.checked_sub(span).unwrap_or(Timestamp::MIN));
        self.read()
            .await?
            .sql(
                "SELECT channel, target, COUNT(*) AS minute, COUNT(CASE WHEN created_at > $2 THEN 1 END) AS half
                 FROM alert_notifications WHERE created_at > $1 AND group_key IS NOT NULL
                 GROUP BY channel, target",
            )
            .bind(before(MINUTE))
            .bind(before(HALF))
            .all()
            .await
    }

    /// The groups that are due within the next minute or overdue, the soonest first, up to `limit`. Nobody is kept from
    /// telling them.
    ///
    /// # Errors
    /// As the database says.
    pub async fn groups_due_soon(&self, limit: u32, now: Timestamp) -> Result<Vec<DueGroup>, StoreError> {
        let until = now.checked_add(MINUTE).unwrap_or(Timestamp::MAX);
        due::due_until(&mut self.read().await?, limit, until).await
    }
}
