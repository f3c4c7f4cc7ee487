//! `GET /api/v2/alerts`: what goes on.

use axum::Json;
use axum::extract::State as Shared;

use super::look::{AlertmanagerAlert, Look};
use super::query::Asked;
use crate::auth::{AlertsRead, Caller};
use crate::error::ApiError;
use crate::state::State;

/// List alerts, in Alertmanager's shape
///
/// Incidents that are open, acknowledged ones too.
#[utoipa::path(
    get, path = "/api/v2/alerts", tag = "alertmanager", operation_id = "getAlerts",
    params(
        ("active" = Option<bool>, Query, description = "false: only what is silenced or inhibited"),
        ("silenced" = Option<bool>, Query, description = "false: without what is silenced"),
        ("inhibited" = Option<bool>, Query, description = "false: without what is inhibited"),
        ("filter" = Option<Vec<String>>, Query, description = "Matchers; may be repeated"),
        ("receiver" = Option<String>, Query, description = "Only what these are told of; a regular expression"),
    ),
    responses(
        (status = 200, description = "The alerts", body = Vec<AlertmanagerAlert>),
        (status = 400, description = "A parameter makes no sense", body = String),
    )
)]
pub(super) async fn list(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    asked: Asked,
) -> Result<Json<Vec<AlertmanagerAlert>>, ApiError> {
    let receivers = asked.receivers()?;
    let (mut look, mut shown) = (Look::begin(&state, &asked).await?, Vec::new());
    while let Some(page) = look.next().await? {
        let alerts = page.into_iter().map(|seen| seen.alert);
        shown.extend(alerts.filter(|alert| alert.receivers.iter().any(|r| receivers.wants(&r.name))));
    }
    Ok(Json(shown))
}
