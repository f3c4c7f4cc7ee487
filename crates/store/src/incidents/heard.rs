//! Who heard of an incident: so that its end reaches whoever was told that it began, and nobody twice.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::notification::Target;
use super::rows::{chunk, list};
use crate::db::{Record, Row, Session};
use crate::error::StoreError;

/// Somebody who was told of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The group that told it.
    pub group: String,
    /// As which receiver.
    pub receiver: String,
    /// The person or channel.
    pub target: Target,
    /// Whether it was told that the incident is over, since it is; else, that it burns.
    pub over: bool,
}

struct Found(Uuid, Heard);

impl Record for Found {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let heard = Heard {
            group: row.get("group_key")?,
            receiver: row.get("receiver")?,
            target: Target { channel: row.get("channel")?, name: row.get("target")? },
            over: row.get::<i64>("ended")? > 0,
        };
        Ok(Self(row.get("incident_id")?, heard))
    }
}

/// Who heard of incidents that are over, by the messages of all groups. Those that a digest told are among them.
pub(super) async fn of_ended(session: &mut Session, incidents: &[Uuid]) -> Result<Vec<(Uuid, Heard)>, StoreError> {
    let mut all = Vec::new();
    for some in incidents.chunks(chunk(1)) {
        let text = format!(
            "SELECT DISTINCT a.incident_id, n.group_key, n.receiver, n.channel, n.target,
                    CAST(CASE a.change WHEN 'over' THEN 1 ELSE 0 END AS BIGINT) AS ended
             FROM alert_notification_incidents a
             JOIN alert_notifications n ON n.id = a.notification_id
             JOIN incidents i ON i.id = a.incident_id
             WHERE a.incident_id IN ({}) AND n.group_key IS NOT NULL
               AND (a.change <> 'over' OR n.created_at >= i.resolved_at)",
            list(1, some.len())
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for id in some {
            statement = statement.bind(*id);
        }
        all.extend(statement.all::<Found>().await?.into_iter().map(|found| (found.0, found.1)));
    }
    Ok(all)
}
