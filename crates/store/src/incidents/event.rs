//! What happened to an incident.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::rows::{chunk, places};
use crate::db::{At, Record, Row, Session};
use crate::error::StoreError;
use crate::words::words;

words! {
    /// What happened to an incident.
    pub enum IncidentEventKind {
        /// The first alert came.
        Opened = "opened",
        /// It came back soon after it was over.
        Reopened = "reopened",
        /// It matters more, or less, than before.
        Severity = "severity",
        /// Somebody took it on.
        Acknowledged = "acknowledged",
        /// Somebody said something about it.
        Commented = "commented",
        /// It is over: an alert said so, or a person.
        Resolved = "resolved",
        /// It is over because nothing was heard of it any more.
        Expired = "expired",
        /// Nobody is told, because of a silence or of another incident.
        Muted = "muted",
        /// It may be told again.
        Unmuted = "unmuted",
        /// It was over before anybody was to be told.
        Brief = "brief",
    }
}

/// Something that happened to an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentEvent {
    /// Its id; it sorts by age.
    pub id: Uuid,
    /// The incident.
    pub incident_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: IncidentEventKind,
    /// Who did it; none: an alert, or the passing of time.
    pub actor: Option<String>,
    /// In words.
    pub note: Option<String>,
}

impl Record for IncidentEvent {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            incident_id: row.get("incident_id")?,
            at: row.get::<At>("at")?.0,
            kind: row.get("kind")?,
            actor: row.get("actor")?,
            note: row.get("note")?,
        })
    }
}

const WIDTH: usize = 6;

/// Writes events within a transaction.
pub(super) async fn insert(session: &mut Session, events: &[IncidentEvent]) -> Result<(), StoreError> {
    for some in events.chunks(chunk(WIDTH)) {
        let text = format!(
            "INSERT INTO incident_events (id, incident_id, at, kind, actor, note) VALUES {}",
            places(1, some.len(), WIDTH)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for event in some {
            statement = statement
                .bind(event.id)
                .bind(event.incident_id)
                .bind(At(event.at))
                .bind(event.kind)
                .bind(event.actor.as_deref())
                .bind(event.note.as_deref());
        }
        statement.run().await?;
    }
    Ok(())
}
