//! Counting a window, and replacing what was counted of it before.
//!
//! 1. It draws a turn, reads the window's marks, then counts all of its searches anew.
//! 2. In one transaction: the window's row takes the turn, or the count is dropped because a later turn was quicker; the
//!    rows of the window are removed, so that queries which vanished leave; the new ones are written; the marks that it had
//!    read go, unless they have changed. An hour marks its day.
//! 3. A day is counted hour by hour, and each of its hours that is marked is written on the way: the events are read once.
//!    Its queries are the sums of its hours'; its other counts are taken from the events, for medians and different
//!    searchers cannot be added up.
//!
//! So twice is harmless, at the same time too: what the last turn has seen stands, and what it has not seen is marked.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::facts::Fact;
use super::marks::{self, Mark, slot_of};
use super::metrics::{ALL, SearchMetrics};
use super::rules::SearchRules;
use super::tally::{QueryCounts, Tally};
use super::window::Granularity;
use crate::db::{At, Backend, Column, Record, Row, Session, Store};
use crate::error::StoreError;

/// Rows of queries in one statement: Postgres takes columns, SQLite rows.
const COLUMN_ROWS: usize = 10_000;
const VALUES_ROWS: usize = 200;
/// How long one statement may take: a day's queries are summed in one.
const PATIENCE: Duration = Duration::from_secs(300);

struct Turn(i64);

impl Record for Turn {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("turn")?))
    }
}

/// A window that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolledWindow {
    /// Its searches, without those that were folded.
    pub searches: u64,
    /// Whether it was written; if not, another count with a later turn was.
    pub written: bool,
    /// Hours that were written: itself, or those of the day.
    pub hours: u64,
}

/// A window that is being counted.
struct Count {
    granularity: Granularity,
    starts_at: Timestamp,
    /// Drawn before the first event was read.
    turn: i64,
    /// Read before the first event was.
    marks: Vec<Mark>,
    tally: Tally,
    orphans: u64,
}

impl Store {
    /// Counts the window of this length that begins at `starts_at`; with a day, those of its hours that hold events which
    /// are not counted yet. `token` is this call's own.
    ///
    /// # Errors
    /// As the database says; then windows that are not written are as they were.
    pub async fn roll_search_window(
        &self,
        granularity: Granularity,
        starts_at: Timestamp,
        rules: &SearchRules,
        token: Uuid,
        now: Timestamp,
    ) -> Result<RolledWindow, StoreError> {
        if granularity == Granularity::Hour {
            let mut count = self.begin_count(granularity, starts_at).await?;
            self.read_hour(&mut count, None, rules).await?;
            return self.write_count(count, token, now).await;
        }
        let mut day = self.begin_count(granularity, starts_at).await?;
        let (mut start, end, mut hours) = (starts_at, granularity.next(starts_at), 0);
        while start < end {
            let mut hour = self.begin_count(Granularity::Hour, start).await?;
            if hour.marks.is_empty() {
                let next = Granularity::Hour.next(start);
                self.each_search_fact(start, next, rules, false, |fact| day.tally.add(&fact)).await?;
                day.orphans += self.count_orphans(start, next).await?;
            } else {
                self.read_hour(&mut hour, Some(&mut day), rules).await?;
                hours += u64::from(self.write_count(hour, token, now).await?.written);
            }
            start = Granularity::Hour.next(start);
        }
        // The mark that its own hours have left is as good as read: they were counted with it.
        day.marks.push(Mark::of(token));
        let rolled = self.write_count(day, token, now).await?;
        Ok(RolledWindow { hours, ..rolled })
    }

    async fn begin_count(&self, granularity: Granularity, starts_at: Timestamp) -> Result<Count, StoreError> {
        let turn = self.draw_turn().await?;
        let marks = marks::of(&mut self.read().await?, granularity, starts_at).await?;
        let tally = Tally::new(granularity == Granularity::Hour);
        Ok(Count { granularity, starts_at, turn, marks, tally, orphans: 0 })
    }

    /// Counts an hour's events, and counts them for its day too.
    async fn read_hour(
        &self,
        hour: &mut Count,
        mut day: Option<&mut Count>,
        rules: &SearchRules,
    ) -> Result<(), StoreError> {
        let (start, end) = (hour.starts_at, hour.granularity.next(hour.starts_at));
        let take = |fact: Fact| {
            if let Some(day) = &mut day {
                day.tally.add(&fact);
            }
            hour.tally.add(&fact);
        };
        self.each_search_fact(start, end, rules, true, take).await?;
        hour.orphans = self.count_orphans(start, end).await?;
        if let Some(day) = day {
            day.orphans += hour.orphans;
        }
        Ok(())
    }

    /// Replaces what was counted of the window before, unless a later turn was quicker.
    async fn write_count(&self, count: Count, token: Uuid, now: Timestamp) -> Result<RolledWindow, StoreError> {
        let Count { granularity, starts_at, turn, marks: read, tally, orphans } = count;
        let searches = tally.searches();
        let mut session = self.begin().await?.patient(PATIENCE);
        let ours = session
            .sql(
                "INSERT INTO search_windows (granularity, starts_at, turn, rolled_at, searches) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (granularity, starts_at) DO UPDATE
                 SET turn = excluded.turn, rolled_at = excluded.rolled_at, searches = excluded.searches
                 WHERE search_windows.turn < excluded.turn",
            )
            .bind(granularity)
            .bind(At(starts_at))
            .bind(turn)
            .bind(At(now))
            .bind(i64::try_from(searches).unwrap_or(i64::MAX))
            .run()
            .await?;
        if ours == 0 {
            return Ok(RolledWindow { searches, written: false, hours: 0 });
        }
        for table in ["search_metrics", "search_queries"] {
            session
                .sql(AssertSqlSafe(format!("DELETE FROM {table} WHERE granularity = $1 AND starts_at = $2")))
                .bind(granularity)
                .bind(At(starts_at))
                .run()
                .await?;
        }
        for metrics in tally.metrics(starts_at, orphans) {
            insert_metrics(&mut session, granularity, &metrics).await?;
        }
        match tally.into_queries() {
            Some(queries) => {
                insert_queries(&mut session, self.backend(), starts_at, queries).await?;
                let day = BTreeSet::from([Granularity::Day.floor(starts_at)]);
                marks::set(&mut session, Granularity::Day, &day, slot_of(token), token, now).await?;
            }
            None => sum_queries(&mut session, starts_at, granularity.next(starts_at)).await?,
        }
        marks::clear(&mut session, granularity, starts_at, &read).await?;
        session.commit().await?;
        Ok(RolledWindow { searches, written: true, hours: u64::from(granularity == Granularity::Hour) })
    }

    async fn draw_turn(&self) -> Result<i64, StoreError> {
        let mut session = self.write_one().await?;
        let turn: Option<Turn> =
            session.sql("UPDATE search_state SET turn = turn + 1 WHERE one = 1 RETURNING turn").optional().await?;
        Ok(turn.ok_or_else(|| StoreError::Corrupt("search_state has no row".to_owned()))?.0)
    }
}

async fn insert_metrics(
    session: &mut Session,
    granularity: Granularity,
    metrics: &SearchMetrics,
) -> Result<(), StoreError> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    session
        .sql(
            "INSERT INTO search_metrics (granularity, starts_at, kind, device, searches, guest_searches,
                 unique_searchers, zero_results, clicked, positions, position_sum, reciprocal_sum, booked, guest_booked,
                 abandoned, results_median, results_p90, first_click_median, first_click_p90, folded, orphans)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
        )
        .bind(granularity)
        .bind(At(metrics.starts_at))
        .bind(metrics.kind.as_deref().unwrap_or(ALL))
        .bind(metrics.device.as_deref().unwrap_or(ALL))
        .bind(number(metrics.searches))
        .bind(number(metrics.guest_searches))
        .bind(number(metrics.unique_searchers.unwrap_or(0)))
        .bind(number(metrics.zero_results))
        .bind(number(metrics.clicked))
        .bind(number(metrics.positions))
        .bind(number(metrics.position_sum))
        .bind(metrics.reciprocal_sum)
        .bind(number(metrics.booked))
        .bind(number(metrics.guest_booked))
        .bind(number(metrics.abandoned))
        .bind(metrics.results_median)
        .bind(metrics.results_p90)
        .bind(metrics.first_click_median)
        .bind(metrics.first_click_p90)
        .bind(number(metrics.folded))
        .bind(number(metrics.orphans))
        .run()
        .await?;
    Ok(())
}

async fn insert_queries(
    session: &mut Session,
    backend: Backend,
    hour: Timestamp,
    queries: HashMap<String, QueryCounts>,
) -> Result<(), StoreError> {
    let mut rows: Vec<(String, QueryCounts)> = queries.into_iter().collect();
    // In the order of the primary key: neighbours lie on the same page.
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    if backend == Backend::Postgres {
        for some in rows.chunks(COLUMN_ROWS) {
            let column = |value: fn(&QueryCounts) -> u64| {
                Column(some.iter().map(|(_, counts)| number(value(counts))).collect::<Vec<i64>>())
            };
            session
                .sql(
                    "INSERT INTO search_queries (granularity, starts_at, query, searches, zero_results, few_results,
                         clicked, booked)
                     SELECT 'hour', $1, query, searches, zero_results, few_results, clicked, booked
                     FROM UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
                         AS n (query, searches, zero_results, few_results, clicked, booked)",
                )
                .bind(At(hour))
                .bind(Column(some.iter().map(|(query, _)| query.as_str()).collect::<Vec<&str>>()))
                .bind(column(|c| c.searches))
                .bind(column(|c| c.zero_results))
                .bind(column(|c| c.few_results))
                .bind(column(|c| c.clicked))
                .bind(column(|c| c.booked))
                .run()
                .await?;
        }
        return Ok(());
    }
    for some in rows.chunks(VALUES_ROWS) {
        let row = |n: usize| {
            let places: Vec<String> = (0..6).map(|column| format!("${}", 2 + n * 6 + column)).collect();
            format!("('hour', $1, {})", places.join(", "))
        };
        let text = format!(
            "INSERT INTO search_queries (granularity, starts_at, query, searches, zero_results, few_results, clicked,
                 booked)
             VALUES {}",
            (0..some.len()).map(row).collect::<Vec<_>>().join(", ")
        );
        let mut statement = session.sql(AssertSqlSafe(text));
        if some.len() < VALUES_ROWS {
            statement = statement.unprepared();
        }
        statement = statement.bind(At(hour));
        for (query, counts) in some {
            statement = statement
                .bind(query.as_str())
                .bind(number(counts.searches))
                .bind(number(counts.zero_results))
                .bind(number(counts.few_results))
                .bind(number(counts.clicked))
                .bind(number(counts.booked));
        }
        statement.run().await?;
    }
    Ok(())
}

/// A day's queries are its hours', added up.
async fn sum_queries(session: &mut Session, from: Timestamp, to: Timestamp) -> Result<(), StoreError> {
    session
        .sql(
            "INSERT INTO search_queries (granularity, starts_at, query, searches, zero_results, few_results, clicked,
                 booked)
             SELECT 'day', $1, query, SUM(searches), SUM(zero_results), SUM(few_results), SUM(clicked), SUM(booked)
             FROM search_queries WHERE granularity = 'hour' AND starts_at >= $1 AND starts_at < $2
             GROUP BY query",
        )
        .bind(At(from))
        .bind(At(to))
        .run()
        .await?;
    Ok(())
}
