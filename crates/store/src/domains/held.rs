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

struct Name(String);

impl Record for Name {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("template")?))
    }
}

struct Count(String, u64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("sender")?, row.number("count")?))
    }
}

impl Store {
    /// Up to `limit` held mails of these sender profiles, the oldest first, but none of these templates.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_mails(
        &self,
        senders: &[&str],
        but_templates: &[String],
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        if senders.is_empty() {
            return Ok(Vec::new());
        }
        let places = |from: usize, n: usize| -> String {
            (from..from + n).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
        };
        let but = match but_templates.len() {
            0 => String::new(),
            n => format!("AND template NOT IN ({})", places(2 + senders.len(), n)),
        };
        let text = format!(
            "SELECT id FROM deliveries WHERE {HELD} AND sender IN ({}) {but} ORDER BY created_at, id LIMIT $1",
            places(2, senders.len())
        );
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(i64::from(limit));
        for sender in senders {
            statement = statement.bind(*sender);
        }
        for template in but_templates {
            statement = statement.bind(template.as_str());
        }
        let ids: Vec<Id> = statement.all().await?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// The templates of held mails.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_templates(&self) -> Result<Vec<String>, StoreError> {
        let text = format!("SELECT DISTINCT template FROM deliveries WHERE {HELD} ORDER BY template");
        let names: Vec<Name> = self.read().await?.sql(AssertSqlSafe(text)).all().await?;
        Ok(names.into_iter().map(|name| name.0).collect())
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
