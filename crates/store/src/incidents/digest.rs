//! Digests: what was held back for a person or a channel is told in one message, in the transaction that marks it as told.

use std::collections::HashMap;

use alerting::Severity;
use jiff::Timestamp;
use uuid::Uuid;

use super::flush::{FlushedGroups, Throttle, save_throttles, to_post};
use super::notification::{self, Channel, NewNotification, Target};
use super::record::{Incident, incident_columns, severity};
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::deliveries::{self, NewDelivery};
use crate::error::StoreError;

/// Incidents that a digest names.
const NAMED: i64 = 20;

/// What is held for somebody whose digest is due.
#[derive(Debug, Clone, PartialEq)]
pub struct DueDigest {
    /// For whom.
    pub target: Target,
    /// A receiver that it was to go to.
    pub receiver: String,
    /// How much they were told lately.
    pub throttle: Throttle,
    /// Messages that are held.
    pub messages: i64,
    /// When the first of them was decided.
    pub since: Timestamp,
    /// What they are about, by severity, the highest first.
    pub counts: Vec<SeverityCount>,
    /// The incidents that matter most, open ones first.
    pub incidents: Vec<Incident>,
}

/// Incidents of one severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeverityCount {
    /// The severity.
    pub severity: Severity,
    /// How many incidents.
    pub incidents: i64,
    /// How many of them are over.
    pub resolved: i64,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Digest {
    /// It is told.
    Tell {
        /// The message.
        message: Box<NewNotification>,
        /// The mail that carries it.
        mail: Option<Box<NewDelivery>>,
        /// How much its target was told with it.
        throttle: Throttle,
    },
    /// It has to wait until then.
    Later(Timestamp),
}

struct Taken {
    key: String,
    throttle: Throttle,
}

impl Record for Taken {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { key: row.get("target")?, throttle: Throttle::read(row)? })
    }
}

struct Held {
    messages: i64,
    since: Option<Timestamp>,
    receiver: Option<String>,
}

impl Record for Held {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            messages: row.get("messages")?,
            since: row.get::<Option<At>>("since")?.map(|at| at.0),
            receiver: row.get("receiver")?,
        })
    }
}

impl Record for SeverityCount {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            severity: severity(row, "severity")?,
            incidents: row.get("incidents")?,
            resolved: row.get("resolved")?,
        })
    }
}

fn take(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "SELECT target, window_began_at, window_messages, digested_at, digest_due_at, storm_until FROM alert_targets
             WHERE digest_due_at <= $1 ORDER BY digest_due_at LIMIT 1 FOR UPDATE SKIP LOCKED"
        }
        Backend::Sqlite => {
            "SELECT target, window_began_at, window_messages, digested_at, digest_due_at, storm_until FROM alert_targets
             WHERE digest_due_at <= $1 ORDER BY digest_due_at LIMIT 1"
        }
    }
}

impl Store {
    /// Tells what is held for one target whose digest is due, in one transaction; none: nobody's is. `decide` sees it and
    /// makes the message.
    ///
    /// # Errors
    /// As the database says.
    pub async fn tell_digest(
        &self,
        now: Timestamp,
        decide: impl FnOnce(&DueDigest) -> Digest + Send,
    ) -> Result<Option<FlushedGroups>, StoreError> {
        let mut transaction = self.begin().await?;
        let taken: Option<Taken> = transaction.sql(take(self.backend())).bind(At(now)).optional().await?;
        let Some(Taken { key, throttle }) = taken else {
            transaction.commit().await?;
            return Ok(None);
        };
        let target = parse(&key)?;
        let due = held_for(&mut transaction, target.clone(), throttle).await?;
        let mut told = FlushedGroups::default();
        let (throttle, message) = match due.as_ref().map(decide) {
            None => (Throttle { digest_due_at: None, ..throttle }, None),
            Some(Digest::Later(at)) => (Throttle { digest_due_at: Some(at), ..throttle }, None),
            Some(Digest::Tell { message, mail, throttle }) => {
                let mails: Vec<NewDelivery> = mail.into_iter().map(|mail| *mail).collect();
                told.mails = deliveries::insert(&mut transaction, &mails, now).await?;
                (Throttle { digest_due_at: None, digested_at: Some(now), ..throttle }, Some(message))
            }
        };
        if let Some(message) = message {
            gather(&mut transaction, &target, message.id, now).await?;
            let messages = [*message];
            notification::insert(&mut transaction, &messages, now).await?;
            told.posts = to_post(&messages);
        }
        save_throttles(&mut transaction, &HashMap::from([(target, throttle)])).await?;
        transaction.commit().await?;
        Ok(Some(told))
    }
}

fn parse(key: &str) -> Result<Target, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("{key:?} is no target of alerts"));
    let (channel, name) = key.split_once(':').ok_or_else(corrupt)?;
    let channel: Channel = channel.parse().map_err(|_| corrupt())?;
    Ok(Target { channel, name: name.to_owned() })
}

/// What is held for a target whose throttle is locked: nothing can be added meanwhile.
async fn held_for(session: &mut Session, target: Target, throttle: Throttle) -> Result<Option<DueDigest>, StoreError> {
    let held: Option<Held> = session
        .sql(
            "SELECT COUNT(*) AS messages, MIN(created_at) AS since, MIN(receiver) AS receiver
             FROM alert_notifications WHERE channel = $1 AND target = $2 AND state = 'held'",
        )
        .bind(target.channel)
        .bind(target.name.as_str())
        .optional()
        .await?;
    let Some(Held { messages: messages @ 1.., since: Some(since), receiver: Some(receiver) }) = held else {
        return Ok(None);
    };
    let mut counts: Vec<SeverityCount> = session
        .sql(
            "SELECT severity, COUNT(*) AS incidents, COUNT(CASE WHEN state = 'resolved' THEN 1 END) AS resolved
             FROM incidents
             WHERE id IN (SELECT a.incident_id FROM alert_notification_incidents a
                          JOIN alert_notifications n ON n.id = a.notification_id
                          WHERE n.channel = $1 AND n.target = $2 AND n.state = 'held')
             GROUP BY severity",
        )
        .bind(target.channel)
        .bind(target.name.as_str())
        .all()
        .await?;
    counts.sort_by_key(|count| std::cmp::Reverse(count.severity));
    let incidents: Vec<Incident> = session
        .sql(concat!(
            "SELECT ",
            incident_columns!(),
            " FROM incidents
             WHERE id IN (SELECT a.incident_id FROM alert_notification_incidents a
                          JOIN alert_notifications n ON n.id = a.notification_id
                          WHERE n.channel = $1 AND n.target = $2 AND n.state = 'held')
             ORDER BY CASE state WHEN 'resolved' THEN 1 ELSE 0 END,
                      CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, opened_at, id
             LIMIT $3"
        ))
        .bind(target.channel)
        .bind(target.name.as_str())
        .bind(NAMED)
        .all()
        .await?;
    Ok(Some(DueDigest { target, receiver, throttle, messages, since, counts, incidents }))
}

/// Marks what is held as told by a digest.
async fn gather(session: &mut Session, target: &Target, digest: Uuid, now: Timestamp) -> Result<(), StoreError> {
    session
        .sql(
            "UPDATE alert_notifications SET state = 'gathered', digest_id = $3, ended_at = $4
             WHERE channel = $1 AND target = $2 AND state = 'held'",
        )
        .bind(target.channel)
        .bind(target.name.as_str())
        .bind(digest)
        .bind(At(now))
        .run()
        .await?;
    Ok(())
}
