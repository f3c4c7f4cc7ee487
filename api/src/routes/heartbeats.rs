//! `/v1/heartbeats`: what has to report regularly, and whether it does. The command line shows the same.

use std::time::Duration;

use alerting::Severity;
use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Heartbeat, HeartbeatState, Origin};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use worker::heartbeats::{Definition, Desk, Refused};

use crate::auth::{AlertsRead, AlertsWrite, Caller};
use crate::body::{OptionalText, parse};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(beat, show, remove))
}

/// What a heartbeat has to keep to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// How often it has to beat, 10 s to 366 days. Needed with the first beat of one that nobody has defined.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "24h")]
    period: Option<Duration>,
    /// How much later it may be; without it a tenth of the period, at least 30 s.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "1h")]
    grace: Option<Duration>,
    /// How much it matters when it is late: info, warning or critical (without it).
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "critical")]
    severity: Option<Severity>,
}

/// A heartbeat.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeartbeatView {
    /// Its name.
    #[schema(example = "nightly-backup")]
    pub name: String,
    /// Who defines it: `config` or `api`.
    #[schema(value_type = String, example = "api")]
    pub origin: Origin,
    /// `ok` or `late`.
    #[schema(value_type = String, example = "ok")]
    pub state: HeartbeatState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// How often it has to beat.
    #[schema(example = "24h")]
    pub period: String,
    /// How much later it may be.
    #[schema(example = "1h")]
    pub grace: String,
    /// How much it matters when it is late.
    #[schema(value_type = String, example = "critical")]
    pub severity: Severity,
    /// How often it has beaten.
    pub beats: i64,
    /// When it last did; null: never yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_beat_at: Option<Timestamp>,
    /// From here on it is late.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
}

impl From<Heartbeat> for HeartbeatView {
    fn from(heartbeat: Heartbeat) -> Self {
        Self {
            name: heartbeat.name,
            origin: heartbeat.origin,
            state: heartbeat.state,
            since: heartbeat.since,
            period: job::duration::format(heartbeat.period),
            grace: job::duration::format(heartbeat.grace),
            severity: heartbeat.severity,
            beats: heartbeat.beats,
            last_beat_at: heartbeat.last_beat_at,
            due_at: heartbeat.due_at,
        }
    }
}

/// Beat
///
/// Says that a check has run. The first beat of one that nobody has defined brings its `period`; a later one may change it.
/// One that stays away for longer than its period and grace raises an incident, which the next beat ends.
#[utoipa::path(
    post, path = "/v1/heartbeats/{name}", tag = "alerts", operation_id = "beat", request_body = Option<Beat>,
    params(("name" = String, Path, description = "1 to 64 of a-z, 0-9, `.`, `_` and `-`")),
    responses(
        (status = 200, description = "It is noted", body = HeartbeatView),
        (status = 404, description = "Nobody has defined it, and the body has no period", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The configuration defines it", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The name or the body makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn beat(
    Shared(state): Shared<State>,
    _: Caller<AlertsWrite>,
    Path(name): Path<String>,
    OptionalText(text): OptionalText,
) -> Result<Json<HeartbeatView>, ApiError> {
    let beat: Beat = text.as_deref().map(parse).transpose()?.unwrap_or_default();
    let given = match beat.period {
        Some(period) => Some(Definition::new(period, beat.grace, beat.severity).map_err(ApiError::invalid_fields)?),
        None if beat.grace.is_some() || beat.severity.is_some() => {
            return Err(ApiError::invalid("period", "is needed with grace and severity"));
        }
        None => None,
    };
    let beaten = desk(&state).beat(&name, given, state.clock.now()).await.map_err(refused)?;
    Ok(Json(beaten.into()))
}

/// List the heartbeats
#[utoipa::path(
    get, path = "/v1/heartbeats", tag = "alerts", operation_id = "listHeartbeats",
    params(
        ("state" = Option<String>, Query, description = "ok or late"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "By name", body = List<HeartbeatView>))
)]
async fn list(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    mut params: Params,
) -> Result<Json<List<HeartbeatView>>, ApiError> {
    let (limit, cursor) = params.page()?;
    let wanted: Option<HeartbeatState> = params.parsed("state")?;
    params.end()?;
    let page = state.store.list_heartbeats(wanted, limit, cursor.as_deref()).await?;
    Ok(List::answer(page.items.into_iter().map(HeartbeatView::from).collect(), page.next_cursor))
}

/// Show a heartbeat
#[utoipa::path(
    get, path = "/v1/heartbeats/{name}", tag = "alerts", operation_id = "getHeartbeat",
    params(("name" = String, Path, description = "The heartbeat's name")),
    responses(
        (status = 200, description = "The heartbeat", body = HeartbeatView),
        (status = 404, description = "No such heartbeat", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    Path(name): Path<String>,
) -> Result<Json<HeartbeatView>, ApiError> {
    let found = state.store.get_heartbeat(&name).await?.ok_or_else(|| refused(Refused::Unknown))?;
    Ok(Json(found.into()))
}

/// Remove a heartbeat
///
/// Its incident, if it is late, ends within seconds.
#[utoipa::path(
    delete, path = "/v1/heartbeats/{name}", tag = "alerts", operation_id = "removeHeartbeat",
    params(("name" = String, Path, description = "The heartbeat's name")),
    responses(
        (status = 200, description = "As it was", body = HeartbeatView),
        (status = 404, description = "No such heartbeat", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The configuration defines it", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn remove(
    Shared(state): Shared<State>,
    _: Caller<AlertsWrite>,
    Path(name): Path<String>,
) -> Result<Json<HeartbeatView>, ApiError> {
    let removed = desk(&state).remove(&name, state.clock.now()).await.map_err(refused)?;
    Ok(Json(removed.into()))
}

fn desk(state: &State) -> Desk<'_> {
    Desk { store: &state.store, rules: &state.heartbeats }
}

fn refused(error: Refused) -> ApiError {
    match error {
        Refused::Store(error) => error.into(),
        Refused::Unknown => ApiError::not_found(
            "There is no heartbeat of this name. Its first beat defines it: a body with its period, {\"period\":\"24h\"}.",
        ),
        Refused::Name(error) => ApiError::invalid(error.field, error.message),
        refused @ (Refused::OfConfig | Refused::TooMany) => ApiError::conflict(format!("{refused}.")),
    }
}
