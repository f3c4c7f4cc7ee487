//! Groups whose time has come, or comes soon: with their members, and who heard of those that are over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alerting::Labels;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::group::{DueGroup, Member, Told};
use super::heard::{self, Heard};
use super::record::{Incident, incident_columns};
use super::rows::{chunk, list};
use crate::db::{At, Backend, Record, Row, Session};
use crate::error::StoreError;

/// Groups that are due until an instant, the longest first.
macro_rules! due_groups {
    () => {
        "SELECT key, route, labels, due_at, not_before, notified_at FROM alert_groups
         WHERE due_at <= $1 ORDER BY due_at LIMIT $2"
    };
}

struct GroupRow(DueGroup);

impl Record for GroupRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(DueGroup {
            key: row.get("key")?,
            route: row.get("route")?,
            labels: row.get::<Json<Labels>>("labels")?.0,
            not_before: row.get::<At>("not_before")?.0,
            notified_at: row.get::<Option<At>>("notified_at")?.map(|at| at.0),
            due_at: row.get::<At>("due_at")?.0,
            members: Vec::new(),
        }))
    }
}

struct MemberRow(String, Member);

impl Record for MemberRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let member = Member {
            incident: Incident::read(row)?,
            told: row.get("told")?,
            told_at: row.get::<Option<At>>("told_at")?.map(|at| at.0),
            steps: row.get("steps")?,
            muted: row.get("muted")?,
            heard: Vec::new(),
        };
        Ok(Self(row.get("group_key")?, member))
    }
}

/// The groups whose time has come, the longest overdue first, with their members. In Postgres those that another worker
/// has in hand are left to it; in SQLite there is one writer at a time.
pub(super) async fn take_due(
    session: &mut Session,
    backend: Backend,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<DueGroup>, StoreError> {
    let text = match backend {
        Backend::Postgres => concat!(due_groups!(), " FOR UPDATE SKIP LOCKED"),
        Backend::Sqlite => due_groups!(),
    };
    with_members(session, text, limit, now).await
}

/// The groups that are due until then, the soonest first, with their members; they are only looked at.
pub(super) async fn due_until(
    session: &mut Session,
    limit: u32,
    until: Timestamp,
) -> Result<Vec<DueGroup>, StoreError> {
    with_members(session, due_groups!(), limit, until).await
}

async fn with_members(
    session: &mut Session,
    text: &'static str,
    limit: u32,
    until: Timestamp,
) -> Result<Vec<DueGroup>, StoreError> {
    let groups: Vec<GroupRow> = session.sql(text).bind(At(until)).bind(i64::from(limit)).all().await?;
    let mut groups: Vec<DueGroup> = groups.into_iter().map(|row| row.0).collect();
    let mut members: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for some in groups.chunks(chunk(1)) {
        let text = format!(
            concat!(
                "SELECT m.group_key, m.told, m.told_at, m.steps, m.muted, i.*
                 FROM alert_members m JOIN (SELECT ",
                incident_columns!(),
                " FROM incidents) i ON i.id = m.incident_id
                 WHERE m.group_key IN ({}) ORDER BY i.first_seen_at, i.id"
            ),
            list(1, some.len())
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for group in some {
            statement = statement.bind(group.key.as_str());
        }
        for MemberRow(key, member) in statement.all().await? {
            members.entry(key).or_default().push(member);
        }
    }
    let over = |member: &&mut Member| member.told == Told::Firing && !member.incident.is_active();
    let ended: BTreeSet<Uuid> = members.values_mut().flatten().filter(over).map(|member| member.incident.id).collect();
    let heard = heard::of_ended(session, &ended.into_iter().collect::<Vec<_>>()).await?;
    let mut by_incident: HashMap<Uuid, Vec<Heard>> = HashMap::new();
    for (id, heard) in heard {
        by_incident.entry(id).or_default().push(heard);
    }
    for member in members.values_mut().flatten().filter(over) {
        member.heard = by_incident.get(&member.incident.id).cloned().unwrap_or_default();
    }
    for group in &mut groups {
        group.members = members.remove(&group.key).unwrap_or_default();
    }
    Ok(groups)
}
