//! Looking at incidents.

use alerting::Severity;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::event::IncidentEvent;
use super::notification::{Change, Notification, notification_columns};
use super::record::{Incident, IncidentState, incident_columns};
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::DeliveryState;
use crate::error::StoreError;
use crate::page::{Cursor, Page};

/// Events and messages that are shown of one incident, the newest.
const SHOWN: i64 = 500;

/// Which incidents to list; nothing set lists all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IncidentFilter {
    /// Only in one of these states.
    pub states: Vec<IncidentState>,
    /// Only of this severity.
    pub severity: Option<Severity>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only with all of these labels.
    pub labels: Vec<(String, String)>,
}

/// A message about an incident, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentNotification {
    /// The message.
    pub notification: Notification,
    /// What it says of the incident.
    pub change: Change,
    /// Where its mail stands.
    pub delivery_state: Option<DeliveryState>,
    /// Why its mail does not get through.
    pub delivery_error: Option<String>,
}

impl Record for IncidentNotification {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            notification: Notification::read(row)?,
            change: row.get("change")?,
            delivery_state: row.get("delivery_state")?,
            delivery_error: row.get("delivery_error")?,
        })
    }
}

impl Store {
    /// A page of incidents, newest first.
    ///
    /// # Errors
    /// As the database says; [`StoreError::BadCursor`].
    pub async fn list_incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Incident>, StoreError> {
        let cursor = cursor.map(Cursor::parse).transpose()?;
        let mut asked = vec!["TRUE".to_owned()];
        let mut n = 0;
        let mut next = |count: usize| {
            n += count;
            n + 1 - count
        };
        if cursor.is_some() {
            let at = next(2);
            asked.push(format!("(first_seen_at, id) < (${at}, ${})", at + 1));
        }
        if !filter.states.is_empty() {
            asked.push(format!("state IN ({})", super::rows::list(next(filter.states.len()), filter.states.len())));
        }
        if filter.severity.is_some() {
            asked.push(format!("severity = ${}", next(1)));
        }
        if filter.kind.is_some() {
            asked.push(format!("kind = ${}", next(1)));
        }
        for _ in &filter.labels {
            let at = next(2);
            asked.push(format!("labels ->> ${at} = ${}", at + 1));
        }
        let text = format!(
            concat!(
                "SELECT ",
                incident_columns!(),
                " FROM incidents WHERE {} ORDER BY first_seen_at DESC, id DESC LIMIT ${}"
            ),
            asked.join(" AND "),
            next(1)
        );
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        if let Some(cursor) = cursor {
            statement = statement.bind(At(cursor.created_at)).bind(cursor.id);
        }
        for state in &filter.states {
            statement = statement.bind(*state);
        }
        if let Some(severity) = filter.severity {
            statement = statement.bind(severity.as_str());
        }
        if let Some(kind) = &filter.kind {
            statement = statement.bind(kind.as_str());
        }
        for (name, value) in &filter.labels {
            statement = statement.bind(name.as_str()).bind(value.as_str());
        }
        let mut items: Vec<Incident> = statement.bind(i64::from(limit) + 1).all().await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| Cursor { created_at: last.first_seen_at, id: last.id }.text());
        Ok(Page { items, next_cursor })
    }

    /// The incidents that burn, the oldest first, up to `limit`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn active_incidents(&self, limit: u32) -> Result<Vec<Incident>, StoreError> {
        self.read()
            .await?
            .sql(concat!(
                "SELECT ",
                incident_columns!(),
                " FROM incidents WHERE state IN ('open', 'acknowledged') ORDER BY first_seen_at, id LIMIT $1"
            ))
            .bind(i64::from(limit))
            .all()
            .await
    }

    /// One incident.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_incident(&self, id: Uuid) -> Result<Option<Incident>, StoreError> {
        self.read()
            .await?
            .sql(concat!("SELECT ", incident_columns!(), " FROM incidents WHERE id = $1"))
            .bind(id)
            .optional()
            .await
    }

    /// What happened to an incident, the oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn incident_events(&self, id: Uuid) -> Result<Vec<IncidentEvent>, StoreError> {
        let mut events: Vec<IncidentEvent> = self
            .read()
            .await?
            .sql(
                "SELECT id, incident_id, at, kind, actor, note FROM incident_events
                 WHERE incident_id = $1 ORDER BY at DESC, id DESC LIMIT $2",
            )
            .bind(id)
            .bind(SHOWN)
            .all()
            .await?;
        events.reverse();
        Ok(events)
    }

    /// What was told of an incident, the oldest first. A message that a digest told is there as itself.
    ///
    /// # Errors
    /// As the database says.
    pub async fn incident_notifications(&self, id: Uuid) -> Result<Vec<IncidentNotification>, StoreError> {
        let mut told: Vec<IncidentNotification> = self
            .read()
            .await?
            .sql(concat!(
                "SELECT n.*, a.change, d.state AS delivery_state, d.last_error AS delivery_error
                 FROM alert_notification_incidents a
                 JOIN (SELECT ",
                notification_columns!(),
                " FROM alert_notifications) n ON n.id = a.notification_id
                 LEFT JOIN deliveries d ON d.id = n.delivery_id
                 WHERE a.incident_id = $1 ORDER BY n.created_at DESC, n.id DESC LIMIT $2"
            ))
            .bind(id)
            .bind(SHOWN)
            .all()
            .await?;
        told.reverse();
        Ok(told)
    }

    /// One message.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_notification(&self, id: Uuid) -> Result<Option<Notification>, StoreError> {
        self.read()
            .await?
            .sql(concat!("SELECT ", notification_columns!(), " FROM alert_notifications WHERE id = $1"))
            .bind(id)
            .optional()
            .await
    }

    /// What a message is about; of a digest, all that it told. Open incidents first, then by severity, up to `limit`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn notified_incidents(&self, id: Uuid, limit: u32) -> Result<Vec<(Incident, Change)>, StoreError> {
        let rows: Vec<Notified> = self
            .read()
            .await?
            .sql(concat!(
                "SELECT i.*, a.change
                 FROM (SELECT ",
                incident_columns!(),
                " FROM incidents) i
                 JOIN (SELECT incident_id, MIN(change) AS change FROM alert_notification_incidents
                       WHERE notification_id = $1
                          OR notification_id IN (SELECT id FROM alert_notifications WHERE digest_id = $1)
                       GROUP BY incident_id) a ON a.incident_id = i.id
                 ORDER BY CASE i.state WHEN 'open' THEN 0 WHEN 'acknowledged' THEN 1 ELSE 2 END,
                          CASE i.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, i.opened_at, i.id
                 LIMIT $2"
            ))
            .bind(id)
            .bind(i64::from(limit))
            .all()
            .await?;
        Ok(rows.into_iter().map(|row| (row.0, row.1)).collect())
    }
}

struct Count(u64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.number("incidents")?))
    }
}

impl Store {
    /// How many incidents a message is about; a digest, with all that it told.
    ///
    /// # Errors
    /// As the database says.
    pub async fn count_notified_incidents(&self, id: Uuid) -> Result<u64, StoreError> {
        let count: Option<Count> = self
            .read()
            .await?
            .sql(
                "SELECT COUNT(DISTINCT incident_id) AS incidents FROM alert_notification_incidents
                 WHERE notification_id = $1
                    OR notification_id IN (SELECT id FROM alert_notifications WHERE digest_id = $1)",
            )
            .bind(id)
            .optional()
            .await?;
        Ok(count.map_or(0, |count| count.0))
    }
}

struct Notified(Incident, Change);

impl Record for Notified {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(Incident::read(row)?, row.get("change")?))
    }
}

struct Expired(Uuid);

impl Record for Expired {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

impl Store {
    /// Incidents that were not heard of in time, the longest overdue first, up to `limit`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn overdue_incidents(&self, limit: u32, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
        let mut session: Session = self.read().await?;
        let ids: Vec<Expired> = session
            .sql(
                "SELECT id FROM incidents
                 WHERE state <> 'resolved' AND expires_at IS NOT NULL AND expires_at <= $1
                 ORDER BY expires_at LIMIT $2",
            )
            .bind(At(now))
            .bind(i64::from(limit))
            .all()
            .await?;
        Ok(ids.into_iter().map(|row| row.0).collect())
    }
}
