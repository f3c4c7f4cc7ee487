//! `GET /v1/search/queries`: what people searched for.

use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use job::clock::before;
use serde::Serialize;
use store::{Granularity, QuerySort, SearchQuery};
use utoipa::ToSchema;

use super::csv::{Cell, Csv, is_wanted};
use super::span;
use crate::auth::{Caller, SearchRead};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::Params;
use crate::state::State;

/// The longest stretch, in days.
const MOST_DAYS: i64 = 366;

/// What was counted of a query.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueryView {
    /// What was searched for: lower case, single spaces.
    #[schema(example = "piano lessons")]
    query: String,
    /// Searches, without texts on their way to one.
    searches: u64,
    /// Of these, with no result.
    zero_results: u64,
    /// Of these, with fewer than 3 results, or none.
    few_results: u64,
    /// Of these, with at least one click.
    clicked: u64,
    /// Of these, that led to a booking.
    booked: u64,
    /// Searches in the stretch of the same length just before.
    previous_searches: u64,
    /// Of those, with no result.
    previous_zero_results: u64,
    /// (searches + 5) / (previous_searches + 5): above 1 there are more.
    growth: f64,
    /// The same of searches without a result.
    zero_growth: f64,
}

impl From<SearchQuery> for QueryView {
    fn from(q: SearchQuery) -> Self {
        let (growth, zero_growth) = (q.growth(), q.zero_growth());
        Self {
            query: q.query,
            searches: q.searches,
            zero_results: q.zero_results,
            few_results: q.few_results,
            clicked: q.clicked,
            booked: q.booked,
            previous_searches: q.previous_searches,
            previous_zero_results: q.previous_zero_results,
            growth,
            zero_growth,
        }
    }
}

/// What people searched for
///
/// `popular`: the most searched. `trending`: at least 5 searches, and grown most against the stretch just before.
/// `problem`: at least 5 searches of which half found few results, or none was clicked. `zero`: found nothing at least 5
/// times, and more often than before, where that grew most first. As CSV with `format=csv` or `Accept: text/csv`.
#[utoipa::path(
    get, path = "/v1/search/queries", tag = "search", operation_id = "listSearchQueries",
    params(
        ("sort" = Option<String>, Query, description = "`popular` (unless said), `trending`, `problem` or `zero`"),
        ("from" = Option<String>, Query, description = "RFC 3339, cut to the hour; to the day where hourly counts are no longer kept, there or in the stretch before. 7 days before `to` unless said"),
        ("to" = Option<String>, Query, description = "RFC 3339, to the end of its hour, or day; now unless said"),
        ("limit" = Option<u32>, Query, description = "1 to 1000, 50 unless said"),
        ("format" = Option<String>, Query, description = "`json` or `csv`"),
    ),
    responses(
        (status = 200, description = "The first so many", body = List<QueryView>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn queries(
    Shared(state): Shared<State>,
    _: Caller<SearchRead>,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let sort = params.parsed::<QuerySort>("sort")?.unwrap_or(QuerySort::Popular);
    let (from, to) = span::of(&mut params, Granularity::Day, 7, now)?;
    let (limit, cursor) = params.page()?;
    if cursor.is_some() {
        return Err(ApiError::invalid("cursor", "this list has one page: ask for a higher limit"));
    }
    let csv = is_wanted(&mut params, &headers)?;
    params.end()?;
    let (from, to) = whole(from, to, before(now, state.settings.search.hourly_for));
    if (to.as_millisecond() - from.as_millisecond()) / Granularity::Day.millis() > MOST_DAYS {
        return Err(ApiError::invalid("from", format!("at most {MOST_DAYS} days before `to` are expected")));
    }
    let found = state.store.search_queries(sort, from, to, limit, now).await?;
    let items: Vec<QueryView> = found.into_iter().map(QueryView::from).collect();
    Ok(if csv { table(&items) } else { List::answer(items, None).into_response() })
}

/// Whole hours; whole days, if that or the stretch before it reaches back to where queries are known by the day only.
fn whole(from: Timestamp, to: Timestamp, hourly_from: Timestamp) -> (Timestamp, Timestamp) {
    let stretch = |by: Granularity| (by.floor(from), by.ceil(to));
    let (from, to) = stretch(Granularity::Hour);
    let length = Duration::from_millis((to.as_millisecond() - from.as_millisecond()).unsigned_abs());
    if before(from, length) < hourly_from { stretch(Granularity::Day) } else { (from, to) }
}

fn table(items: &[QueryView]) -> Response {
    let mut csv = Csv::new(&[
        "query",
        "searches",
        "zero_results",
        "few_results",
        "clicked",
        "booked",
        "previous_searches",
        "previous_zero_results",
        "growth",
        "zero_growth",
    ]);
    for q in items {
        csv.row(&[
            Cell::Text(&q.query),
            Cell::Count(q.searches),
            Cell::Count(q.zero_results),
            Cell::Count(q.few_results),
            Cell::Count(q.clicked),
            Cell::Count(q.booked),
            Cell::Count(q.previous_searches),
            Cell::Count(q.previous_zero_results),
            Cell::Number(Some(q.growth)),
            Cell::Number(Some(q.zero_growth)),
        ]);
    }
    csv.answer("attachment; filename=\"search-queries.csv\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_hours_are_no_longer_kept_a_stretch_is_one_of_whole_days() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let whole = |from, to| whole(at(from), at(to), at("2026-10-21T00:00:00Z"));
        let (from, to) = ("2026-11-20T05:20:00Z", "2026-11-20T06:20:00Z");
        assert_eq!(whole(from, to), (at("2026-11-20T05:00:00Z"), at("2026-11-20T07:00:00Z")));
        let (from, to) = ("2026-10-20T05:20:00Z", "2026-10-20T06:20:00Z");
        assert_eq!(whole(from, to), (at("2026-10-20T00:00:00Z"), at("2026-10-21T00:00:00Z")));
        let (from, to) = ("2026-11-02T05:00:00Z", "2026-11-20T05:00:00Z");
        let days = (at("2026-11-02T00:00:00Z"), at("2026-11-21T00:00:00Z"));
        assert_eq!(whole(from, to), days, "the stretch before it is older");
    }
}
