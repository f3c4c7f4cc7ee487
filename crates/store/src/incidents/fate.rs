//! How messages end: with their mails, and with the jobs that post them.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::again;
use super::rows::list;
use super::trouble::one_at_a_time;
use crate::db::{At, Record, Row, Store};
use crate::deliveries::DeliveryState;
use crate::error::StoreError;

/// How the posting of a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationFate<'a> {
    /// It was taken.
    Sent,
    /// It was not, for this reason, and will be tried again.
    Delayed(&'a str),
    /// It was not, for this reason, and will not be.
    Failed(&'a str),
}

/// How often a day somebody is told of an incident whose relay refuses it.
const REFUSED: i64 = 3;

struct Unsent {
    id: Uuid,
    state: DeliveryState,
}

impl Record for Unsent {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, state: row.get("state")? })
    }
}

impl Store {
    /// Ends the messages whose mails were sent; answers how many.
    ///
    /// # Errors
    /// As the database says.
    pub async fn end_sent_mails(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write_one()
            .await?
            .sql(
                "UPDATE alert_notifications SET state = 'sent', ended_at = $1, last_error = NULL
                 WHERE state = 'mailed'
                   AND delivery_id IN (SELECT d.id FROM deliveries d
                                       JOIN alert_notifications n ON n.delivery_id = d.id
                                       WHERE n.state = 'mailed' AND d.state = 'sent')",
            )
            .bind(At(now))
            .run()
            .await
    }

    /// Ends the messages whose mails will not get through, once that was told. What nobody heard because of it is told
    /// again as soon as its group may: what a relay did not take in time for as long as it goes on, and what it refused a
    /// few times a day. All in one transaction; answers how many messages ended.
    ///
    /// # Errors
    /// As the database says.
    pub async fn end_failed_mails(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        one_at_a_time(&mut transaction).await?;
        let unsent: Vec<Unsent> = transaction
            .sql(
                "SELECT n.id, d.state FROM alert_notifications n JOIN deliveries d ON d.id = n.delivery_id
                 WHERE n.state = 'mailed' AND n.trouble_told_at IS NOT NULL
                   AND d.state IN ('failed', 'expired', 'suppressed', 'cancelled')
                 ORDER BY n.created_at, n.id LIMIT 200",
            )
            .all()
            .await?;
        if unsent.is_empty() {
            transaction.commit().await?;
            return Ok(0);
        }
        let text = format!(
            "UPDATE alert_notifications SET state = 'failed', ended_at = $1, last_error = 'its mail did not get through'
             WHERE id IN ({})",
            list(2, unsent.len())
        );
        let mut statement = transaction.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
        for one in &unsent {
            statement = statement.bind(one.id);
        }
        let ended = statement.run().await?;
        for state in [DeliveryState::Expired, DeliveryState::Failed] {
            let ids: Vec<Uuid> = unsent.iter().filter(|one| one.state == state).map(|one| one.id).collect();
            again::unheard(&mut transaction, &ids, (state == DeliveryState::Failed).then_some(REFUSED), now).await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }

    /// Writes how the posting of a message ended. One that has its end keeps it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn end_notification(
        &self,
        id: Uuid,
        fate: NotificationFate<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (state, error) = match fate {
            NotificationFate::Sent => ("sent", None),
            NotificationFate::Delayed(error) => ("queued", Some(error)),
            NotificationFate::Failed(error) => ("failed", Some(error)),
        };
        let ended = (state != "queued").then_some(At(now));
        let changed = self
            .write_one()
            .await?
            .sql(
                "UPDATE alert_notifications SET state = $2, last_error = $3, ended_at = $4, sweep_from = $5
                 WHERE id = $1 AND state = 'queued'",
            )
            .bind(id)
            .bind(state)
            .bind(error)
            .bind(ended)
            .bind(At(now))
            .run()
            .await?;
        Ok(changed > 0)
    }
}
