//! What erased subjects did before they were erased, when it comes out of a queue after that: it is not written.
//!
//! 1. The searches of a batch that are of an erased subject, and took place or were accepted before the erasure, are left
//!    out; so are the interactions of the batch that belong to them.
//! 2. Interactions with them that came first, and wait, are taken out.
//!
//! One that comes in a later batch waits, and is an orphan in the end: it says nothing of a person.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::event::{NewSearch, subject_key};
use super::ingest::{ROWS, SearchBatch, places};
use crate::db::{At, Backend, Column, Record, Row, Session};
use crate::error::StoreError;

struct Erasure(Uuid, Timestamp);

impl Record for Erasure {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("subject")?, row.get::<At>("erased_at")?.into()))
    }
}

/// The searches of a batch that are not to be written; interactions that wait for them are taken out.
pub(super) async fn searches(
    session: &mut Session,
    backend: Backend,
    batch: &SearchBatch<'_>,
) -> Result<HashSet<Uuid>, StoreError> {
    let key = |search: &NewSearch| search.subject.as_deref().map(|subject| subject_key(subject, search.guest));
    let subjects: BTreeSet<Uuid> = batch.searches.iter().filter_map(key).collect();
    let erased: HashMap<Uuid, Timestamp> = erasures(session, backend, subjects.into_iter().collect()).await?;
    if erased.is_empty() {
        return Ok(HashSet::new());
    }
    let is_gone = |search: &&NewSearch| {
        let since = key(search).and_then(|key| erased.get(&key).copied());
        since.is_some_and(|since| search.at <= since || batch.received_at <= since)
    };
    let gone: HashSet<Uuid> = batch.searches.iter().filter(is_gone).map(|search| search.id.key).collect();
    take_out_interactions(session, gone.iter().copied().collect()).await?;
    Ok(gone)
}

/// Which of these subjects were erased, and when.
async fn erasures(
    session: &mut Session,
    backend: Backend,
    subjects: Vec<Uuid>,
) -> Result<HashMap<Uuid, Timestamp>, StoreError> {
    let mut found: Vec<Erasure> = Vec::new();
    match backend {
        _ if subjects.is_empty() => {}
        Backend::Postgres => {
            let statement = session.sql("SELECT subject, erased_at FROM search_erasures WHERE subject = ANY($1)");
            found = statement.bind(Column(subjects)).all().await?;
        }
        Backend::Sqlite => {
            for some in subjects.chunks(ROWS) {
                let list = places(some.len(), 1, 1);
                let text = format!("SELECT subject, erased_at FROM search_erasures WHERE subject IN ({list})");
                let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
                for subject in some {
                    statement = statement.bind(*subject);
                }
                found.extend(statement.all::<Erasure>().await?);
            }
        }
    }
    Ok(found.into_iter().map(|Erasure(subject, at)| (subject, at)).collect())
}

/// Takes out interactions that wait for these searches.
async fn take_out_interactions(session: &mut Session, searches: Vec<Uuid>) -> Result<(), StoreError> {
    for some in searches.chunks(ROWS) {
        let list = places(some.len(), 1, 1);
        let text = format!("DELETE FROM search_interactions WHERE search_at IS NULL AND search_id IN ({list})");
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for search in some {
            statement = statement.bind(*search);
        }
        statement.run().await?;
    }
    Ok(())
}
