//! `GET /api/v2/alerts/groups`: what goes on, as it is told together.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use serde::Serialize;
use utoipa::ToSchema;

use super::look::{AlertmanagerAlert, AlertmanagerReceiver, Look};
use super::query::Asked;
use crate::auth::{AlertsRead, Caller};
use crate::error::ApiError;
use crate::state::State;

/// Alerts that one receiver is told of together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerGroup {
    /// The alerts.
    alerts: Vec<AlertmanagerAlert>,
    /// What they have in common.
    labels: BTreeMap<String, String>,
    /// Who is told.
    receiver: AlertmanagerReceiver,
    /// Always empty: routes have no labels.
    route_labels: BTreeMap<String, String>,
}

/// List alerts by group, in Alertmanager's shape
#[utoipa::path(
    get, path = "/api/v2/alerts/groups", tag = "alertmanager", operation_id = "getAlertGroups",
    params(
        ("active" = Option<bool>, Query, description = "false: only what is silenced or inhibited"),
        ("silenced" = Option<bool>, Query, description = "false: without what is silenced"),
        ("inhibited" = Option<bool>, Query, description = "false: without what is inhibited"),
        ("muted" = Option<bool>, Query, description = "false: without groups of which everything is silenced or inhibited"),
        ("filter" = Option<Vec<String>>, Query, description = "Matchers; may be repeated"),
        ("receiver" = Option<String>, Query, description = "Only groups that these are told of; a regular expression"),
    ),
    responses(
        (status = 200, description = "The groups", body = Vec<AlertmanagerGroup>),
        (status = 400, description = "A parameter makes no sense", body = String),
    )
)]
pub(super) async fn list(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    asked: Asked,
) -> Result<Json<Vec<AlertmanagerGroup>>, ApiError> {
    let (receivers, muted) = (asked.receivers()?, asked.switch("muted")?);
    let rules = state.alerts.rules();
    let mut groups = BTreeMap::new();
    let mut look = Look::begin(&state, &asked).await?;
    while let Some(page) = look.next().await? {
        for seen in page {
            for route in rules.routes.resolve(&seen.subject) {
                if receivers.wants(&route.receiver) {
                    let key = (route.group(&seen.subject), route.receiver.clone(), route.key.clone());
                    groups.entry(key).or_insert_with(Vec::new).push(seen.alert.clone());
                }
            }
        }
    }
    let shown = groups.into_iter().map(|((labels, name, _), alerts)| AlertmanagerGroup {
        alerts,
        labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        receiver: AlertmanagerReceiver { name },
        route_labels: BTreeMap::new(),
    });
    Ok(Json(shown.filter(|group| muted || group.alerts.iter().any(|alert| alert.status.state == "active")).collect()))
}
