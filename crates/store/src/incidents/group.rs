//! Groups: incidents that are told together, and what of each was told.

use std::collections::{BTreeMap, BTreeSet};

use alerting::Labels;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::change::GroupCall;
use super::heard::Heard;
use super::record::Incident;
use super::rows::{chunk, list, places};
use crate::db::{At, Record, Row, Session};
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
    /// When it is due.
    pub due_at: Timestamp,
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
    /// Who heard of it; known only of one that was told and is over.
    pub heard: Vec<Heard>,
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

const GROUP: usize = 6;
const MEMBER: usize = 2;

/// A group that is to look.
#[derive(Debug, Clone, PartialEq)]
struct Woken {
    route: String,
    labels: Labels,
    due_at: Timestamp,
}

struct Known(String, Woken);

impl Record for Known {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let due_at = Timestamp::MAX;
        let group = Woken { route: row.get("route")?, labels: row.get::<Json<Labels>>("labels")?.0, due_at };
        Ok(Self(row.get("key")?, group))
    }
}

/// Has groups tell of incidents, and wakes those of others, within a transaction that has the incidents locked. All groups
/// are written by one upsert in the order of their keys, new ones and old ones: so two callers wait for each other, and
/// never both.
pub(super) async fn call(
    session: &mut Session,
    calls: &[GroupCall],
    wake: &[Uuid],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut groups = of_incidents(session, wake, now).await?;
    for call in calls {
        let group = || Woken { route: call.route.clone(), labels: call.labels.clone(), due_at: call.due_at };
        let woken = groups.entry(call.key.clone()).or_insert_with(group);
        woken.due_at = woken.due_at.min(call.due_at);
    }
    open(session, &groups.into_iter().collect::<Vec<_>>(), now).await?;
    for again in [false, true] {
        let entering = calls.iter().filter(|call| call.again == again);
        let members: BTreeSet<(&str, Uuid)> = entering.map(|call| (call.key.as_str(), call.incident_id)).collect();
        enter(session, &members.into_iter().collect::<Vec<_>>(), again).await?;
    }
    Ok(())
}

/// The groups of some incidents, to look now.
async fn of_incidents(
    session: &mut Session,
    incidents: &[Uuid],
    now: Timestamp,
) -> Result<BTreeMap<String, Woken>, StoreError> {
    let mut groups = BTreeMap::new();
    for some in incidents.chunks(chunk(1)) {
        let text = format!(
            "SELECT key, route, labels FROM alert_groups
             WHERE key IN (SELECT group_key FROM alert_members WHERE incident_id IN ({}))",
            list(1, some.len())
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for id in some {
            statement = statement.bind(*id);
        }
        let known = statement.all::<Known>().await?;
        groups.extend(known.into_iter().map(|Known(key, group)| (key, Woken { due_at: now, ..group })));
    }
    Ok(groups)
}

/// Opens groups, or has those that are there look sooner: not before they may, and never later than they would have. One
/// that ended in the same moment comes back without members, and ends when it looks.
async fn open(session: &mut Session, groups: &[(String, Woken)], now: Timestamp) -> Result<(), StoreError> {
    for some in groups.chunks(chunk(GROUP)) {
        let text = format!(
            "INSERT INTO alert_groups (key, route, labels, due_at, not_before, created_at) VALUES {}
             ON CONFLICT (key) DO UPDATE SET
                 due_at = CASE
                     WHEN alert_groups.due_at <= excluded.due_at OR alert_groups.due_at <= alert_groups.not_before
                         THEN alert_groups.due_at
                     WHEN alert_groups.not_before > excluded.due_at THEN alert_groups.not_before
                     ELSE excluded.due_at END",
            places(1, some.len(), GROUP)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (key, group) in some {
            statement = statement
                .bind(key.as_str())
                .bind(group.route.as_str())
                .bind(Json(&group.labels))
                .bind(At(group.due_at))
                .bind(At(now))
                .bind(At(now));
        }
        statement.run().await?;
    }
    Ok(())
}

/// Incidents enter their groups. Of one that is there already, what was told stays told; where it is to be told again, that
/// it has not been told lately: its end is told to whoever heard that it began.
async fn enter(session: &mut Session, members: &[(&str, Uuid)], again: bool) -> Result<(), StoreError> {
    let known = match again {
        true => "UPDATE SET told_at = NULL, steps = 0, muted = NULL",
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
