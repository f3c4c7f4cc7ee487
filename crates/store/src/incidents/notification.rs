//! Messages: the row that says that one is to be, or was, given to a person or a channel, and what it is about.

use alerting::Severity;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::record::severity;
use super::rows::{chunk, places};
use crate::db::{At, Record, Row, Session};
use crate::error::StoreError;
use crate::words::words;

words! {
    /// By which way a message goes.
    pub enum Channel {
        /// A mail to a person.
        Email = "email",
        /// A signed call (Standard Webhooks).
        Webhook = "webhook",
        /// A message as Slack takes it.
        Slack = "slack",
    }
}

words! {
    /// Why there is a message.
    pub enum Reason {
        /// Something began.
        Raised = "raised",
        /// All that it is about is over.
        Resolved = "resolved",
        /// It was told long ago, and goes on.
        Repeated = "repeated",
        /// Nobody took it on.
        Escalated = "escalated",
        /// It tells what was held back.
        Digest = "digest",
        /// It tells of mails to the operators that do not get through.
        Undelivered = "undelivered",
    }
}

words! {
    /// Where a message stands.
    pub enum NotificationState {
        /// It waits for a digest.
        Held = "held",
        /// A digest told it.
        Gathered = "gathered",
        /// A job is to post it.
        Queued = "queued",
        /// The mail ledger has it.
        Mailed = "mailed",
        /// It was taken: by the mail's relay, or by the server that it was posted to.
        Sent = "sent",
        /// It was not, and will not be.
        Failed = "failed",
    }
}

words! {
    /// What a message says of an incident.
    pub enum Change {
        /// That it begins.
        News = "news",
        /// That it goes on.
        Still = "still",
        /// That it is over.
        Over = "over",
    }
}

/// Whom a message is for: a throttle is kept for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// By which way.
    pub channel: Channel,
    /// An address in lower case, or the name of a receiver.
    pub name: String,
}

impl Target {
    /// As it stands in the table of throttles.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.channel, self.name)
    }
}

/// What a message says of one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The incident.
    pub incident_id: Uuid,
    /// What it says.
    pub change: Change,
}

/// A message to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNotification {
    /// Its id, which is also its job's, unless a mail carries it.
    pub id: Uuid,
    /// The group that tells it; none for a digest.
    pub group_key: Option<String>,
    /// The receiver that it goes to.
    pub receiver: String,
    /// Whom it is for.
    pub target: Target,
    /// Why.
    pub reason: Reason,
    /// The highest severity of what it is about.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// How it begins: held, queued or mailed.
    pub state: NotificationState,
    /// The mail that carries it.
    pub delivery_id: Option<Uuid>,
    /// What it is about.
    pub about: Vec<About>,
}

/// A message whose job is to be enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRef {
    /// The message.
    pub id: Uuid,
    /// The job that posts it.
    pub job_id: Uuid,
}

impl Record for NotificationRef {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, job_id: row.get("job_id")? })
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its id.
    pub id: Uuid,
    /// The group that told it; none for a digest.
    pub group_key: Option<String>,
    /// The receiver that it goes to.
    pub receiver: String,
    /// Whom it is for.
    pub target: Target,
    /// Why.
    pub reason: Reason,
    /// The highest severity of what it is about.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// Where it stands.
    pub state: NotificationState,
    /// The digest that told it.
    pub digest_id: Option<Uuid>,
    /// The mail that carries it.
    pub delivery_id: Option<Uuid>,
    /// The job that posts it.
    pub job_id: Uuid,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// Why it did not get through.
    pub last_error: Option<String>,
}

macro_rules! notification_columns {
    () => {
        "id, group_key, receiver, channel, target, reason, severity, title, state, digest_id, delivery_id, job_id, \
         created_at, ended_at, last_error"
    };
}
pub(super) use notification_columns;

impl Record for Notification {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            group_key: row.get("group_key")?,
            receiver: row.get("receiver")?,
            target: Target { channel: row.get("channel")?, name: row.get("target")? },
            reason: row.get("reason")?,
            severity: severity(row, "severity")?,
            title: row.get("title")?,
            state: row.get("state")?,
            digest_id: row.get("digest_id")?,
            delivery_id: row.get("delivery_id")?,
            job_id: row.get("job_id")?,
            created_at: row.get::<At>("created_at")?.0,
            ended_at: row.get::<Option<At>>("ended_at")?.map(|at| at.0),
            last_error: row.get("last_error")?,
        })
    }
}

const WIDTH: usize = 13;
const ABOUT: usize = 3;

/// Writes messages and what they are about, within a transaction.
pub(super) async fn insert(session: &mut Session, new: &[NewNotification], now: Timestamp) -> Result<(), StoreError> {
    for some in new.chunks(chunk(WIDTH)) {
        let text = format!(
            "INSERT INTO alert_notifications
                 (id, group_key, receiver, channel, target, reason, severity, title, state, delivery_id, job_id,
                  created_at, sweep_from)
             VALUES {}",
            places(1, some.len(), WIDTH)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for one in some {
            statement = statement
                .bind(one.id)
                .bind(one.group_key.as_deref())
                .bind(one.receiver.as_str())
                .bind(one.target.channel)
                .bind(one.target.name.as_str())
                .bind(one.reason)
                .bind(one.severity.as_str())
                .bind(one.title.as_str())
                .bind(one.state)
                .bind(one.delivery_id)
                .bind(one.id)
                .bind(At(now))
                .bind(At(now));
        }
        statement.run().await?;
    }
    let about: Vec<(Uuid, About)> = new.iter().flat_map(|one| one.about.iter().map(|about| (one.id, *about))).collect();
    for some in about.chunks(chunk(ABOUT)) {
        let text = format!(
            "INSERT INTO alert_notification_incidents (notification_id, incident_id, change) VALUES {}",
            places(1, some.len(), ABOUT)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (id, about) in some {
            statement = statement.bind(*id).bind(about.incident_id).bind(about.change);
        }
        statement.run().await?;
    }
    Ok(())
}
