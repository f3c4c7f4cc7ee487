//! `/api/v2/status`, `/api/v2/receivers`, `/-/healthy`, `/-/ready`.

use alerting::{Equal, GroupBy, Inhibition, Matcher, Route};
use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use job::duration;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use worker::alerts::AlertRules;

use super::look::AlertmanagerReceiver;
use super::query::Asked;
use crate::auth::{AlertsRead, Caller};
use crate::error::ApiError;
use crate::routes::health;
use crate::state::State;

/// What runs here, in Alertmanager's shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerState {
    /// `{"status":"disabled","peers":[]}`: all processes share one store.
    #[schema(value_type = Object)]
    cluster: Value,
    /// `original`: the routes and receivers in the form of Alertmanager's configuration (JSON, which is YAML too).
    #[schema(value_type = Object)]
    config: Value,
    /// When this process began.
    #[schema(value_type = String, format = DateTime)]
    uptime: Timestamp,
    /// `version`: ours.
    #[schema(value_type = Object)]
    version_info: Value,
}

/// What runs here, in Alertmanager's shape
#[utoipa::path(
    get, path = "/api/v2/status", tag = "alertmanager", operation_id = "getStatus",
    responses((status = 200, description = "Version, configuration, since when", body = AlertmanagerState))
)]
pub(super) async fn status(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
) -> Result<Json<AlertmanagerState>, ApiError> {
    let version = env!("CARGO_PKG_VERSION");
    Ok(Json(AlertmanagerState {
        cluster: json!({"status": "disabled", "peers": []}),
        config: json!({"original": configuration(state.alerts.rules()).to_string()}),
        uptime: state.began,
        version_info: json!({
            "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""
        }),
    }))
}

/// List receivers, in Alertmanager's shape
#[utoipa::path(
    get, path = "/api/v2/receivers", tag = "alertmanager", operation_id = "getReceivers",
    responses(
        (status = 200, description = "Their names", body = Vec<AlertmanagerReceiver>),
        (status = 400, description = "A parameter makes no sense", body = String),
    )
)]
pub(super) async fn receivers(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    asked: Asked,
) -> Result<Json<Vec<AlertmanagerReceiver>>, ApiError> {
    let wanted = asked.receivers()?;
    let names = state.alerts.rules().receivers.keys().filter(|name| wanted.wants(name)).cloned();
    Ok(Json(names.map(|name| AlertmanagerReceiver { name }).collect()))
}

/// Whether the process lives, where Alertmanager tells it
#[utoipa::path(
    get, path = "/-/healthy", tag = "alertmanager", operation_id = "alertmanagerHealthy", security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthy() -> &'static str {
    "OK"
}

/// Whether the process can take alerts, where Alertmanager tells it
#[utoipa::path(
    get, path = "/-/ready", tag = "alertmanager", operation_id = "alertmanagerReady", security(()),
    responses(
        (status = 200, description = "Ready", body = String, content_type = "text/plain"),
        (status = 503, description = "What is down", body = String),
    )
)]
pub(super) async fn ready(Shared(state): Shared<State>) -> Result<&'static str, ApiError> {
    health::check_all(&state).await.map(|()| "OK")
}

/// The rules in the form of Alertmanager's configuration. Receivers have their names only: how people are reached is ours.
fn configuration(rules: &AlertRules) -> Value {
    json!({
        "route": rules.routes.all().first().map(|root| route(root)),
        "receivers": rules.receivers.keys().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "inhibit_rules": rules.inhibitions.iter().map(inhibition).collect::<Vec<_>>(),
    })
}

fn route(node: &Route) -> Value {
    let mut value = json!({
        "receiver": node.receiver,
        "group_by": match &node.group_by {
            GroupBy::All => vec!["..."],
            GroupBy::Labels(names) => names.iter().map(String::as_str).collect(),
        },
        "group_wait": duration::format(node.timing.group_wait),
        "group_interval": duration::format(node.timing.group_interval),
        "repeat_interval": duration::format(node.timing.repeat_interval),
    });
    // Alertmanager refuses both at its root, even empty.
    if !node.matchers.is_empty() {
        value["matchers"] = texts(&node.matchers);
    }
    if node.goes_on() {
        value["continue"] = true.into();
    }
    if !node.children().is_empty() {
        value["routes"] = node.children().iter().map(route).collect();
    }
    value
}

fn inhibition(rule: &Inhibition) -> Value {
    let mut value = json!({"source_matchers": texts(&rule.source), "target_matchers": texts(&rule.target)});
    // It has no word for "all but the severity".
    if let Equal::Labels(names) = &rule.equal {
        value["equal"] = names.iter().map(String::as_str).collect();
    }
    value
}

fn texts(matchers: &[Matcher]) -> Value {
    matchers.iter().map(ToString::to_string).collect()
}
