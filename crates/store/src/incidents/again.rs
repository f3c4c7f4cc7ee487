//! What nobody heard is told again: a message that did not get through mutes nobody.
//!
//! An incident that still burns, that nobody took on, and of which no message got through or is still under way since it
//! began, came back or changed its severity, is untold in the groups that told it; they look as soon as they may.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::group;
use super::rows::{list, places};
use crate::db::{At, Record, Row, Session};
use crate::error::StoreError;

const DAY: Duration = Duration::from_hours(24);

struct Unheard {
    group: String,
    incident: Uuid,
    failed: i64,
}

impl Record for Unheard {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { group: row.get("group_key")?, incident: row.get("incident_id")?, failed: row.get("failed")? })
    }
}

/// Has those of the incidents that these messages told of, digests among them, told again of which nobody heard. With
/// `most` only those of which fewer messages to the same person failed within a day.
pub(super) async fn unheard(
    session: &mut Session,
    messages: &[Uuid],
    most: Option<i64>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    // How a message ended says its digest, if one told it.
    let text = format!(
        "SELECT n.group_key, a.incident_id,
                (SELECT COUNT(*) FROM alert_notification_incidents b
                 JOIN alert_notifications o ON o.id = b.notification_id
                 LEFT JOIN alert_notifications d ON d.id = o.digest_id
                 WHERE b.incident_id = a.incident_id AND o.channel = n.channel AND o.target = n.target
                   AND o.created_at > $1 AND COALESCE(d.state, o.state) = 'failed') AS failed
         FROM alert_notifications n
         JOIN alert_notification_incidents a ON a.notification_id = n.id
         JOIN incidents i ON i.id = a.incident_id
         WHERE (n.id IN ({messages}) OR n.digest_id IN ({messages}))
           AND n.group_key IS NOT NULL AND a.change <> 'over' AND i.state = 'open'
           AND NOT EXISTS (
               SELECT 1 FROM alert_notification_incidents b
               JOIN alert_notifications o ON o.id = b.notification_id
               LEFT JOIN alert_notifications d ON d.id = o.digest_id
               WHERE b.incident_id = a.incident_id AND b.change <> 'over' AND COALESCE(d.state, o.state) <> 'failed'
                 AND o.created_at >= COALESCE(
                     (SELECT MAX(e.at) FROM incident_events e
                      WHERE e.incident_id = a.incident_id AND e.kind IN ('opened', 'reopened', 'severity')),
                     i.opened_at))",
        messages = list(2, messages.len())
    );
    let before = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
    let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(At(before));
    for id in messages {
        statement = statement.bind(*id);
    }
    let found: Vec<Unheard> = statement.all().await?;
    let few = |one: &Unheard| most.is_none_or(|most| one.failed < most);
    let untold: BTreeSet<(String, Uuid)> = found.into_iter().filter(few).map(|one| (one.group, one.incident)).collect();
    let incidents: BTreeSet<Uuid> = untold.iter().map(|(_, incident)| *incident).collect();
    // The groups are locked first, by their keys, as everywhere.
    group::call(session, &[], &incidents.into_iter().collect::<Vec<_>>(), now).await?;
    for some in untold.into_iter().collect::<Vec<_>>().chunks(super::rows::chunk(2)) {
        let text = format!(
            "UPDATE alert_members SET told = 'nothing'
             WHERE told = 'firing' AND (group_key, incident_id) IN (VALUES {})",
            places(1, some.len(), 2)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (group, incident) in some {
            statement = statement.bind(group.as_str()).bind(*incident);
        }
        statement.run().await?;
    }
    Ok(())
}
