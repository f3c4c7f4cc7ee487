//! The rows of what was counted: metrics of each group, queries of each window.
//!
//! Postgres takes queries as columns (UNNEST), SQLite as rows.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::metrics::{ALL, SearchMetrics};
use super::tally::QueryCounts;
use super::window::Granularity;
use crate::db::{At, Backend, Column, Session};
use crate::error::StoreError;

/// Rows of queries in one statement.
const COLUMN_ROWS: usize = 10_000;
const VALUES_ROWS: usize = 200;

/// What was counted of the searches of one group.
pub(super) async fn insert_metrics(
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

/// What was counted of the queries of a window.
pub(super) async fn insert_queries(
    session: &mut Session,
    backend: Backend,
    granularity: Granularity,
    starts_at: Timestamp,
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
                     SELECT $8, $1, query, searches, zero_results, few_results, clicked, booked
                     FROM UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
                         AS n (query, searches, zero_results, few_results, clicked, booked)",
                )
                .bind(At(starts_at))
                .bind(Column(some.iter().map(|(query, _)| query.as_str()).collect::<Vec<&str>>()))
                .bind(column(|c| c.searches))
                .bind(column(|c| c.zero_results))
                .bind(column(|c| c.few_results))
                .bind(column(|c| c.clicked))
                .bind(column(|c| c.booked))
                .bind(granularity)
                .run()
                .await?;
        }
        return Ok(());
    }
    for some in rows.chunks(VALUES_ROWS) {
        let row = |n: usize| {
            let places: Vec<String> = (0..6).map(|column| format!("${}", 3 + n * 6 + column)).collect();
            format!("($2, $1, {})", places.join(", "))
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
        statement = statement.bind(At(starts_at)).bind(granularity);
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
pub(super) async fn sum_queries(session: &mut Session, from: Timestamp, to: Timestamp) -> Result<(), StoreError> {
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
