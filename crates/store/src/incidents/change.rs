//! Changing incidents: rows are read under lock, changed by the caller's rules, and written with what follows from it, in
//! one transaction.
//!
//! Locks are taken in one order: incidents that there are by fingerprint, then new ones by fingerprint (the unique index
//! has a second writer of the same wait), then groups by key. So two callers wait for each other and do not block each
//! other for good. Where two of them open the same incident in the same moment, the later one does it over.

use alerting::Labels;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::event::{self, IncidentEvent};
use super::group;
use super::record::{COLUMNS, Incident, incident_columns};
use super::rows::{chunk, list, places};
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::error::StoreError;

/// How often a change is done over that met another one.
const TRIES: u32 = 5;

/// Which incidents are to be changed.
#[derive(Debug, Clone)]
pub enum Which {
    /// Those that alerts of these fingerprints belong to.
    Fingerprints(Vec<String>),
    /// These.
    Ids(Vec<Uuid>),
}

/// An incident to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum IncidentChange {
    /// It is new.
    New(Incident),
    /// Anything of it may have changed.
    Moved(Incident),
    /// Nothing but its counts and times.
    Seen(Incident),
}

/// An incident that a group is to tell of.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCall {
    /// The group.
    pub key: String,
    /// Its route.
    pub route: String,
    /// The values of the labels that it groups by.
    pub labels: Labels,
    /// When it is to be looked at, unless it told something so lately that it has to wait.
    pub due_at: Timestamp,
    /// The incident.
    pub incident_id: Uuid,
    /// Whether it is news again although the group told of it.
    pub again: bool,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The incidents; one that takes over a fingerprint comes after the one that gives it up.
    pub incidents: Vec<IncidentChange>,
    /// What happened to them.
    pub events: Vec<IncidentEvent>,
    /// Groups that are to tell of them.
    pub groups: Vec<GroupCall>,
    /// Incidents whose groups are to look again, as soon as they may.
    pub wake: Vec<Uuid>,
}

impl Store {
    /// Changes incidents in one transaction. `decide` sees those that there are, and says what is to be written and what to
    /// answer; it may be asked again.
    ///
    /// # Errors
    /// As the database says; [`StoreError::Contended`] if others kept coming in between.
    pub async fn change_incidents<A>(
        &self,
        which: &Which,
        now: Timestamp,
        mut decide: impl FnMut(Vec<Incident>) -> (Changes, A) + Send,
    ) -> Result<A, StoreError>
    where
        A: Send,
    {
        for _ in 0..TRIES {
            let mut transaction = self.begin().await?;
            let found = match lock(&mut transaction, self.backend(), which).await {
                Err(error) if error.is_contention() => continue,
                found => found?,
            };
            let (changes, answer) = decide(found);
            match write(&mut transaction, &changes, now).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) if error.is_contention() => continue,
                Err(error) => return Err(error),
            }
            transaction.commit().await?;
            return Ok(answer);
        }
        Err(StoreError::Contended)
    }
}

/// Reads incidents under lock, in the one order.
async fn lock(session: &mut Session, backend: Backend, which: &Which) -> Result<Vec<Incident>, StoreError> {
    let locking = match backend {
        // Weaker than FOR UPDATE: rows that refer to an incident may be written meanwhile.
        Backend::Postgres => "FOR NO KEY UPDATE",
        Backend::Sqlite => "",
    };
    let mut found = Vec::new();
    match which {
        Which::Fingerprints(all) => {
            let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
            all.sort_unstable();
            all.dedup();
            for some in all.chunks(chunk(1)) {
                let text = format!(
                    concat!(
                        "SELECT ",
                        incident_columns!(),
                        " FROM incidents WHERE retired_at IS NULL AND fingerprint IN ({}) ORDER BY fingerprint {}"
                    ),
                    list(1, some.len()),
                    locking
                );
                let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
                for fingerprint in some {
                    statement = statement.bind(*fingerprint);
                }
                found.extend(statement.all::<Incident>().await?);
            }
        }
        Which::Ids(all) => {
            for some in all.chunks(chunk(1)) {
                let text = format!(
                    concat!(
                        "SELECT ",
                        incident_columns!(),
                        " FROM incidents WHERE id IN ({}) ORDER BY fingerprint, id {}"
                    ),
                    list(1, some.len()),
                    locking
                );
                let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
                for id in some {
                    statement = statement.bind(*id);
                }
                found.extend(statement.all::<Incident>().await?);
            }
        }
    }
    Ok(found)
}

/// Writes what was decided; `false` if somebody else opened one of the incidents in the same moment.
async fn write(session: &mut Session, changes: &Changes, now: Timestamp) -> Result<bool, StoreError> {
    let (mut new, mut moved, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for change in &changes.incidents {
        match change {
            IncidentChange::New(incident) => new.push(incident),
            IncidentChange::Moved(incident) => moved.push(incident),
            IncidentChange::Seen(incident) => seen.push(incident),
        }
    }
    // Stable: one that takes over a fingerprint stays behind the one that gives it up.
    new.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    save(session, &moved).await?;
    count(session, &seen).await?;
    if !insert(session, &new).await? {
        return Ok(false);
    }
    event::insert(session, &changes.events).await?;
    group::call(session, &changes.groups, &changes.wake, now).await?;
    Ok(true)
}

struct Id;

impl Record for Id {
    fn read(_: &Row) -> Result<Self, StoreError> {
        Ok(Self)
    }
}

/// Writes new incidents; `false` if one of the fingerprints is taken.
async fn insert(session: &mut Session, new: &[&Incident]) -> Result<bool, StoreError> {
    for some in new.chunks(chunk(COLUMNS)) {
        let text = format!(
            concat!("INSERT INTO incidents (", incident_columns!(), ") VALUES {} ON CONFLICT DO NOTHING RETURNING id"),
            places(1, some.len(), COLUMNS)
        );
        let statement = session.sql(AssertSqlSafe(text)).unprepared();
        let written: Vec<Id> =
            some.iter().fold(statement, |statement, incident| bind(statement, incident)).all().await?;
        if written.len() < some.len() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes incidents that are there.
async fn save(session: &mut Session, moved: &[&Incident]) -> Result<(), StoreError> {
    for some in moved.chunks(chunk(COLUMNS)) {
        // A WITH list has names for its columns on both databases.
        let text = format!(
            concat!(
                "WITH moved (",
                incident_columns!(),
                ") AS (VALUES {})
                 UPDATE incidents
                 SET severity = moved.severity, title = moved.title, message = moved.message, details = moved.details,
                     state = moved.state, alerts = moved.alerts, suppressed = moved.suppressed,
                     reopened = moved.reopened, starts_at = moved.starts_at, opened_at = moved.opened_at,
                     last_seen_at = moved.last_seen_at, expires_at = moved.expires_at,
                     acknowledged_at = moved.acknowledged_at, acknowledged_by = moved.acknowledged_by,
                     resolved_at = moved.resolved_at, resolved_by = moved.resolved_by, retired_at = moved.retired_at
                 FROM moved WHERE incidents.id = moved.id"
            ),
            places(1, some.len(), COLUMNS)
        );
        let statement = session.sql(AssertSqlSafe(text)).unprepared();
        some.iter().fold(statement, |statement, incident| bind(statement, incident)).run().await?;
    }
    Ok(())
}

fn bind<'s>(statement: crate::db::Statement<'s>, incident: &Incident) -> crate::db::Statement<'s> {
    statement
        .bind(incident.id)
        .bind(incident.fingerprint.as_str())
        .bind(incident.kind.as_str())
        .bind(incident.severity.as_str())
        .bind(incident.title.as_str())
        .bind(incident.message.as_str())
        .bind(Json(&incident.labels))
        .bind(Json(&incident.details))
        .bind(incident.state)
        .bind(incident.alerts)
        .bind(incident.suppressed)
        .bind(incident.reopened)
        .bind(At(incident.starts_at))
        .bind(At(incident.first_seen_at))
        .bind(At(incident.opened_at))
        .bind(At(incident.last_seen_at))
        .bind(incident.expires_at.map(At))
        .bind(incident.acknowledged_at.map(At))
        .bind(incident.acknowledged_by.as_deref())
        .bind(incident.resolved_at.map(At))
        .bind(incident.resolved_by.as_deref())
        .bind(incident.retired_at.map(At))
}

/// What a repeated alert changes: the most frequent write of a storm, and a short one.
const SEEN: usize = 5;

async fn count(session: &mut Session, seen: &[&Incident]) -> Result<(), StoreError> {
    for some in seen.chunks(chunk(SEEN)) {
        let text = format!(
            "WITH seen (id, alerts, suppressed, last_seen_at, expires_at) AS (VALUES {})
             UPDATE incidents
             SET alerts = seen.alerts, suppressed = seen.suppressed, last_seen_at = seen.last_seen_at,
                 expires_at = seen.expires_at
             FROM seen WHERE incidents.id = seen.id",
            places(1, some.len(), SEEN)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for incident in some {
            statement = statement
                .bind(incident.id)
                .bind(incident.alerts)
                .bind(incident.suppressed)
                .bind(At(incident.last_seen_at))
                .bind(incident.expires_at.map(At));
        }
        statement.run().await?;
    }
    Ok(())
}
