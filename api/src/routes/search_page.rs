//! `/search`: what people searched for, as a page with charts.
//!
//! Open in `postrider dev`. Elsewhere the browser asks for a name and a password: any name, and a key as the password
//! ([`Reader`]). It is made on the server whole and runs no script; nothing is loaded but its own style sheet and icon.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::civil::Date;
use store::{Breakdown, MetricsFilter, QuerySort};

use super::mailbox::{asset, no_store, typed};
use super::search::group;
use crate::auth::{Reader, SearchRead};
use crate::error::ApiError;
use crate::pages::mailbox::ICON;
use crate::pages::search::{Asked, CSS, Range, Shown, by, page};
use crate::query::Params;
use crate::state::State;

/// The policy of the page: its style sheet, its icon, and its own form.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";
/// Queries of one table.
const QUERIES: u32 = 50;

/// The page and its files.
pub fn pages() -> Router<State> {
    Router::new()
        .route("/search", get(search))
        .route("/search/search.css", get(|| async { asset("text/css; charset=utf-8", CSS) }))
        .route("/search/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
}

/// The page. `period` or `from` and `to` say when, `kind` and `device` of what, `sort` which queries.
async fn search(Shared(state): Shared<State>, _: Reader<SearchRead>, mut params: Params) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let asked = asked(&mut params, now)?;
    params.end()?;
    let (range, store) = (&asked.range, &state.store);
    let filter = MetricsFilter { kind: asked.kind.clone(), device: asked.device.clone(), by: None };
    let by_kind = MetricsFilter { kind: None, by: Some(Breakdown::Kind), ..filter.clone() };
    let by_device = MetricsFilter { device: None, by: Some(Breakdown::Device), ..filter.clone() };
    let (before_from, before_to) = range.before();
    let points = store.search_metrics(range.from, range.to, range.granularity, &filter).await?;
    let points_before = store.search_metrics(before_from, before_to, range.granularity, &filter).await?;
    let kinds = store.search_metrics(range.from, range.to, range.granularity, &by_kind).await?;
    let devices = store.search_metrics(range.from, range.to, range.granularity, &by_device).await?;
    let queries = store.search_queries(asked.sort, range.from, range.to, QUERIES, now).await?;
    let counted_at = store.searches_counted_at(range.from, range.to).await?;
    let shown = Shown {
        kinds: by(&kinds, |row| row.kind.as_deref()),
        devices: by(&devices, |row| row.device.as_deref()),
        asked,
        points,
        points_before,
        queries,
        counted_at,
        dev: state.dev.is_some(),
    };
    let policy = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::OK, typed("text/html; charset=utf-8"), policy, no_store(), page(&shown)).into_response())
}

fn asked(params: &mut Params, now: jiff::Timestamp) -> Result<Asked, ApiError> {
    let period = params.text("period")?;
    let mut date = |field: &str| match params.text(field)?.map(|text| text.parse::<Date>()) {
        None => Ok(None),
        Some(Ok(date)) if (1970..=9000).contains(&date.year()) => Ok(Some(date)),
        Some(_) => Err(ApiError::invalid(field, "a date such as 2026-11-25 is expected, in the years 1970 to 9000")),
    };
    let (from, to) = (date("from")?, date("to")?);
    let range = match (period, from, to) {
        (None, Some(from), Some(to)) => Range::between(from, to),
        (period, None, None) => Range::until(now, period.as_deref()),
        (Some(_), ..) => Err(("period", "not together with from and to".to_owned())),
        (_, Some(_), None) => Err(("to", "is needed with from".to_owned())),
        (_, None, Some(_)) => Err(("from", "is needed with to".to_owned())),
    };
    let range = range.map_err(|(field, why)| ApiError::invalid(field, why))?;
    let (kind, device) = group(params)?;
    Ok(Asked { range, kind, device, sort: params.parsed("sort")?.unwrap_or(QuerySort::Popular) })
}
