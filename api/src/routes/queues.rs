//! `/v1/queues`: how full they are, and stopping and starting them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use job::{JobState, QueueName};
use queue::QueueStats;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, JobsRead, Operate};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(pause)).routes(routes!(resume))
}

/// A queue at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueView {
    /// Its name.
    #[schema(example = "emails")]
    name: String,
    /// Whether leasing is paused.
    paused: bool,
    /// How many jobs are in each state.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({
        "scheduled": 2, "available": 0, "running": 1, "completed": 40, "dead": 0, "cancelled": 0, "expired": 0}))]
    counts: BTreeMap<&'static str, u64>,
    /// For how many seconds the oldest available job has been due; null if none is.
    oldest_age_seconds: Option<f64>,
}

impl From<&QueueStats> for QueueView {
    fn from(stats: &QueueStats) -> Self {
        Self {
            name: stats.queue.to_string(),
            paused: stats.paused,
            counts: JobState::ALL.iter().map(|state| (state.as_str(), stats.count(*state))).collect(),
            oldest_age_seconds: stats.oldest.map(|age| age.as_secs_f64()),
        }
    }
}

/// List the queues
///
/// Counts by state, the age of the oldest job that is due, and whether the queue is paused.
#[utoipa::path(
    get, path = "/v1/queues", tag = "queues", operation_id = "listQueues",
    responses((status = 200, description = "All queues, by name", body = List<QueueView>))
)]
async fn list(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    params: Params,
) -> Result<Json<List<QueueView>>, ApiError> {
    params.end()?;
    Ok(List::answer(views(&state).await?, None))
}

/// Pause a queue
///
/// No further job of it is started; those that run go on. Jobs can still be enqueued.
#[utoipa::path(
    post, path = "/v1/queues/{name}/pause", tag = "queues", operation_id = "pauseQueue",
    params(("name" = String, Path, description = "The queue's name")),
    responses(
        (status = 200, description = "Paused", body = QueueView),
        (status = 404, description = "No such queue", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn pause(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
) -> Result<Json<QueueView>, ApiError> {
    let queue = known(&state, &name).await?;
    state.broker.pause(&queue).await?;
    view(&state, &queue).await
}

/// Resume a queue
#[utoipa::path(
    post, path = "/v1/queues/{name}/resume", tag = "queues", operation_id = "resumeQueue",
    params(("name" = String, Path, description = "The queue's name")),
    responses(
        (status = 200, description = "Its jobs are started again", body = QueueView),
        (status = 404, description = "No such queue", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn resume(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(name): Path<String>,
) -> Result<Json<QueueView>, ApiError> {
    let queue = known(&state, &name).await?;
    state.broker.resume(&queue).await?;
    view(&state, &queue).await
}

/// What the queue backend knows, and the configured queues that nothing was enqueued to yet.
async fn views(state: &State) -> Result<Vec<QueueView>, ApiError> {
    let stats = state.broker.stats().await?;
    let mut views: Vec<QueueView> = stats.iter().map(QueueView::from).collect();
    for queue in &state.settings.queues {
        if !stats.iter().any(|s| s.queue == *queue) {
            views.push(QueueView::from(&QueueStats {
                queue: queue.clone(),
                counts: [0; 7],
                oldest: None,
                paused: false,
            }));
        }
    }
    views.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(views)
}

async fn known(state: &State, name: &str) -> Result<QueueName, ApiError> {
    let no_such = || ApiError::not_found("There is no queue of this name.");
    let queue = QueueName::new(name).map_err(|_| no_such())?;
    let exists =
        state.settings.queues.contains(&queue) || state.broker.stats().await?.iter().any(|stats| stats.queue == queue);
    if exists { Ok(queue) } else { Err(no_such()) }
}

async fn view(state: &State, queue: &QueueName) -> Result<Json<QueueView>, ApiError> {
    let view = views(state).await?.into_iter().find(|view| view.name == queue.as_str());
    view.map(Json).ok_or_else(|| ApiError::not_found("There is no queue of this name."))
}
