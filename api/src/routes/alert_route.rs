//! `POST /v1/alerts/route`: who would be told of an alert, when and how, and what mutes it. Nothing happens.

use std::collections::BTreeMap;

use alerting::{Inhibitor, Labels, Preview, Severity, Silence};
use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use worker::alerts::{AlertRules, inhibitor};

use crate::auth::{AlertsRead, Caller};
use crate::body::{Text, parse};
use crate::error::{ApiError, Problem};
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(route))
}

/// An alert that might be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteQuestion {
    /// Its labels, with `severity` and `type` (or `alertname`).
    #[schema(value_type = BTreeMap<String, String>, example = json!({"severity": "critical", "type": "db.down"}))]
    labels: Labels,
    /// When it begins; now unless said otherwise.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// How a receiver is told: by all of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ways {
    /// A mail to each of these.
    pub email: Vec<String>,
    /// A signed POST.
    pub webhook: bool,
    /// A message as Slack takes it.
    pub slack: bool,
}

/// What would become of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RouteView {
    /// Whether nobody would be told.
    pub muted: bool,
    /// Labels, the time, who is told (route, receiver, group, times, escalation), what silences and what explains it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub preview: Preview,
    /// How those are reached that are named in it.
    pub receivers: BTreeMap<String, Ways>,
}

impl RouteView {
    /// Looks at an alert with `labels` that begins at `at`.
    #[must_use]
    pub fn of(
        rules: &AlertRules,
        inhibitor: &Inhibitor<'_>,
        silences: &[Silence],
        labels: &Labels,
        at: Timestamp,
    ) -> Self {
        let kind = labels.get("alertname").or_else(|| labels.get("type")).unwrap_or("alert");
        let severity = Severity::of_label(labels.get("severity").unwrap_or_default());
        let subject = alerting::subject(kind, severity, labels);
        let preview = Preview::of(&rules.routes, inhibitor, silences, subject, at);
        let named = preview
            .told
            .iter()
            .flat_map(|told| std::iter::once(&told.receiver).chain(told.escalation.iter().map(|step| &step.receiver)));
        let receivers = named.filter_map(|name| Some((name.clone(), ways(rules, name)?))).collect();
        Self { muted: preview.is_muted(), preview, receivers }
    }
}

fn ways(rules: &AlertRules, name: &str) -> Option<Ways> {
    rules.receiver(name).map(|receiver| Ways {
        email: receiver.emails.clone(),
        webhook: receiver.webhook.is_some(),
        slack: receiver.slack.is_some(),
    })
}

/// Try the routes
///
/// Says who would be told of an alert with these labels, when and how, and what mutes it. Nothing happens.
#[utoipa::path(
    post, path = "/v1/alerts/route", tag = "alerts", operation_id = "routeAlert",
    request_body = RouteQuestion,
    responses(
        (status = 200, description = "What would become of it", body = RouteView),
        (status = 422, description = "A label makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn route(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    Text(text): Text,
) -> Result<Json<RouteView>, ApiError> {
    let question: RouteQuestion = parse(&text)?;
    let at = question.at.unwrap_or_else(|| state.clock.now());
    let rules = state.alerts.rules();
    let inhibitor = inhibitor(&state.store, rules).await?;
    let silences = state.store.active_silences(at).await?;
    Ok(Json(RouteView::of(rules, &inhibitor, &silences, &question.labels, at)))
}
