//! The mails that wait for their domain.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::db::{Record, Row, Store};
use crate::error::StoreError;

/// Both databases find the partial index of the ledger by these words.
const HELD: &str =
    "state = 'held' AND state IN ('deferred', 'held', 'suppressed', 'cancelled', 'expired', 'failed', 'unknown')";

struct Id(Uuid);

impl Record for Id {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

struct Count(String, u64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("sender")?, row.number("count")?))
    }
}

impl Store {
    /// Up to `limit` held mails of these sender profiles, the oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_mails(&self, senders: &[&str], limit: u32) -> Result<Vec<Uuid>, StoreError> {
        if senders.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (0..senders.len()).map(|n| format!("${}", n + 2)).collect();
        let text = format!(
            "SELECT id FROM deliveries WHERE {HELD} AND sender IN ({}) ORDER BY created_at, id LIMIT $1",
            places.join(", ")
        );
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(i64::from(limit));
        for sender in senders {
            statement = statement.bind(*sender);
        }
        let ids: Vec<Id> = statement.all().await?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// How many mails are held, by sender profile.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let text = format!("SELECT sender, COUNT(*) AS count FROM deliveries WHERE {HELD} GROUP BY sender");
        let counts: Vec<Count> = self.read().await?.sql(AssertSqlSafe(text)).all().await?;
        Ok(counts.into_iter().map(|count| (count.0, count.1)).collect())
    }
}
