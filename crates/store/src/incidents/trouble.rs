//! Messages that do not get through: they are told of by another way, once.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::flush::{FlushedGroups, to_post};
use super::notification::{self, NewNotification, Notification, notification_columns};
use super::rows::list;
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::{self, DeliveryState, NewDelivery};
use crate::error::StoreError;

/// How long a mail may be under way until that is trouble.
const PATIENCE: Duration = Duration::from_secs(2 * 60);

/// A message that does not get through.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The message.
    pub notification: Notification,
    /// Where its mail stands: it will not be sent, or was not for some minutes. None: it was posted, and not taken.
    pub mail: Option<DeliveryState>,
    /// Why.
    pub reason: Option<String>,
}

impl Record for Trouble {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let notification = Notification::read(row)?;
        let mail: Option<DeliveryState> = row.get("delivery_state")?;
        let reason = match mail {
            Some(_) => row.get("delivery_error")?,
            None => notification.last_error.clone(),
        };
        Ok(Self { notification, mail, reason })
    }
}

struct LastTold(Option<Timestamp>);

impl Record for LastTold {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<Option<At>>("told")?.map(|at| at.0)))
    }
}

impl Store {
    /// Tells by another way of messages that do not get through, in one transaction, unless that was done after
    /// `last_told_before`: of mails that will not be sent, or were not for two minutes, and of what was posted and will not
    /// be taken. `decide` sees up to 200 of them and makes the messages and their mails; what it was asked about is not
    /// told again.
    ///
    /// # Errors
    /// As the database says.
    pub async fn tell_trouble(
        &self,
        last_told_before: Timestamp,
        now: Timestamp,
        decide: impl FnOnce(&[Trouble]) -> (Vec<NewNotification>, Vec<NewDelivery>) + Send,
    ) -> Result<FlushedGroups, StoreError> {
        let long_ago = now.checked_sub(PATIENCE).unwrap_or(Timestamp::MIN);
        let trouble: Vec<Trouble> = self
            .read()
            .await?
            .sql(concat!(
                "SELECT n.*, d.state AS delivery_state, d.last_error AS delivery_error
                 FROM (SELECT ",
                notification_columns!(),
                " FROM alert_notifications
                   WHERE trouble_told_at IS NULL
                     AND (state = 'mailed' OR (state = 'failed' AND reason <> 'undelivered'))) n
                 LEFT JOIN deliveries d ON d.id = n.delivery_id
                 WHERE n.state = 'failed' OR d.state IN ('held', 'failed', 'expired', 'suppressed', 'cancelled')
                    OR (d.state IN ('queued', 'sending', 'deferred', 'unknown') AND n.created_at <= $1)
                 ORDER BY n.created_at LIMIT 200"
            ))
            .bind(At(long_ago))
            .all()
            .await?;
        if trouble.is_empty() {
            return Ok(FlushedGroups::default());
        }
        let mut transaction = self.begin().await?;
        one_at_a_time(&mut transaction).await?;
        let last: Option<LastTold> = transaction
            .sql(
                "SELECT MAX(trouble_told_at) AS told FROM alert_notifications
                 WHERE trouble_told_at IS NOT NULL AND trouble_told_at > $1",
            )
            .bind(At(last_told_before))
            .optional()
            .await?;
        if last.is_some_and(|last| last.0.is_some()) {
            transaction.commit().await?;
            return Ok(FlushedGroups::default());
        }
        let (messages, mails) = decide(&trouble);
        let mails = deliveries::insert(&mut transaction, &mails, now).await?;
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
        Ok(FlushedGroups { mails, posts: to_post(&messages), ..FlushedGroups::default() })
    }
}

/// Waits for whoever else looks after messages that do not get through, until the transaction ends: the row of the storm
/// stands for all of the clockwork.
pub(super) async fn one_at_a_time(session: &mut Session) -> Result<(), StoreError> {
    session.sql("UPDATE alert_storm SET id = id WHERE id = 1").run().await?;
    Ok(())
}
