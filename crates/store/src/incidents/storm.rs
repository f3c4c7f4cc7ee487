//! Whether so much begins at once that it is better gathered.

use std::time::Duration;

use jiff::Timestamp;

use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// What counts as "at once".
const AT_ONCE: Duration = Duration::from_secs(60);

struct Count(i64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("opened")?))
    }
}

struct Until(Timestamp);

impl Record for Until {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<At>("until")?.0))
    }
}

impl Store {
    /// Whether there is a storm: more than `limit` incidents were opened within the last minute, or were not longer than
    /// `lasts` ago.
    ///
    /// # Errors
    /// As the database says.
    pub async fn is_storm(&self, limit: u32, lasts: Duration, now: Timestamp) -> Result<bool, StoreError> {
        let since = now.checked_sub(AT_ONCE).unwrap_or(Timestamp::MIN);
        let mut session = self.read().await?;
        let opened: Option<Count> = session
            .sql("SELECT COUNT(*) AS opened FROM (SELECT 1 FROM incidents WHERE opened_at > $1 LIMIT $2) AS many")
            .bind(At(since))
            .bind(i64::from(limit) + 1)
            .optional()
            .await?;
        if opened.is_none_or(|opened| opened.0 <= i64::from(limit)) {
            let until: Option<Until> = session.sql("SELECT until FROM alert_storm WHERE id = 1").optional().await?;
            return Ok(until.is_some_and(|until| until.0 > now));
        }
        drop(session);
        let until = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        self.write_one()
            .await?
            .sql(
                "UPDATE alert_storm
                 SET began_at = CASE WHEN until > $1 THEN began_at ELSE $1 END, until = $2
                 WHERE id = 1 AND until < $2",
            )
            .bind(At(now))
            .bind(At(until))
            .run()
            .await?;
        Ok(true)
    }
}
