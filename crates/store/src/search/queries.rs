//! What people searched for: what was counted of each query, over any hours.
//!
//! Days that can no longer change are read as days, the rest hour by hour: the sum is the same, the rows are fewer.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::window::{Granularity, from_ms};
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;
use crate::words::words;

/// Added to both sides of a growth, so that 1 after 0 is no sensation.
const SMOOTHING: u32 = 5;
/// Searches that a query must have to be trending, or a problem; searches without a result, to be told of.
const FLOOR: u32 = 5;
/// How long a day may still change after its end, and a day to spare.
const UNSETTLED_MS: i64 = 3 * 24 * 3_600_000;

words! {
    /// Which queries are asked for, and in which order.
    pub enum QuerySort {
        /// The most searched.
        Popular = "popular",
        /// At least 5 searches and more than in the window before: those that grew most, (now + 5) / (before + 5).
        Trending = "trending",
        /// At least 5 searches, of which half found fewer than 3 results, or none was clicked: the most searches that
        /// went wrong.
        Problem = "problem",
        /// Found nothing at least 5 times and more often than in the window before: where that grew most,
        /// (now + 5) / (before + 5).
        Zero = "zero",
    }
}

/// What was counted of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchQuery {
    /// What was searched for: lower case, single spaces.
    pub query: String,
    /// Searches, without those that were folded.
    pub searches: u64,
    /// Of these, with no result.
    pub zero_results: u64,
    /// Of these, with fewer than 3 results, or none.
    pub few_results: u64,
    /// Of these, with at least one click.
    pub clicked: u64,
    /// Of these, that led to a booking.
    pub booked: u64,
    /// Searches in the window of the same length just before.
    pub previous_searches: u64,
    /// Of those, with no result.
    pub previous_zero_results: u64,
}

impl SearchQuery {
    /// How searches have grown against the window before, smoothed: above 1 there are more.
    #[must_use]
    pub fn growth(&self) -> f64 {
        smoothed(self.searches, self.previous_searches)
    }

    /// How searches without a result have grown against the window before, smoothed.
    #[must_use]
    pub fn zero_growth(&self) -> f64 {
        smoothed(self.zero_results, self.previous_zero_results)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of searches are far below 2^53")]
fn smoothed(now: u64, before: u64) -> f64 {
    (now as f64 + f64::from(SMOOTHING)) / (before as f64 + f64::from(SMOOTHING))
}

impl Record for SearchQuery {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            query: row.get("query")?,
            searches: row.number("searches")?,
            zero_results: row.number("zero_results")?,
            few_results: row.number("few_results")?,
            clicked: row.number("clicked")?,
            booked: row.number("booked")?,
            previous_searches: row.number("previous_searches")?,
            previous_zero_results: row.number("previous_zero_results")?,
        })
    }
}

/// The rows that add up to a stretch of hours: `$first` and the three after it.
fn within(first: usize) -> String {
    let place = |n: usize| format!("${}", first + n);
    let (from, days, end, to) = (place(0), place(1), place(2), place(3));
    format!(
        "((granularity = 'hour' AND starts_at >= {from} AND starts_at < {days})
          OR (granularity = 'day' AND starts_at >= {days} AND starts_at < {end})
          OR (granularity = 'hour' AND starts_at >= {end} AND starts_at < {to}))"
    )
}

/// Where a stretch begins, where its whole settled days begin and end, and where it ends.
fn parts(from: Timestamp, to: Timestamp, now: Timestamp) -> [Timestamp; 4] {
    let settled = from_ms(now.as_millisecond().saturating_sub(UNSETTLED_MS));
    let days = Granularity::Day.ceil(from).min(to);
    let end = Granularity::Day.floor(to.min(settled)).max(days);
    [from, days, end, to]
}

impl Store {
    /// The queries of the hours in `from..to`, as asked for, at most `limit` (1…1000).
    ///
    /// # Errors
    /// As the database says.
    pub async fn search_queries(
        &self,
        sort: QuerySort,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<SearchQuery>, StoreError> {
        let growth = |now: &str, before: &str| {
            format!("CAST({now} + {SMOOTHING} AS DOUBLE PRECISION) / (COALESCE({before}, 0) + {SMOOTHING})")
        };
        let (wanted, order) = match sort {
            QuerySort::Popular => ("TRUE".to_owned(), "n.searches DESC".to_owned()),
            QuerySort::Trending => (
                format!("n.searches >= {FLOOR} AND n.searches > COALESCE(b.searches, 0)"),
                format!("{} DESC, n.searches DESC", growth("n.searches", "b.searches")),
            ),
            QuerySort::Problem => (
                format!("n.searches >= {FLOOR} AND (n.few_results * 2 >= n.searches OR n.clicked = 0)"),
                "CASE WHEN n.clicked = 0 THEN n.searches ELSE n.few_results END DESC, n.searches DESC".to_owned(),
            ),
            QuerySort::Zero => (
                format!("n.zero_results >= {FLOOR} AND n.zero_results > COALESCE(b.zero_results, 0)"),
                format!("{} DESC, n.zero_results DESC", growth("n.zero_results", "b.zero_results")),
            ),
        };
        let sum = |column: &str| format!("CAST(SUM({column}) AS BIGINT) AS {column}");
        let text = format!(
            "WITH n AS (SELECT query, {}, {}, {}, {}, {} FROM search_queries WHERE {} GROUP BY query),
                  b AS (SELECT query, {}, {} FROM search_queries WHERE {} GROUP BY query)
             SELECT n.query, n.searches, n.zero_results, n.few_results, n.clicked, n.booked,
                 COALESCE(b.searches, 0) AS previous_searches, COALESCE(b.zero_results, 0) AS previous_zero_results
             FROM n LEFT JOIN b ON b.query = n.query
             WHERE {wanted}
             ORDER BY {order}, n.query
             LIMIT $1",
            sum("searches"),
            sum("zero_results"),
            sum("few_results"),
            sum("clicked"),
            sum("booked"),
            within(2),
            sum("searches"),
            sum("zero_results"),
            within(6),
        );
        let before = from_ms(from.as_millisecond().saturating_sub(to.as_millisecond() - from.as_millisecond()));
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).bind(i64::from(limit.clamp(1, 1000)));
        for at in parts(from, to, now).into_iter().chain(parts(before, from, now)) {
            statement = statement.bind(At(at));
        }
        statement.all().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn whole_days_that_are_settled_are_read_as_days() {
        let (from, to) = (at("2026-11-01T05:00:00Z"), at("2026-11-20T07:00:00Z"));
        let parts_at = |now| parts(from, to, at(now)).map(|at| at.to_string());
        assert_eq!(
            parts_at("2026-12-20T00:00:00Z"),
            ["2026-11-01T05:00:00Z", "2026-11-02T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-20T07:00:00Z"]
        );
        assert_eq!(parts_at("2026-11-20T07:00:00Z")[2], "2026-11-17T00:00:00Z");
        assert_eq!(parts_at("2026-11-01T07:00:00Z")[1..3], ["2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z"]);
    }

    #[test]
    fn a_stretch_within_a_day_is_read_by_the_hour() {
        let (from, to) = (at("2026-11-01T05:00:00Z"), at("2026-11-01T07:00:00Z"));
        assert_eq!(parts(from, to, at("2026-12-20T00:00:00Z")), [from, to, to, to]);
    }

    #[test]
    fn one_after_none_is_no_sensation() {
        assert_eq!(smoothed(1, 0), 1.2);
        assert_eq!(smoothed(95, 5), 10.0);
    }
}
