//! The mails that wait for their domain.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{At, Record, Row, Store};
use crate::deliveries::releasable;
use crate::error::StoreError;

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
    /// Up to `limit` mails of this sender profile that are held and can be released, the oldest first; where `templates`
    /// are given, of these only. One that was released before counts only if it is held again since `again` at the latest.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_mails(
        &self,
        sender: &str,
        templates: Option<&[&str]>,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let of = match templates {
            Some(_) => format!("AND template IN (SELECT value FROM {}($4))", self.backend().each_text()),
            None => String::new(),
        };
        let text = format!(
            "SELECT id FROM deliveries
             WHERE sender = $1 AND {} AND (release = 0 OR touched_at <= $2) {of}
             ORDER BY created_at, id LIMIT $3",
            releasable()
        );
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).bind(sender).bind(At(again)).bind(i64::from(limit));
        if let Some(templates) = templates {
            statement = statement.bind(Json(templates));
        }
        let ids: Vec<Id> = statement.all().await?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// How many mails are held, by sender profile.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let text = "SELECT sender, COUNT(*) AS count FROM deliveries WHERE state = 'held' GROUP BY sender";
        let counts: Vec<Count> = self.read().await?.sql(text).all().await?;
        Ok(counts.into_iter().map(|count| (count.0, count.1)).collect())
    }
}
