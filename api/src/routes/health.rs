//! `/healthz`: the process answers. `/readyz`: it can do its work, or what is down.

use std::fmt::Display;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Shared;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{ApiError, Problem};
use crate::state::State;

/// How long a dependency may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// Alive, or ready.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "live", security(()),
    responses((status = 200, description = "It does", body = Health))
)]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the process can take work
///
/// Asks the queue, the store, and whether the store's schema is the one this release needs.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "ready", security(()),
    responses(
        (status = 200, description = "Ready", body = Health),
        (status = 503, description = "`errors` names what is down: queue, store, migrations", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn ready(Shared(state): Shared<State>) -> Result<Json<Health>, ApiError> {
    check_all(&state).await.map(|()| Json(Health { status: "ready" }))
}

/// Asks everything that is needed; 503 names what is down.
pub(crate) async fn check_all(state: &State) -> Result<(), ApiError> {
    let (queue, store, migrations) = tokio::join!(check(state.broker.ping()), check(state.store.ping()), schema(state));
    let down: Vec<(&str, String)> = [("queue", queue), ("store", store), ("migrations", migrations)]
        .into_iter()
        .filter_map(|(what, found)| found.err().map(|why| (what, why)))
        .collect();
    let names: Vec<&str> = down.iter().map(|(what, _)| *what).collect();
    tell(state, &names);
    if down.is_empty() {
        return Ok(());
    }
    let refusal = ApiError::unavailable(format!("Down: {}.", names.join(", ")));
    Err(down.into_iter().fold(refusal, |refusal, (what, why)| refusal.field(what, why)))
}

/// One line when something goes down and one when it is up again, however often is asked meanwhile.
fn tell(state: &State, down: &[&'static str]) {
    let mut told = state.told_down.lock().unwrap_or_else(PoisonError::into_inner);
    if *told != down {
        match down {
            [] => tracing::info!("ready again"),
            _ => tracing::warn!(down = down.join(","), "not ready"),
        }
        *told = down.to_vec();
    }
}

/// Anybody may ask `/readyz`: it says what is down, and leaves addresses and causes to the log.
async fn check<E: Display>(asked: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match timeout(PATIENCE, asked).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a dependency is down");
            Err("away".to_owned())
        }
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// A schema that was found current stays so: it is asked for until then.
async fn schema(state: &State) -> Result<(), String> {
    if state.schema_is_current.load(Ordering::Relaxed) {
        return Ok(());
    }
    match timeout(PATIENCE, state.store.migration_status()).await {
        Ok(Ok(status)) if status.is_current() => {
            state.schema_is_current.store(true, Ordering::Relaxed);
            Ok(())
        }
        Ok(Ok(status)) => Err(format!("{} to be applied: run `postrider migrate`", status.pending.len())),
        Ok(Err(_)) => Err("not known while the store is away".to_owned()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
