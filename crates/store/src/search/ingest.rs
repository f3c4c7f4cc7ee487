//! Writing a batch of events, in one transaction.
//!
//! 1. What erased subjects did before they were erased is left out (`erased`).
//! 2. Searches are appended; one whose id and time are there already changes nothing.
//! 3. Interactions are appended with the time of their search, if it is known by now; if not they wait (`settle`).
//! 4. A search that is written so late that its interactions may count as orphans takes them over.
//! 5. The hours whose counts this changes are marked, in the same transaction: what is written gets counted.
//!
//! Postgres takes a batch as columns (UNNEST), SQLite as rows.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::erased;
use super::event::{NewInteraction, NewSearch, subject_key};
use super::marks::{self, Mark};
use super::rules::{CLOCKS_APART, SearchRules, after, before, ms};
use super::settle::{Resolved, resolving};
use super::window::Granularity;
use crate::db::{At, Backend, Column, Record, Row, Session, Store};
use crate::error::StoreError;

/// Rows in one statement on SQLite.
pub(super) const ROWS: usize = 100;

/// A batch of events.
#[derive(Debug, Clone, Copy)]
pub struct SearchBatch<'a> {
    /// Searches.
    pub searches: &'a [NewSearch],
    /// Interactions, with these or with earlier searches.
    pub interactions: &'a [NewInteraction],
    /// When the batch was accepted.
    pub received_at: Timestamp,
    /// When it is written: it may have waited in a queue.
    pub written_at: Timestamp,
    /// The batch's own id: the same when it is written again.
    pub token: Uuid,
}

/// How much of a batch was new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Searches that were not there yet.
    pub searches: u64,
    /// Interactions that were not there yet.
    pub interactions: u64,
    /// Of these, such as wait for their search.
    pub waiting: u64,
    /// Searches of subjects that were erased meanwhile.
    pub erased: u64,
}

struct SearchAt(Option<Timestamp>);

impl Record for SearchAt {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<Option<At>>("search_at")?.map(Timestamp::from)))
    }
}

impl Store {
    /// Writes a batch. Writing it again changes nothing.
    ///
    /// # Errors
    /// As the database says; then nothing was written.
    pub async fn ingest_search_events(
        &self,
        batch: &SearchBatch<'_>,
        rules: &SearchRules,
    ) -> Result<Ingested, StoreError> {
        match self.ingest(batch, rules).await {
            Err(StoreError::Refused(refusal)) if no_partition(&refusal) => {
                let times = batch.searches.iter().map(|s| s.at).chain(batch.interactions.iter().map(|i| i.at));
                self.make_search_partitions(times).await?;
                self.ingest(batch, rules).await
            }
            done => done,
        }
    }

    async fn ingest(&self, batch: &SearchBatch<'_>, rules: &SearchRules) -> Result<Ingested, StoreError> {
        let backend = self.backend();
        let mut session = self.begin().await?;
        let gone = erased::searches(&mut session, backend, batch).await?;
        let searches: Vec<&NewSearch> = batch.searches.iter().filter(|s| !gone.contains(&s.id.key)).collect();
        let interactions: Vec<&NewInteraction> =
            batch.interactions.iter().filter(|i| !gone.contains(&i.search)).collect();
        let mut done = Ingested { erased: (batch.searches.len() - searches.len()) as u64, ..Ingested::default() };
        done.searches = insert_searches(&mut session, backend, &searches, batch.received_at).await?;
        let mut hours: BTreeSet<Timestamp> = searches
            .iter()
            // What came shortly before may be the beginning of this text.
            .flat_map(|search| [search.at, before(search.at, rules.typeahead)])
            .map(|at| Granularity::Hour.floor(at))
            .collect();
        let found = insert_interactions(&mut session, backend, &interactions, batch.received_at, rules).await?;
        done.interactions = found.len() as u64;
        done.waiting = found.iter().filter(|SearchAt(at)| at.is_none()).count() as u64;
        hours.extend(found.iter().filter_map(|SearchAt(at)| at.map(|at| Granularity::Hour.floor(at))));
        // An interaction is not much older than its search; one that waits is no orphan before its time.
        let patience = rules.orphan_after.saturating_sub(CLOCKS_APART * 2);
        let late: Vec<&NewSearch> =
            searches.iter().filter(|search| after(search.at, patience) < batch.written_at).copied().collect();
        for resolved in adopt(&mut session, backend, &late, rules).await? {
            hours.extend(resolved.hours());
        }
        marks::set(&mut session, Granularity::Hour, &hours, Mark::of(batch.token), batch.received_at).await?;
        session.commit().await?;
        Ok(done)
    }
}

/// SQLSTATE 23514 is any broken check; that of a missing partition names no constraint.
fn no_partition(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error();
    refusal.is_some_and(|e| e.code().as_deref() == Some("23514") && e.constraint().is_none())
}

/// `count` places, or rows of `width` places in brackets, from `$first`.
pub(super) fn places(count: usize, width: usize, first: usize) -> String {
    let row = |n: usize| {
        let row: Vec<String> = (0..width).map(|column| format!("${}", first + n * width + column)).collect();
        if width == 1 { row.concat() } else { format!("({})", row.join(", ")) }
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}

macro_rules! search_columns {
    () => {
        "id, given_id, occurred_at, received_at, searcher, subject, session, guest, consent, query, kind, device, \
         results, filters, referrer, network"
    };
}

async fn insert_searches(
    session: &mut Session,
    backend: Backend,
    searches: &[&NewSearch],
    received_at: Timestamp,
) -> Result<u64, StoreError> {
    if searches.is_empty() {
        return Ok(0);
    }
    let searcher = |search: &NewSearch| search.subject.as_deref().map(|subject| subject_key(subject, search.guest));
    if backend == Backend::Postgres {
        macro_rules! column {
            ($value:expr) => {
                Column(searches.iter().map($value).collect::<Vec<_>>())
            };
        }
        return session
            .sql(concat!(
                "INSERT INTO searches (",
                search_columns!(),
                ") SELECT id, given_id, occurred_at, $3, searcher, subject, session, guest, consent, query, kind,
                     device, results, filters, referrer, network
                 FROM UNNEST($1::uuid[], $2::text[], $4::timestamptz[], $5::uuid[], $6::text[], $7::uuid[], $8::bool[],
                     $9::bool[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::text[],
                     $16::uuid[])
                     AS n (id, given_id, occurred_at, searcher, subject, session, guest, consent, query, kind, device,
                         results, filters, referrer, network)
                 ON CONFLICT DO NOTHING"
            ))
            .bind(column!(|s| s.id.key))
            .bind(column!(|s| s.id.text.as_deref()))
            .bind(At(received_at))
            .bind(column!(|s| At(s.at)))
            .bind(column!(|s| searcher(s)))
            .bind(column!(|s| s.subject.as_deref()))
            .bind(column!(|s| s.session))
            .bind(column!(|s| s.guest))
            .bind(column!(|s| s.consent))
            .bind(column!(|s| s.query.as_str()))
            .bind(column!(|s| s.kind.as_str()))
            .bind(column!(|s| s.device.as_str()))
            .bind(column!(|s| i64::from(s.results)))
            .bind(column!(|s| s.filters.as_deref()))
            .bind(column!(|s| s.referrer.as_deref()))
            .bind(column!(|s| s.network))
            .run()
            .await;
    }
    let mut new = 0;
    for some in searches.chunks(ROWS) {
        let text = format!(
            "INSERT INTO searches ({}) VALUES {} ON CONFLICT DO NOTHING",
            search_columns!(),
            places(some.len(), 16, 1)
        );
        let mut statement = session.sql(AssertSqlSafe(text));
        if some.len() < ROWS {
            statement = statement.unprepared();
        }
        for s in some {
            statement = statement
                .bind(s.id.key)
                .bind(s.id.text.as_deref())
                .bind(At(s.at))
                .bind(At(received_at))
                .bind(searcher(s))
                .bind(s.subject.as_deref())
                .bind(s.session)
                .bind(s.guest)
                .bind(s.consent)
                .bind(s.query.as_str())
                .bind(s.kind.as_str())
                .bind(s.device)
                .bind(i64::from(s.results))
                .bind(s.filters.as_deref())
                .bind(s.referrer.as_deref())
                .bind(s.network);
        }
        new += statement.run().await?;
    }
    Ok(new)
}

/// Answers, for each that is new, when its search took place.
async fn insert_interactions(
    session: &mut Session,
    backend: Backend,
    interactions: &[&NewInteraction],
    received_at: Timestamp,
    rules: &SearchRules,
) -> Result<Vec<SearchAt>, StoreError> {
    let times = || interactions.iter().map(|i| i.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(Vec::new()) };
    // What no search of these interactions can be outside of: few partitions are looked at.
    let (first, last) = (before(first, rules.attribution), after(last, CLOCKS_APART));
    if backend == Backend::Postgres {
        macro_rules! column {
            ($value:expr) => {
                Column(interactions.iter().map($value).collect::<Vec<_>>())
            };
        }
        return session
            .sql(
                "INSERT INTO search_interactions (id, given_id, occurred_at, received_at, search_id, search_at, kind, item,
                     position, after_ms)
                 SELECT n.id, n.given_id, n.occurred_at, $3, n.search_id,
                     (SELECT s.occurred_at FROM searches s
                      WHERE s.id = n.search_id AND s.occurred_at >= $10 AND s.occurred_at <= $11
                        AND s.occurred_at >= n.occurred_at - $12 * INTERVAL '1 millisecond'
                        AND s.occurred_at <= n.occurred_at + $13 * INTERVAL '1 millisecond'
                      ORDER BY s.occurred_at LIMIT 1),
                     n.kind, n.item, n.position, n.after_ms
                 FROM UNNEST($1::uuid[], $2::text[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::bigint[],
                     $9::bigint[])
                     AS n (id, given_id, occurred_at, search_id, kind, item, position, after_ms)
                 ON CONFLICT DO NOTHING
                 RETURNING search_at",
            )
            .bind(column!(|i| i.id.key))
            .bind(column!(|i| i.id.text.as_deref()))
            .bind(At(received_at))
            .bind(column!(|i| At(i.at)))
            .bind(column!(|i| i.search))
            .bind(column!(|i| i.kind.as_str()))
            .bind(column!(|i| i.item.as_deref()))
            .bind(column!(|i| i.position.map(i64::from)))
            .bind(column!(|i| i.after_ms.map(i64::from)))
            .bind(At(first))
            .bind(At(last))
            .bind(ms(rules.attribution))
            .bind(ms(CLOCKS_APART))
            .all()
            .await;
    }
    let mut found = Vec::with_capacity(interactions.len());
    for some in interactions.chunks(ROWS) {
        let rows: Vec<String> = (0..some.len())
            .map(|row| {
                let at = |column: usize| format!("${}", 3 + row * 8 + column);
                format!(
                    "({id}, {given}, {time}, $3, {search},
                      (SELECT s.occurred_at FROM searches s
                       WHERE s.id = {search} AND s.occurred_at >= {time} - $1 AND s.occurred_at <= {time} + $2
                       ORDER BY s.occurred_at LIMIT 1),
                      {kind}, {item}, {position}, {after})",
                    id = at(1),
                    given = at(2),
                    time = at(3),
                    search = at(4),
                    kind = at(5),
                    item = at(6),
                    position = at(7),
                    after = at(8),
                )
            })
            .collect();
        let text = format!(
            "INSERT INTO search_interactions (id, given_id, occurred_at, received_at, search_id, search_at, kind, item,
                 position, after_ms)
             VALUES {} ON CONFLICT DO NOTHING RETURNING search_at",
            rows.join(", ")
        );
        let mut statement = session.sql(AssertSqlSafe(text));
        if some.len() < ROWS {
            statement = statement.unprepared();
        }
        statement = statement.bind(ms(rules.attribution)).bind(ms(CLOCKS_APART)).bind(At(received_at));
        for i in some {
            statement = statement
                .bind(i.id.key)
                .bind(i.id.text.as_deref())
                .bind(At(i.at))
                .bind(i.search)
                .bind(i.kind)
                .bind(i.item.as_deref())
                .bind(i.position.map(i64::from))
                .bind(i.after_ms.map(i64::from));
        }
        found.extend(statement.all::<SearchAt>().await?);
    }
    Ok(found)
}

/// Gives late searches their interactions, which may count as orphans by now.
async fn adopt(
    session: &mut Session,
    backend: Backend,
    late: &[&NewSearch],
    rules: &SearchRules,
) -> Result<Vec<Resolved>, StoreError> {
    let Some(first) = late.iter().map(|search| search.at).min() else { return Ok(Vec::new()) };
    // Few partitions are looked at.
    let first = before(first, CLOCKS_APART);
    let mut resolved = Vec::new();
    for some in late.chunks(if backend == Backend::Postgres { late.len() } else { ROWS }) {
        let which = match backend {
            Backend::Postgres => "search_id = ANY($4)".to_owned(),
            Backend::Sqlite => format!("search_id IN ({})", places(some.len(), 1, 4)),
        };
        let text = resolving(backend, &format!("i.occurred_at >= $3 AND {which}"));
        let statement = session.sql(AssertSqlSafe(text)).unprepared();
        let mut statement = statement.bind(ms(rules.attribution)).bind(ms(CLOCKS_APART)).bind(At(first));
        match backend {
            Backend::Postgres => {
                statement = statement.bind(Column(some.iter().map(|search| search.id.key).collect::<Vec<Uuid>>()));
            }
            Backend::Sqlite => {
                for search in some {
                    statement = statement.bind(search.id.key);
                }
            }
        }
        resolved.extend(statement.all::<Resolved>().await?);
    }
    Ok(resolved)
}
