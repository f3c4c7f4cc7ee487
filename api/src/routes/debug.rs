//! `GET /v1/debug/effects`: how often `debug.effect` ran under a key, and how often it took effect. A tool for showing
//! that nothing is lost and nothing done twice.

use axum::Json;
use axum::extract::State as Shared;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, JobsRead};
use crate::error::{ApiError, Problem};
use crate::query::Params;
use crate::state::State;

/// The longest key that is looked up, in bytes.
const LONGEST_KEY: usize = 1_024;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(effects))
}

/// What happened under a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct Effects {
    /// How often a job ran for it.
    runs: i64,
    /// How often it took effect: 0 or 1.
    effects: i64,
}

/// Look at the effects of `debug.effect`
///
/// Both are 0 for a key that nothing ran under.
#[utoipa::path(
    get, path = "/v1/debug/effects", tag = "debug", operation_id = "getEffects",
    params(("key" = String, Query, description = "The key given to `debug.effect`")),
    responses(
        (status = 200, description = "How often it ran, and took effect", body = Effects),
        (status = 422, description = "No key", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn effects(
    Shared(state): Shared<State>,
    _: Caller<JobsRead>,
    mut params: Params,
) -> Result<Json<Effects>, ApiError> {
    let key = params.text("key")?.ok_or_else(|| ApiError::invalid("key", "missing"))?;
    params.end()?;
    if key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
        return Err(ApiError::invalid("key", format!("1 to {LONGEST_KEY} bytes of visible text are expected")));
    }
    let (runs, effects) = state.store.get_effect(&key).await?.map_or((0, 0), |found| (found.runs, found.effects));
    Ok(Json(Effects { runs, effects }))
}
