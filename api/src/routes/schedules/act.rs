//! An operator's hands on a schedule: pause, resume, run now, fire for a span that has passed, call off what waits.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use store::Changed;
use utoipa::ToSchema;
use worker::schedule::{AskError, Asking, check_reason};
use worker::ticks;

use super::no_such;
use super::view::{Asked, BackfillView, CalledOff, ScheduleView};
use crate::auth::{Caller, Operate};
use crate::body::{OptionalText, Text, parse};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// Why a schedule is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// For whoever finds it paused; 1 to 500 bytes on one line.
    #[serde(default)]
    #[schema(example = "the archive is being moved")]
    reason: Option<String>,
}

/// A span that has passed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// From this instant on, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Before this instant, not in the future.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Pause a schedule
///
/// Nothing of it fires until it is resumed, and what waits behind an earlier job goes on waiting (see cancel-waiting). The
/// body is optional. A pause by failures becomes the operator's.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/pause", tag = "schedules", operation_id = "pauseSchedule",
    request_body = Option<Pause>, params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 200, description = "Paused", body = ScheduleView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn pause(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
    OptionalText(text): OptionalText,
) -> Result<Json<ScheduleView>, ApiError> {
    let pause: Pause = text.as_deref().map(parse).transpose()?.unwrap_or_default();
    if let Some(reason) = &pause.reason {
        check_reason(reason).map_err(|e| ApiError::invalid_fields(vec![e]))?;
    }
    let now = state.clock.now();
    view(&state, state.store.pause_schedule(&name, pause.reason.as_deref(), now).await?, now).await
}

/// Resume a schedule
///
/// It fires from the first planned instant after now on; what was planned during the pause is let go (see backfill).
#[utoipa::path(
    post, path = "/v1/schedules/{name}/resume", tag = "schedules", operation_id = "resumeSchedule",
    params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 200, description = "It fires again", body = ScheduleView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn resume(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
) -> Result<Json<ScheduleView>, ApiError> {
    let now = state.clock.now();
    view(&state, state.store.resume_schedule(&name, now).await?, now).await
}

/// Run a schedule now
///
/// One more tick, whether it is paused, and whatever is under way.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/run", tag = "schedules", operation_id = "runSchedule",
    params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 202, description = "Its job is on its way", body = Asked),
        (status = 409, description = "It cannot be run here: its kind or its arguments are not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn run(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Asked>), ApiError> {
    let tick = asking(&state).run(&name).await.map_err(refused)?.ok_or_else(no_such)?;
    Ok((StatusCode::ACCEPTED, Json(tick.into())))
}

/// Fire for a span that has passed
///
/// One tick for each planned instant that has none, at most 1,000. Where the schedule lets no two jobs run at a time they
/// wait, one behind the other; what is planned goes before them, and while the schedule is paused none goes on.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/backfill", tag = "schedules", operation_id = "backfillSchedule",
    request_body = Span, params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 202, description = "Their jobs are on their way", body = BackfillView),
        (status = 409, description = "It cannot be run here: its kind or its arguments are not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The span makes no sense or holds too much", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn backfill(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
    Text(text): Text,
) -> Result<(StatusCode, Json<BackfillView>), ApiError> {
    let span: Span = parse(&text)?;
    let done = asking(&state).backfill(&name, span.from, span.until).await.map_err(refused)?.ok_or_else(no_such)?;
    let ticks = done.ticks.into_iter().map(Asked::from).collect();
    Ok((StatusCode::ACCEPTED, Json(BackfillView { ticks, present: done.present })))
}

/// Call off what waits
///
/// Every tick of the schedule that waits behind an earlier job: planned, caught up or backfilled. Jobs that are under way go
/// on.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/cancel-waiting", tag = "schedules", operation_id = "cancelWaitingTicks",
    params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 200, description = "How many ticks were called off", body = CalledOff),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel_waiting(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
) -> Result<Json<CalledOff>, ApiError> {
    let cancelled = state.store.cancel_waiting_ticks(&name, state.clock.now()).await?.ok_or_else(no_such)?;
    Ok(Json(CalledOff { schedule: name, cancelled }))
}

fn asking(state: &State) -> Asking<'_> {
    Asking {
        store: &state.store,
        broker: &*state.broker,
        registry: &state.registry,
        ids: &state.ids,
        now: state.clock.now(),
    }
}

fn refused(error: AskError) -> ApiError {
    match error {
        AskError::Store(error) => error.into(),
        AskError::Unreadable(why) => ApiError::conflict(format!("The schedule cannot be run here: {why}.")),
        AskError::Span(field, message) => ApiError::invalid(field, message),
    }
}

async fn view(state: &State, changed: Changed, now: Timestamp) -> Result<Json<ScheduleView>, ApiError> {
    match changed {
        Changed::Done { schedule, ended } => {
            ticks::tell_resumed(&state.notices, &schedule.name, ended.as_ref()).await;
            Ok(Json(ScheduleView::new(*schedule, now)))
        }
        Changed::Missing | Changed::OfConfig | Changed::Moved => Err(no_such()),
    }
}
