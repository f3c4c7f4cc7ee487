//! `/metrics`: all figures of this process, and how full the queues are at this moment.

use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::header;
use axum::response::IntoResponse;
use job::JobState;
use queue::QueueStats;
use telemetry::metrics::{Meters, MetricsHandle, QueueState};
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// How long the queue may take to answer; then the figures come without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The route.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(render))
}

/// The figures of this process
///
/// In the Prometheus text format. Outside `postrider dev` on a listener of their own.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics", security(()),
    responses((status = 200, description = "Prometheus text format 0.0.4", body = String, content_type = "text/plain"))
)]
async fn render(Shared(state): Shared<State>) -> impl IntoResponse {
    match timeout(PATIENCE, state.broker.stats()).await {
        Ok(Ok(stats)) => stats.iter().for_each(|queue| set(&state.meters, queue)),
        // That the queue is away is told where it is noticed first, and at /readyz; here it would be told at every scrape.
        Ok(Err(error)) => tracing::debug!(%error, "the figures come without the queues"),
        Err(_) => tracing::debug!("the figures come without the queues: no answer in time"),
    }
    ([(header::CONTENT_TYPE, MetricsHandle::CONTENT_TYPE)], (state.metrics)())
}

fn set(meters: &Meters, stats: &QueueStats) {
    let meter = meters.queue(stats.queue.as_str());
    for state in JobState::ALL {
        meter.depth(label(state), stats.count(state));
    }
    meter.oldest(stats.oldest.unwrap_or_default());
    meter.paused(stats.paused);
}

fn label(state: JobState) -> QueueState {
    match state {
        JobState::Scheduled => QueueState::Scheduled,
        JobState::Available => QueueState::Available,
        JobState::Running => QueueState::Running,
        JobState::Completed => QueueState::Completed,
        JobState::Dead => QueueState::Dead,
        JobState::Cancelled => QueueState::Cancelled,
        JobState::Expired => QueueState::Expired,
    }
}
