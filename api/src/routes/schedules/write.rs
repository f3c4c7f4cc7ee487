//! Making, changing and deleting schedules. Those of the configuration are changed there: 409.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use job::FieldError;
use store::{Changed, Origin, ScheduleSpec};
use worker::schedule::{Draft, check_name, outlasting};
use worker::ticks;

use super::request::{NewSchedule, ScheduleChange};
use super::view::ScheduleView;
use super::{no_such, of_config};
use crate::auth::{Caller, Operate};
use crate::body::{Text, parse};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// How often a change is tried that somebody else comes before.
const TRIES: usize = 3;

/// Make a schedule
///
/// It fires from the first planned instant after now on.
#[utoipa::path(
    post, path = "/v1/schedules", tag = "schedules", operation_id = "createSchedule", request_body = NewSchedule,
    responses(
        (status = 201, description = "Made", body = ScheduleView),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Unknown kind, bad cron expression, no such zone …", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Text(text): Text,
) -> Result<(StatusCode, Json<ScheduleView>), ApiError> {
    let new: NewSchedule = parse(&text)?;
    let name = new.name.clone();
    let mut wrong: Vec<FieldError> = check_name(&name).err().into_iter().collect();
    let spec = match checked(&state, &new.draft()) {
        Ok(spec) if wrong.is_empty() => spec,
        checked => {
            wrong.extend(checked.err().unwrap_or_default());
            return Err(ApiError::invalid_fields(wrong));
        }
    };
    let now = state.clock.now();
    match state.store.create_schedule(&name, &spec, now).await? {
        Some(made) => Ok((StatusCode::CREATED, Json(ScheduleView::new(made, now)))),
        None => Err(ApiError::conflict("There is a schedule of this name.").field("name", "taken")),
    }
}

/// Change a schedule
///
/// What is absent stays. With another expression or zone, instants that were planned before and have not fired are let go;
/// failures count from 0.
#[utoipa::path(
    patch, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "changeSchedule",
    request_body = ScheduleChange, params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 200, description = "As it is now", body = ScheduleView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The configuration defines it", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "What it would become makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
    Text(text): Text,
) -> Result<Json<ScheduleView>, ApiError> {
    let change: ScheduleChange = parse(&text)?;
    for _ in 0..TRIES {
        let found = state.store.get_schedule(&name).await?.ok_or_else(no_such)?;
        if found.origin == Origin::Config {
            return Err(of_config());
        }
        let draft = change.clone().over(&found.spec);
        let spec = checked(&state, &draft).map_err(ApiError::invalid_fields)?;
        let now = state.clock.now();
        match state.store.change_schedule(&name, found.revision, &spec, now).await? {
            Changed::Done { schedule, ended } => {
                ticks::tell_resumed(&state.notices, &name, ended.as_ref()).await;
                return Ok(Json(ScheduleView::new(*schedule, now)));
            }
            Changed::Missing => return Err(no_such()),
            Changed::OfConfig => return Err(of_config()),
            Changed::Moved => {}
        }
    }
    Err(ApiError::conflict("Others keep changing this schedule."))
}

fn checked(state: &State, draft: &Draft) -> Result<ScheduleSpec, Vec<FieldError>> {
    let spec = draft.check(&state.registry, &state.settings.queues)?;
    outlasting(spec, state.bookings.reconcile_window)
}

/// Delete a schedule
///
/// Jobs that are under way go on; ticks that wait are called off; the history stays.
#[utoipa::path(
    delete, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "deleteSchedule",
    params(("name" = String, Path, description = "The schedule's name")),
    responses(
        (status = 200, description = "As it was", body = ScheduleView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The configuration defines it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
) -> Result<Json<ScheduleView>, ApiError> {
    let now = state.clock.now();
    match state.store.delete_schedule(&name, now).await? {
        Changed::Done { schedule, ended } => {
            ticks::tell_resumed(&state.notices, &name, ended.as_ref()).await;
            Ok(Json(ScheduleView::new(*schedule, now)))
        }
        Changed::Missing | Changed::Moved => Err(no_such()),
        Changed::OfConfig => Err(of_config()),
    }
}
