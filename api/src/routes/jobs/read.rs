//! `GET /v1/jobs/{id}` and `GET /v1/jobs`: what became of jobs.

use axum::Json;
use axum::extract::State as Shared;
use job::{JobId, JobState, Kind, QueueName};
use queue::{BrokerError, Cursor, Filter};

use super::view::{JobSummary, JobView};
use crate::auth::{Caller, JobsRead};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// Look at a job
///
/// State, arguments, failed attempts with their errors, times and result. Jobs that ended are kept for a while.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", operation_id = "getJob",
    params(("id" = String, Path, description = "The job's id, a UUID")),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = 404, description = "No such job, or it ended long ago", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<JobView>, ApiError> {
    params.end()?;
    view(&state, job_id(&id)?).await.map(Json)
}

/// List jobs
///
/// Newest first within a state. A page may be short although more follows.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", operation_id = "listJobs",
    params(
        ("state" = Option<String>, Query, description = "scheduled, available, running, completed, dead, cancelled or expired"),
        ("queue" = Option<String>, Query, description = "Only of this queue"),
        ("kind" = Option<String>, Query, description = "Only of this kind"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 unless said otherwise"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of jobs", body = List<JobSummary>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    mut params: Params,
) -> Result<Json<List<JobSummary>>, ApiError> {
    let filter = Filter {
        queue: params.parsed::<QueueName>("queue")?,
        state: params.parsed::<JobState>("state")?,
        kind: params.parsed::<Kind>("kind")?,
    };
    let (limit, cursor) = params.page()?;
    params.end()?;
    let page = state.broker.list(&filter, limit as usize, cursor.map(Cursor)).await.map_err(|e| match e {
        BrokerError::Invalid(_) => ApiError::invalid("cursor", "not a cursor that this list gave out"),
        other => other.into(),
    })?;
    let items = page.items.iter().map(JobSummary::from).collect();
    Ok(List::answer(items, page.next.map(|cursor| cursor.0)))
}

/// The id in a path: what is no id is no job.
pub(super) fn job_id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|e: job::id::InvalidId| ApiError::not_found(e.to_string()).field("id", e.to_string()))
}

/// The job, or 404.
pub(super) async fn view(state: &State, id: JobId) -> Result<JobView, ApiError> {
    let record = state.broker.get(id).await?.ok_or_else(|| no_such(id))?;
    Ok(JobView::of(record, &state.registry))
}

/// 404 for a job.
pub(super) fn no_such(id: JobId) -> ApiError {
    ApiError::not_found(format!("There is no job {id}; jobs that ended are kept for a while only."))
}
