//! Looking at schedules: what there is, when it fires next, what it has fired.

use axum::Json;
use axum::extract::State as Shared;
use cron::{Cron, Zone};
use jiff::Timestamp;
use job::FieldError;
use serde::Deserialize;
use store::TickState;
use utoipa::ToSchema;
use worker::schedule::Timing;

use super::no_such;
use super::view::{FireView, ScheduleView, TickView};
use crate::auth::{Caller, JobsRead};
use crate::body::{Text, parse};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// Instants that a preview shows unless said, and at most.
const SHOWN: usize = 10;
const MOST_SHOWN: usize = 100;

/// An expression to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// When.
    #[schema(example = "30 2 * * *")]
    cron: String,
    /// By the clocks of this zone; UTC if absent.
    #[serde(default)]
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// How many instants, 1 to 100; 10 if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    count: Option<usize>,
    /// After this instant; now if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    after: Option<Timestamp>,
}

/// List the schedules
#[utoipa::path(
    get, path = "/v1/schedules", tag = "schedules", operation_id = "listSchedules",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "By name", body = List<ScheduleView>))
)]
pub async fn list(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    mut params: Params,
) -> Result<Json<List<ScheduleView>>, ApiError> {
    let (limit, cursor) = params.page()?;
    params.end()?;
    let now = state.clock.now();
    let page = state.store.list_schedules(limit, cursor.as_deref()).await?;
    let items = page.items.into_iter().map(|schedule| ScheduleView::new(schedule, now)).collect();
    Ok(List::answer(items, page.next_cursor))
}

/// Show a schedule
#[utoipa::path(
    get, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "getSchedule",
    params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 200, description = "The schedule", body = ScheduleView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    Path(name): Path<String>,
) -> Result<Json<ScheduleView>, ApiError> {
    let found = state.store.get_schedule(&name).await?.ok_or_else(no_such)?;
    Ok(Json(ScheduleView::new(found, state.clock.now())))
}

/// When a schedule fires next
///
/// By both clocks. A pause is not looked at.
#[utoipa::path(
    get, path = "/v1/schedules/{name}/next", tag = "schedules", operation_id = "nextOfSchedule",
    params(
        ("name" = String, Path, description = "The schedule's name"),
        ("count" = Option<u32>, Query, description = "1 to 100; 10 if absent"),
        ("after" = Option<String>, Query, description = "After this instant, RFC 3339; now if absent"),
    ),
    responses(
        (status = 200, description = "In order", body = List<FireView>),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn next(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    Path(name): Path<String>,
    mut params: Params,
) -> Result<Json<List<FireView>>, ApiError> {
    let (count, after) = (params.text("count")?, params.parsed("after")?);
    params.end()?;
    let found = state.store.get_schedule(&name).await?.ok_or_else(no_such)?;
    let unreadable = |why| ApiError::conflict(format!("The schedule cannot be read here: {why}."));
    let timing = Timing::of(&found.spec).map_err(unreadable)?;
    // What is no number is out of range too.
    let count = count.map(|text| text.parse().unwrap_or(0));
    fires(&timing, count, after.unwrap_or_else(|| state.clock.now()))
}

/// Try an expression
///
/// When a schedule would fire, without making one.
#[utoipa::path(
    post, path = "/v1/schedules/preview", tag = "schedules", operation_id = "previewSchedule", request_body = Trial,
    responses(
        (status = 200, description = "In order", body = List<FireView>),
        (status = 422, description = "The expression or the zone does not read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn preview(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    Text(text): Text,
) -> Result<Json<List<FireView>>, ApiError> {
    let trial: Trial = parse(&text)?;
    let cron = Cron::parse(&trial.cron);
    let zone = Zone::parse(trial.timezone.as_deref().unwrap_or("UTC"));
    match (cron, zone) {
        (Ok(cron), Ok(zone)) => {
            fires(&Timing { cron, zone }, trial.count, trial.after.unwrap_or_else(|| state.clock.now()))
        }
        (cron, zone) => {
            let mut wrong = Vec::new();
            wrong.extend(cron.err().map(|e| FieldError::new("cron", e.to_string())));
            wrong.extend(zone.err().map(|e| FieldError::new("timezone", e.to_string())));
            Err(ApiError::invalid_fields(wrong))
        }
    }
}

/// What a schedule has fired
///
/// Those planned last first, each with its job. The history outlives the schedule until retention takes it.
#[utoipa::path(
    get, path = "/v1/schedules/{name}/ticks", tag = "schedules", operation_id = "listTicks",
    params(
        ("name" = String, Path, description = "The schedule's name"),
        ("state" = Option<String>, Query, description = "waiting, open, done, failed, cancelled, expired or skipped"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "Its ticks", body = List<TickView>))
)]
pub async fn ticks(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    Path(name): Path<String>,
    mut params: Params,
) -> Result<Json<List<TickView>>, ApiError> {
    let (limit, cursor) = params.page()?;
    let wanted: Option<TickState> = params.parsed("state")?;
    params.end()?;
    let page = state.store.list_ticks(&name, wanted, limit, cursor.as_deref()).await?;
    if page.items.is_empty() && state.store.get_schedule(&name).await?.is_none() {
        return Err(no_such());
    }
    Ok(List::answer(page.items.into_iter().map(TickView::from).collect(), page.next_cursor))
}

fn fires(timing: &Timing, count: Option<usize>, after: Timestamp) -> Result<Json<List<FireView>>, ApiError> {
    let count = count.unwrap_or(SHOWN);
    if !(1..=MOST_SHOWN).contains(&count) {
        return Err(ApiError::invalid("count", format!("1 to {MOST_SHOWN} is expected")));
    }
    let items = timing.after(after).take(count).map(|at| FireView::new(timing, at)).collect();
    Ok(List::answer(items, None))
}
