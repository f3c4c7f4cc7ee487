//! What is known of each search of a window, one by one: itself, what was done with what it found, and whether its text
//! was still being typed. Rows are streamed: a window of any size takes the same memory.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::rules::{CLOCKS_APART, SearchRules, after, before, ms};
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::error::StoreError;

/// How long a window's rows may take: a day of ten million events is joined and sorted first.
const PATIENCE: Duration = Duration::from_secs(600);

/// A search, and what followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) searcher: Option<Uuid>,
    pub(super) guest: bool,
    pub(super) kind: String,
    pub(super) device: String,
    /// Empty unless asked for.
    pub(super) query: String,
    pub(super) results: u64,
    /// The next search of the session goes on with this text.
    pub(super) continued: bool,
    /// Something was clicked, bookmarked, contacted or booked.
    pub(super) used: bool,
    pub(super) clicked: bool,
    pub(super) booked: bool,
    /// Clicks whose position is known, and these positions added up.
    pub(super) positions: u64,
    pub(super) position_sum: u64,
    /// The best of them.
    pub(super) best: Option<u64>,
    /// Until the first click, in milliseconds.
    pub(super) first_click_ms: Option<u64>,
}

impl Fact {
    /// It is no search, but a text on the way to one: nobody did anything with what it found.
    pub(super) fn is_folded(&self) -> bool {
        self.continued && !self.used
    }
}

const CONTINUED: i64 = 1;
const USED: i64 = 2;
const CLICKED: i64 = 4;
const BOOKED: i64 = 8;

impl Record for Fact {
    /// By place: there are millions of them.
    fn read(row: &Row) -> Result<Self, StoreError> {
        let flags: i64 = row.nth(6)?;
        let number = |place| Ok::<_, StoreError>(row.nth::<Option<i64>>(place)?.map(i64::unsigned_abs));
        Ok(Self {
            searcher: row.nth(0)?,
            guest: row.nth(1)?,
            kind: row.nth(2)?,
            device: row.nth(3)?,
            query: row.nth(4)?,
            results: row.nth::<i64>(5)?.unsigned_abs(),
            continued: flags & CONTINUED != 0,
            used: flags & USED != 0,
            clicked: flags & CLICKED != 0,
            booked: flags & BOOKED != 0,
            positions: number(7)?.unwrap_or(0),
            position_sum: number(8)?.unwrap_or(0),
            best: number(9)?,
            first_click_ms: number(10)?,
        })
    }
}

struct Count(u64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.number("count")?))
    }
}

fn text(backend: Backend, with_query: bool) -> String {
    // How long after its search a click came, in milliseconds: as measured, or by the clocks.
    let (elapsed, within) = match backend {
        Backend::Postgres => (
            "GREATEST(0, CAST(date_part('epoch', occurred_at - search_at) * 1000 AS BIGINT))",
            "next_at <= occurred_at + $4 * INTERVAL '1 millisecond'",
        ),
        Backend::Sqlite => ("MAX(0, occurred_at - search_at)", "next_at <= occurred_at + $4"),
    };
    let query = if with_query { "s.query" } else { "''" };
    format!(
        "WITH s AS (
             SELECT id, occurred_at, searcher, session, guest, kind, device, results, query,
                 LEAD(query) OVER w AS next_query, LEAD(occurred_at) OVER w AS next_at
             FROM searches WHERE occurred_at >= $1 AND occurred_at < $3
             WINDOW w AS (PARTITION BY session ORDER BY occurred_at, id)
         ), i AS (
             SELECT search_id, search_at,
                 MAX(CASE kind WHEN 'click' THEN 1 ELSE 0 END) AS clicked,
                 MAX(CASE kind WHEN 'book' THEN 1 ELSE 0 END) AS booked,
                 COUNT(CASE kind WHEN 'click' THEN position END) AS positions,
                 SUM(CASE kind WHEN 'click' THEN CAST(position AS INTEGER) END) AS position_sum,
                 MIN(CASE kind WHEN 'click' THEN position END) AS best,
                 MIN(CASE kind WHEN 'click' THEN COALESCE(after_ms, {elapsed}) END) AS first_click_ms
             FROM search_interactions
             WHERE search_at >= $1 AND search_at < $2 AND occurred_at >= $5 AND occurred_at < $6
               AND kind IN ('click', 'bookmark', 'contact', 'book')
             GROUP BY search_id, search_at
         )
         SELECT s.searcher, s.guest, s.kind, s.device, {query}, s.results,
             CAST(CASE WHEN s.session IS NOT NULL AND s.query <> '' AND {within}
                        AND length(s.next_query) > length(s.query)
                        AND substr(s.next_query, 1, length(s.query)) = s.query THEN {CONTINUED} ELSE 0 END
                + CASE WHEN i.search_id IS NOT NULL THEN {USED} ELSE 0 END
                + CASE WHEN i.clicked = 1 THEN {CLICKED} ELSE 0 END
                + CASE WHEN i.booked = 1 THEN {BOOKED} ELSE 0 END AS BIGINT),
             i.positions, i.position_sum, i.best, i.first_click_ms
         FROM s LEFT JOIN i ON i.search_id = s.id AND i.search_at = s.occurred_at
         WHERE s.occurred_at < $2"
    )
}

impl Store {
    /// Gives `take` each search in `from..to`, in no order, as of one instant.
    pub(super) async fn each_search_fact(
        &self,
        from: Timestamp,
        to: Timestamp,
        rules: &SearchRules,
        with_query: bool,
        take: impl FnMut(Fact) + Send,
    ) -> Result<(), StoreError> {
        let backend = self.backend();
        let mut session = match backend {
            Backend::Postgres => {
                let mut session = self.begin().await?.patient(PATIENCE);
                tune(&mut session).await?;
                session
            }
            Backend::Sqlite => self.read().await?,
        };
        session
            .sql(AssertSqlSafe(text(backend, with_query)))
            // Planned for this window: an hour and a day are different work.
            .unprepared()
            .bind(At(from))
            .bind(At(to))
            .bind(At(after(to, rules.typeahead)))
            .bind(ms(rules.typeahead))
            .bind(At(before(from, CLOCKS_APART)))
            .bind(At(after(after(to, rules.attribution), CLOCKS_APART)))
            .each(take)
            .await?;
        session.commit().await
    }

    /// How many interactions of `from..to` count as orphans.
    pub(super) async fn count_orphans(&self, from: Timestamp, to: Timestamp) -> Result<u64, StoreError> {
        let mut session = self.read().await?.patient(PATIENCE);
        let count: Option<Count> = session
            .sql(
                "SELECT COUNT(*) AS count FROM search_interactions
                 WHERE search_at IS NULL AND orphaned_at IS NOT NULL AND occurred_at >= $1 AND occurred_at < $2",
            )
            .bind(At(from))
            .bind(At(to))
            .optional()
            .await?;
        Ok(count.map_or(0, |count| count.0))
    }
}

/// What a large join and sort wants of Postgres, for this transaction only. More than this goes to disk.
async fn tune(session: &mut Session) -> Result<(), StoreError> {
    for setting in ["SET LOCAL work_mem = '96MB'", "SET LOCAL jit = off", "SET LOCAL enable_nestloop = off"] {
        session.sql(setting).run().await?;
    }
    Ok(())
}
