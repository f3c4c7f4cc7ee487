//! Groups: incidents that are told together, and what of each was told.

use std::collections::{BTreeMap, BTreeSet};

use alerting::Labels;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::change::GroupCall;
use super::record::{Incident, incident_columns};
use super::rows::{chunk, list, places};
use crate::db::{At, Backend, Record, Row, Session};
use crate::error::StoreError;
use crate::words::words;

words! {
    /// What a group told of an incident.
    pub enum Told {
        /// Nothing yet.
        Nothing = "nothing",
        /// That it burns.
        Firing = "firing",
    }
}

/// A group whose time has come.
#[derive(Debug, Clone, PartialEq)]
pub struct DueGroup {
    /// Its key.
    pub key: String,
    /// Its route.
    pub route: String,
    /// The values of the labels that it groups by.
    pub labels: Labels,
    /// News waits at least until then.
    pub not_before: Timestamp,
    /// When it last told that something burns.
    pub notified_at: Option<Timestamp>,
    /// Its incidents.
    pub members: Vec<Member>,
}

/// An incident of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The incident, as it is now.
    pub incident: Incident,
    /// What was told of it.
    pub told: Told,
    /// Since when it is told.
    pub told_at: Option<Timestamp>,
    /// Steps of escalation that were taken.
    pub steps: i64,
    /// Why it is not told.
    pub muted: Option<String>,
}

/// What a group is after it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupNow {
    /// Its key.
    pub key: String,
    /// When it is to be looked at next; none: when one of its incidents changes.
    pub due_at: Option<Timestamp>,
    /// News waits at least until then.
    pub not_before: Timestamp,
    /// When it last told that something burns.
    pub notified_at: Option<Timestamp>,
    /// Members that changed.
    pub members: Vec<MemberNow>,
    /// Incidents that are no longer of it.
    pub gone: Vec<Uuid>,
    /// Whether there is nothing left to tell: the group ends.
    pub ends: bool,
}

/// What was told of a member by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberNow {
    /// The incident.
    pub incident_id: Uuid,
    /// What was told of it.
    pub told: Told,
    /// Since when.
    pub told_at: Option<Timestamp>,
    /// Steps of escalation that were taken.
    pub steps: i64,
    /// Why it is not told.
    pub muted: Option<String>,
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
        };
        Ok(Self(row.get("group_key")?, member))
    }
}

struct Key(String);

impl Record for Key {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("key")?))
    }
}

const GROUP: usize = 6;
const MEMBER: usize = 2;

/// Has groups tell of incidents, and wakes those of others, within a transaction that has the incidents locked.
pub(super) async fn call(
    session: &mut Session,
    backend: Backend,
    calls: &[GroupCall],
    wake: &[Uuid],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut merged: BTreeMap<&str, (&GroupCall, Timestamp)> = BTreeMap::new();
    for call in calls {
        let entry = merged.entry(call.key.as_str()).or_insert((call, call.due_at));
        entry.1 = entry.1.min(call.due_at);
    }
    let woken = of_incidents(session, wake).await?;
    if backend == Backend::Postgres {
        // The upsert below locks in the order of its rows, but those that are only woken must be in the same order.
        let all: BTreeSet<&str> = merged.keys().copied().chain(woken.iter().map(String::as_str)).collect();
        lock(session, &all.into_iter().collect::<Vec<_>>()).await?;
    }
    let merged: Vec<(&GroupCall, Timestamp)> = merged.into_values().collect();
    open(session, &merged, now).await?;
    for some in woken.chunks(chunk(1) - 1) {
        let text = format!(
            "UPDATE alert_groups
             SET due_at = CASE WHEN due_at < $1 THEN due_at WHEN not_before > $1 THEN not_before ELSE $1 END
             WHERE key IN ({})",
            list(2, some.len())
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared().bind(At(now));
        for key in some {
            statement = statement.bind(key.as_str());
        }
        statement.run().await?;
    }
    for again in [false, true] {
        let entering = calls.iter().filter(|call| call.again == again);
        let members: BTreeSet<(&str, Uuid)> = entering.map(|call| (call.key.as_str(), call.incident_id)).collect();
        enter(session, &members.into_iter().collect::<Vec<_>>(), again).await?;
    }
    Ok(())
}

async fn lock(session: &mut Session, keys: &[&str]) -> Result<(), StoreError> {
    for some in keys.chunks(chunk(1)) {
        let text =
            format!("SELECT key FROM alert_groups WHERE key IN ({}) ORDER BY key FOR UPDATE", list(1, some.len()));
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for key in some {
            statement = statement.bind(*key);
        }
        statement.all::<Key>().await?;
    }
    Ok(())
}

/// The keys of the groups of some incidents.
async fn of_incidents(session: &mut Session, incidents: &[Uuid]) -> Result<Vec<String>, StoreError> {
    let mut keys = BTreeSet::new();
    for some in incidents.chunks(chunk(1)) {
        let text = format!(
            "SELECT DISTINCT group_key AS key FROM alert_members WHERE incident_id IN ({})",
            list(1, some.len())
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for id in some {
            statement = statement.bind(*id);
        }
        keys.extend(statement.all::<Key>().await?.into_iter().map(|key| key.0));
    }
    Ok(keys.into_iter().collect())
}

/// Opens groups, or has those that are there look sooner; but not before they may.
async fn open(session: &mut Session, calls: &[(&GroupCall, Timestamp)], now: Timestamp) -> Result<(), StoreError> {
    for some in calls.chunks(chunk(GROUP)) {
        let text = format!(
            "INSERT INTO alert_groups (key, route, labels, due_at, not_before, created_at) VALUES {}
             ON CONFLICT (key) DO UPDATE SET
                 due_at = CASE
                     WHEN alert_groups.due_at < excluded.due_at THEN alert_groups.due_at
                     WHEN alert_groups.not_before > excluded.due_at THEN alert_groups.not_before
                     ELSE excluded.due_at END",
            places(1, some.len(), GROUP)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (call, due_at) in some {
            statement = statement
                .bind(call.key.as_str())
                .bind(call.route.as_str())
                .bind(Json(&call.labels))
                .bind(At(*due_at))
                .bind(At(now))
                .bind(At(now));
        }
        statement.run().await?;
    }
    Ok(())
}

/// Incidents enter their groups. Of one that is there already, what was told stays told, unless it is to be told again.
async fn enter(session: &mut Session, members: &[(&str, Uuid)], again: bool) -> Result<(), StoreError> {
    let known = match again {
        true => "UPDATE SET told = 'nothing', told_at = NULL, steps = 0, muted = NULL",
        false => "NOTHING",
    };
    for some in members.chunks(chunk(MEMBER)) {
        let text = format!(
            "WITH entering (group_key, incident_id) AS (VALUES {})
             INSERT INTO alert_members (group_key, incident_id, told, told_at, steps, muted)
             SELECT group_key, incident_id, 'nothing', NULL, 0, NULL FROM entering WHERE TRUE
             ON CONFLICT (group_key, incident_id) DO {known}",
            places(1, some.len(), MEMBER)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (key, id) in some {
            statement = statement.bind(*key).bind(*id);
        }
        statement.run().await?;
    }
    Ok(())
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
        Backend::Postgres => {
            "SELECT key, route, labels, not_before, notified_at FROM alert_groups
             WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED"
        }
        Backend::Sqlite => {
            "SELECT key, route, labels, not_before, notified_at FROM alert_groups
             WHERE due_at <= $1 ORDER BY due_at LIMIT $2"
        }
    };
    let groups: Vec<GroupRow> = session.sql(text).bind(At(now)).bind(i64::from(limit)).all().await?;
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
    for group in &mut groups {
        group.members = members.remove(&group.key).unwrap_or_default();
    }
    Ok(groups)
}

const NOW: usize = 4;
const MEMBER_NOW: usize = 6;

/// Writes what groups are now.
pub(super) async fn save(session: &mut Session, groups: &[GroupNow]) -> Result<(), StoreError> {
    let (ended, stay): (Vec<&GroupNow>, Vec<&GroupNow>) = groups.iter().partition(|group| group.ends);
    for some in stay.chunks(chunk(NOW)) {
        let text = format!(
            "WITH looked (key, due_at, not_before, notified_at) AS (VALUES {})
             UPDATE alert_groups
             SET due_at = looked.due_at, not_before = looked.not_before, notified_at = looked.notified_at
             FROM looked WHERE alert_groups.key = looked.key",
            places(1, some.len(), NOW)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for group in some {
            statement = statement
                .bind(group.key.as_str())
                .bind(group.due_at.map(At))
                .bind(At(group.not_before))
                .bind(group.notified_at.map(At));
        }
        statement.run().await?;
    }
    let members: Vec<(&str, &MemberNow)> =
        stay.iter().flat_map(|group| group.members.iter().map(|member| (group.key.as_str(), member))).collect();
    for some in members.chunks(chunk(MEMBER_NOW)) {
        let text = format!(
            "WITH stands (group_key, incident_id, told, told_at, steps, muted) AS (VALUES {})
             UPDATE alert_members
             SET told = stands.told, told_at = stands.told_at, steps = stands.steps, muted = stands.muted
             FROM stands
             WHERE alert_members.group_key = stands.group_key AND alert_members.incident_id = stands.incident_id",
            places(1, some.len(), MEMBER_NOW)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (key, member) in some {
            statement = statement
                .bind(*key)
                .bind(member.incident_id)
                .bind(member.told)
                .bind(member.told_at.map(At))
                .bind(member.steps)
                .bind(member.muted.as_deref());
        }
        statement.run().await?;
    }
    let gone: Vec<(&str, Uuid)> =
        stay.iter().flat_map(|group| group.gone.iter().map(|id| (group.key.as_str(), *id))).collect();
    for some in gone.chunks(chunk(MEMBER)) {
        let text = format!(
            "DELETE FROM alert_members WHERE (group_key, incident_id) IN (VALUES {})",
            places(1, some.len(), MEMBER)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (key, id) in some {
            statement = statement.bind(*key).bind(*id);
        }
        statement.run().await?;
    }
    for some in ended.chunks(chunk(1)) {
        let text = format!("DELETE FROM alert_groups WHERE key IN ({})", list(1, some.len()));
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for group in some {
            statement = statement.bind(group.key.as_str());
        }
        statement.run().await?;
    }
    Ok(())
}
