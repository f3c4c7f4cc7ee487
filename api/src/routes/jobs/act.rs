//! `POST /v1/jobs/{id}/cancel` and `/retry`: an operator's hands on one job.

use axum::Json;
use axum::extract::State as Shared;
use queue::{Cancelled, Redriven};

use super::read::{job_id, no_such, view};
use super::view::JobView;
use crate::auth::{Caller, JobsWrite};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// Cancel a job
///
/// A waiting job is cancelled at once. A running one is asked to stop, within a second: `cancel_requested` is true.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "cancelJob",
    params(("id" = String, Path, description = "The job's id, a UUID")),
    responses(
        (status = 200, description = "Cancelled, or asked to stop", body = JobView),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    Shared(state): Shared<State>,
    _: Caller<JobsWrite>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, ApiError> {
    let id = job_id(&id)?;
    match state.broker.cancel(id).await? {
        Cancelled::Now | Cancelled::Requested => view(&state, id).await.map(Json),
        Cancelled::Ended(ended) => Err(ApiError::conflict(format!("The job has ended already: it is {ended}."))),
        Cancelled::NotFound => Err(no_such(id)),
    }
}

/// Try a job again
///
/// For a job that is dead, cancelled or expired: it is available again, its attempts counted from 0.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs", operation_id = "retryJob",
    params(("id" = String, Path, description = "The job's id, a UUID")),
    responses(
        (status = 200, description = "Available again", body = JobView),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in a state that cannot be tried again, or its unique key is taken", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn retry(
    Shared(state): Shared<State>,
    _: Caller<JobsWrite>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, ApiError> {
    let id = job_id(&id)?;
    match state.broker.redrive(id).await? {
        Redriven::Now => view(&state, id).await.map(Json),
        Redriven::WrongState(now) => Err(ApiError::conflict(format!(
            "The job is {now}; only one that is dead, cancelled or expired can be tried again."
        ))),
        Redriven::KeyHeld(other) => {
            Err(ApiError::conflict(format!("Its unique key is held by job {other}.")).field("unique_key", "taken"))
        }
        Redriven::NotFound => Err(no_such(id)),
    }
}
