//! `GET /v1/search/metrics`: what was counted by the hour or by the day.

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use store::{Granularity, MetricsFilter, SearchMetrics};
use utoipa::ToSchema;

use super::csv::{Cell, Csv, is_wanted};
use super::span;
use crate::auth::{Caller, SearchRead};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::Params;
use crate::state::State;

/// The most windows in one answer.
const MOST: i64 = 1_000;
/// The same broken down: each is up to 51 rows.
const MOST_BROKEN_DOWN: i64 = 400;

/// What was counted in a window. A rate is null where there is nothing that it could be a rate of.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsView {
    /// Where the window begins; it is half-open, in UTC.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Where it ends.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// The kind of the searches; null for all.
    kind: Option<String>,
    /// The device of the searches; null for all.
    device: Option<String>,
    /// Searches, without texts on their way to one.
    searches: u64,
    /// Of these, by guests.
    guest_searches: u64,
    /// Different users and sessions among those who consented.
    unique_searchers: Option<u64>,
    /// Searches that found nothing.
    zero_results: u64,
    /// zero_results / searches.
    zero_result_rate: Option<f64>,
    /// Searches with at least one click.
    clicked: u64,
    /// clicked / searches.
    click_through_rate: Option<f64>,
    /// The mean of the positions that were clicked.
    mean_click_position: Option<f64>,
    /// The mean of 1 / the best clicked position, 0 for a search without one.
    mean_reciprocal_rank: Option<f64>,
    /// Searches that led to a booking.
    booked: u64,
    /// booked / searches.
    booking_conversion: Option<f64>,
    /// The same of guests.
    guest_conversion: Option<f64>,
    /// Searches after which nothing was clicked, bookmarked, contacted or booked.
    abandoned: u64,
    /// abandoned / searches.
    abandonment: Option<f64>,
    /// The median of how many results a search found.
    results_median: Option<f64>,
    /// Its ninth decile.
    results_p90: Option<f64>,
    /// The median of the seconds until a search's first click.
    first_click_median: Option<f64>,
    /// Its ninth decile.
    first_click_p90: Option<f64>,
    /// Texts on their way to a search, which are not counted as searches.
    folded: u64,
    /// Interactions whose search never came; with all searches only, 0 elsewhere.
    orphans: u64,
}

impl MetricsView {
    fn of(m: SearchMetrics, granularity: Granularity) -> Self {
        Self {
            starts_at: m.starts_at,
            ends_at: granularity.next(m.starts_at),
            zero_result_rate: m.zero_result_rate(),
            click_through_rate: m.click_through_rate(),
            mean_click_position: m.mean_click_position(),
            mean_reciprocal_rank: m.mean_reciprocal_rank(),
            booking_conversion: m.booking_conversion(),
            guest_conversion: m.guest_conversion(),
            abandonment: m.abandonment(),
            kind: m.kind,
            device: m.device,
            searches: m.searches,
            guest_searches: m.guest_searches,
            unique_searchers: m.unique_searchers,
            zero_results: m.zero_results,
            clicked: m.clicked,
            booked: m.booked,
            abandoned: m.abandoned,
            results_median: m.results_median,
            results_p90: m.results_p90,
            first_click_median: m.first_click_median,
            first_click_p90: m.first_click_p90,
            folded: m.folded,
            orphans: m.orphans,
        }
    }
}

/// What was counted of searches
///
/// One item a window that begins from `from` to before `to`, also for windows in which nobody searched. Broken down with
/// `by`: one item for each kind, or device, that occurred. As CSV with `format=csv` or `Accept: text/csv`.
#[utoipa::path(
    get, path = "/v1/search/metrics", tag = "search", operation_id = "getSearchMetrics",
    params(
        ("from" = Option<String>, Query, description = "RFC 3339; 7 days or 24 hours before `to` unless said"),
        ("to" = Option<String>, Query, description = "RFC 3339, not included; now unless said"),
        ("granularity" = Option<String>, Query, description = "`hour` or `day`, in UTC; `day` unless said. At most 1,000 windows, broken down 400"),
        ("kind" = Option<String>, Query, description = "Searches of this kind only; `other` has those beyond the 50 most frequent of a window"),
        ("device" = Option<String>, Query, description = "Searches from this device only"),
        ("by" = Option<String>, Query, description = "`kind` or `device`: broken down by it"),
        ("format" = Option<String>, Query, description = "`json` or `csv`"),
    ),
    responses(
        (status = 200, description = "What was counted", body = List<MetricsView>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn metrics(
    Shared(state): Shared<State>,
    _: Caller<SearchRead>,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let granularity = params.parsed::<Granularity>("granularity")?.unwrap_or(Granularity::Day);
    let usual = if granularity == Granularity::Day { 7 } else { 24 };
    let (from, to) = span::of(&mut params, granularity, usual, state.clock.now())?;
    let (kind, device) = span::group(&mut params)?;
    let filter = MetricsFilter { kind, device, by: params.parsed("by")? };
    let csv = is_wanted(&mut params, &headers)?;
    params.end()?;
    let most = if filter.by.is_some() { MOST_BROKEN_DOWN } else { MOST };
    if (to.as_millisecond() - from.as_millisecond()) / granularity.millis() > most {
        return Err(ApiError::invalid("from", format!("at most {most} windows before `to` are expected")));
    }
    let found = state.store.search_metrics(from, to, granularity, &filter).await?;
    let items: Vec<MetricsView> = found.into_iter().map(|m| MetricsView::of(m, granularity)).collect();
    Ok(if csv { table(&items) } else { List::answer(items, None).into_response() })
}

fn table(items: &[MetricsView]) -> Response {
    let mut csv = Csv::new(&[
        "starts_at",
        "ends_at",
        "kind",
        "device",
        "searches",
        "guest_searches",
        "unique_searchers",
        "zero_results",
        "zero_result_rate",
        "clicked",
        "click_through_rate",
        "mean_click_position",
        "mean_reciprocal_rank",
        "booked",
        "booking_conversion",
        "guest_conversion",
        "abandoned",
        "abandonment",
        "results_median",
        "results_p90",
        "first_click_median",
        "first_click_p90",
        "folded",
        "orphans",
    ]);
    for m in items {
        csv.row(&[
            Cell::Text(&m.starts_at.to_string()),
            Cell::Text(&m.ends_at.to_string()),
            Cell::Text(m.kind.as_deref().unwrap_or("")),
            Cell::Text(m.device.as_deref().unwrap_or("")),
            Cell::Count(m.searches),
            Cell::Count(m.guest_searches),
            m.unique_searchers.map_or(Cell::Number(None), Cell::Count),
            Cell::Count(m.zero_results),
            Cell::Number(m.zero_result_rate),
            Cell::Count(m.clicked),
            Cell::Number(m.click_through_rate),
            Cell::Number(m.mean_click_position),
            Cell::Number(m.mean_reciprocal_rank),
            Cell::Count(m.booked),
            Cell::Number(m.booking_conversion),
            Cell::Number(m.guest_conversion),
            Cell::Count(m.abandoned),
            Cell::Number(m.abandonment),
            Cell::Number(m.results_median),
            Cell::Number(m.results_p90),
            Cell::Number(m.first_click_median),
            Cell::Number(m.first_click_p90),
            Cell::Count(m.folded),
            Cell::Count(m.orphans),
        ]);
    }
    csv.answer("attachment; filename=\"search-metrics.csv\"")
}
