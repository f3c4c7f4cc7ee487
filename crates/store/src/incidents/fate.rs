//! How messages end: with their mails, with the jobs that post them; and what is told by another way when a mail does not
//! get through.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::flush::to_post;
use super::notification::{self, NewNotification, Notification, NotificationRef, notification_columns};
use super::rows::list;
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

/// A mail of an alert that does not get through.
#[derive(Debug, Clone, PartialEq)]
pub struct MailTrouble {
    /// The message.
    pub notification: Notification,
    /// Where its mail stands: held, failed, expired, suppressed or cancelled.
    pub state: DeliveryState,
    /// Why.
    pub reason: Option<String>,
}

impl Record for MailTrouble {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            notification: Notification::read(row)?,
            state: row.get("delivery_state")?,
            reason: row.get("delivery_error")?,
        })
    }
}

struct LastTold(Option<Timestamp>);

impl Record for LastTold {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<Option<At>>("told")?.map(|at| at.0)))
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

    /// Tells by another way of mails that do not get through, in one transaction, unless that was done after
    /// `last_told_before`. `decide` sees up to 200 of them and makes the messages; what it was asked about is not told again.
    ///
    /// # Errors
    /// As the database says.
    pub async fn tell_mail_trouble(
        &self,
        last_told_before: Timestamp,
        now: Timestamp,
        decide: impl FnOnce(&[MailTrouble]) -> Vec<NewNotification> + Send,
    ) -> Result<Vec<NotificationRef>, StoreError> {
        let trouble: Vec<MailTrouble> = self
            .read()
            .await?
            .sql(concat!(
                "SELECT n.*, d.state AS delivery_state, d.last_error AS delivery_error
                 FROM (SELECT ",
                notification_columns!(),
                " FROM alert_notifications WHERE state = 'mailed' AND trouble_told_at IS NULL) n
                 JOIN deliveries d ON d.id = n.delivery_id
                 WHERE d.state IN ('held', 'failed', 'expired', 'suppressed', 'cancelled')
                 ORDER BY n.created_at LIMIT 200"
            ))
            .all()
            .await?;
        if trouble.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        // One at a time: the row of the storm stands for the whole clockwork.
        transaction.sql("UPDATE alert_storm SET id = id WHERE id = 1").run().await?;
        let last: Option<LastTold> = transaction
            .sql(
                "SELECT MAX(trouble_told_at) AS told FROM alert_notifications
                 WHERE trouble_told_at IS NOT NULL AND trouble_told_at > $1",
            )
            .bind(At(last_told_before))
            .optional()
            .await?;
        if last.is_some_and(|last| last.0.is_some()) {
            return Ok(Vec::new());
        }
        let messages = decide(&trouble);
        notification::insert(&mut transaction, &messages, now).await?;
        let text = format!(
            "UPDATE alert_notifications SET trouble_told_at = $1 WHERE trouble_told_at IS NULL AND id IN ({})",
            list(2, trouble.len())
        );
        let mut statement = transaction.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
        for one in &trouble {
            statement = statement.bind(one.notification.id);
        }
        statement.run().await?;
        transaction.commit().await?;
        Ok(to_post(&messages))
    }

    /// Ends the messages whose mails will not get through, once that was told; answers how many.
    ///
    /// # Errors
    /// As the database says.
    pub async fn end_failed_mails(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write_one()
            .await?
            .sql(
                "UPDATE alert_notifications SET state = 'failed', ended_at = $1, last_error = 'its mail did not get through'
                 WHERE state = 'mailed' AND trouble_told_at IS NOT NULL
                   AND delivery_id IN (SELECT d.id FROM deliveries d
                                       JOIN alert_notifications n ON n.delivery_id = d.id
                                       WHERE n.state = 'mailed'
                                         AND d.state IN ('failed', 'expired', 'suppressed', 'cancelled'))",
            )
            .bind(At(now))
            .run()
            .await
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
