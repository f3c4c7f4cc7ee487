//! Whether everything that burns is told, or will be: for who doubts that.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// How the incidents that nobody has taken on are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenIncidents {
    /// Somebody was told.
    pub told: u64,
    /// Nobody is told, and that is known: a silence, or another incident that explains it.
    pub muted: u64,
    /// A group is going to look.
    pub due: u64,
    /// Nobody was told, and nobody is going to look.
    pub untold: u64,
}

/// What an incident `i` is; the words are those of [`OpenIncidents`].
const STANDS: &str = "CASE
    WHEN EXISTS (SELECT 1 FROM alert_members m WHERE m.incident_id = i.id AND m.told = 'firing' AND m.told_at IS NOT NULL)
         THEN 'told'
    WHEN EXISTS (SELECT 1 FROM alert_members m WHERE m.incident_id = i.id AND m.muted IS NOT NULL) THEN 'muted'
    WHEN EXISTS (SELECT 1 FROM alert_members m JOIN alert_groups g ON g.key = m.group_key
                 WHERE m.incident_id = i.id AND g.due_at IS NOT NULL) THEN 'due'
    ELSE 'untold' END";

/// Which incidents are looked at.
const OPEN: &str = "i.retired_at IS NULL AND i.state = 'open' AND i.opened_at > $1 AND i.opened_at <= $2";

struct Standing(String, u64);

impl Record for Standing {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("stands")?, row.number("incidents")?))
    }
}

struct Id(Uuid);

impl Record for Id {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

impl Store {
    /// How the open incidents are told that were opened after `since` and up to `until`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn open_incidents(&self, since: Timestamp, until: Timestamp) -> Result<OpenIncidents, StoreError> {
        let text = format!(
            "SELECT stands, COUNT(*) AS incidents FROM (SELECT {STANDS} AS stands FROM incidents i WHERE {OPEN}) AS all_of_them
             GROUP BY stands"
        );
        let rows: Vec<Standing> =
            self.read().await?.sql(AssertSqlSafe(text)).bind(At(since)).bind(At(until)).all().await?;
        let of = |word: &str| rows.iter().find(|row| row.0 == word).map_or(0, |row| row.1);
        Ok(OpenIncidents { told: of("told"), muted: of("muted"), due: of("due"), untold: of("untold") })
    }

    /// Those of them that nobody is going to tell, the oldest first, up to `limit`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn untold_incidents(
        &self,
        since: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let text = format!(
            "SELECT i.id FROM incidents i WHERE {OPEN} AND ({STANDS}) = 'untold' ORDER BY i.opened_at, i.id LIMIT $3"
        );
        let rows: Vec<Id> = self
            .read()
            .await?
            .sql(AssertSqlSafe(text))
            .bind(At(since))
            .bind(At(until))
            .bind(i64::from(limit))
            .all()
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}
