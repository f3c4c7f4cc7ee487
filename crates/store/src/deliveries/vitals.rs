//! How mail fares as a whole: for who watches the platform. The platform's own alerts are left out, so that an alert about
//! mail is never about the mail of an alert.

use jiff::Timestamp;

use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// No mail is on its way for longer: what is older cannot have failed just now.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(31 * 86_400);

/// Figures of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailVitals {
    /// Mails that failed.
    pub failed: u64,
    /// Mails whose fate became unknown.
    pub unknown: u64,
    /// Since when the oldest mail that is held is held.
    pub held_since: Option<Timestamp>,
}

impl Record for MailVitals {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            failed: row.number("failed")?,
            unknown: row.number("unknown")?,
            held_since: row.get::<Option<At>>("held_since")?.map(|at| at.0),
        })
    }
}

impl Store {
    /// What became of mails since `since`, and since when mail is held. It reads the index of the states off the main path.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mail_vitals(&self, since: Timestamp) -> Result<MailVitals, StoreError> {
        let found: Option<MailVitals> = self
            .read()
            .await?
            .sql(
                "SELECT (SELECT COUNT(*) FROM deliveries WHERE state = 'failed' AND created_at > $2
                             AND touched_at > $1 AND category <> 'alert') AS failed,
                        (SELECT COUNT(*) FROM deliveries WHERE state = 'unknown' AND created_at > $2
                             AND touched_at > $1 AND category <> 'alert') AS unknown,
                        (SELECT MIN(touched_at) FROM deliveries WHERE state = 'held' AND category <> 'alert') AS held_since",
            )
            .bind(At(since))
            .bind(At(since.checked_sub(LONGEST).unwrap_or(Timestamp::MIN)))
            .optional()
            .await?;
        Ok(found.unwrap_or_default())
    }
}
