//! `POST /v1/alerts`: one alert, or a list of them, all or none.

use alerting::{Alert, Details, Labels, Severity, State as AlertState};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use job::FieldError;
use serde::{Deserialize, Serialize};
use store::IncidentState;
use utoipa::ToSchema;
use uuid::Uuid;
use worker::alerts::Accepted;

use crate::auth::{AlertsWrite, Caller};
use crate::body::{BatchText, parse, parse_list};
use crate::error::{ApiError, Problem};
use crate::state::State;

/// The most alerts of one call.
const MOST: usize = 1_000;

/// Something that is wrong, or is over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAlert {
    /// What kind of thing it is; with the labels it says which incident it is about. 1 to 200 bytes on one line.
    #[schema(example = "db.connections")]
    r#type: String,
    /// info, warning or critical; needed while it fires.
    #[schema(value_type = Option<String>, example = "critical")]
    severity: Option<Severity>,
    /// In one line, up to 300 bytes; needed while it fires.
    #[schema(example = "The database takes no connections")]
    title: Option<String>,
    /// In more words, up to 16 KiB.
    #[serde(default)]
    message: String,
    /// What it is about, up to 64: names as Prometheus has them, values up to 1 KiB without control characters.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"service": "search"}))]
    labels: Labels,
    /// What else is known, up to 16 KiB of JSON; a `runbook_url` is linked in mails.
    #[serde(default)]
    #[schema(value_type = Object)]
    details: Details,
    /// firing (unless said) or resolved.
    #[schema(value_type = Option<String>, example = "firing")]
    state: Option<AlertState>,
    /// When it began; now unless said.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// When it ended, or will have ended unless it is repeated. Without it `alerts.resolve_timeout` counts.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
}

impl NewAlert {
    fn alert(self, now: Timestamp) -> Result<Alert, Vec<FieldError>> {
        let state = self.state.unwrap_or(AlertState::Firing);
        let mut wrong = Vec::new();
        if state == AlertState::Firing {
            let needed = [("severity", self.severity.is_none()), ("title", self.title.is_none())];
            let missing = needed.into_iter().filter(|(_, missing)| *missing);
            wrong.extend(missing.map(|(field, _)| FieldError::new(field, "needed while it fires")));
        }
        let alert = Alert {
            severity: self.severity.unwrap_or(Severity::Warning),
            // Of what is over only the type and the labels count.
            title: self.title.unwrap_or_else(|| self.r#type.chars().take(100).collect()),
            kind: self.r#type,
            message: self.message,
            labels: self.labels,
            details: self.details,
            state,
            // Of an end alone nobody knows when it began.
            starts_at: self.starts_at.unwrap_or_else(|| match (state, self.ends_at) {
                (AlertState::Resolved, Some(end)) => end.min(now),
                _ => now,
            }),
            ends_at: self.ends_at,
        };
        if let Err(invalid) = alert.validate(now) {
            wrong.extend(invalid.into_iter().map(|one| FieldError::new(one.field, one.message)));
        }
        if wrong.is_empty() { Ok(alert) } else { Err(wrong) }
    }
}

/// What became of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedView {
    /// Its incident; null where there was nothing to resolve.
    #[schema(value_type = Option<String>, format = Uuid)]
    incident_id: Option<Uuid>,
    /// Which alerts belong to the same incident.
    fingerprint: String,
    /// opened, reopened, counted, resolved or nothing_to_resolve.
    #[schema(example = "opened")]
    outcome: &'static str,
    /// Where the incident stands.
    #[schema(value_type = Option<String>, example = "open")]
    state: Option<IncidentState>,
    /// Alerts that were counted on it.
    alerts: i64,
}

impl From<Accepted> for AcceptedView {
    fn from(accepted: Accepted) -> Self {
        Self {
            incident_id: accepted.incident,
            fingerprint: accepted.fingerprint.to_string(),
            outcome: accepted.outcome.as_str(),
            state: accepted.state,
            alerts: accepted.alerts,
        }
    }
}

/// The answer to a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedList {
    /// What became of each, in their order.
    results: Vec<AcceptedView>,
}

/// One or many.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Answer {
    /// To one alert.
    One(AcceptedView),
    /// To a list.
    Many(AcceptedList),
}

/// Tell of what is wrong
///
/// The body is one alert, or a list of up to 1,000, which are taken all or none. Those with the same type and labels count on
/// one incident. Who is told, and when, is a matter of the routes (`[alerts]`). `resolved` where nothing fires is no error.
#[utoipa::path(
    post, path = "/v1/alerts", tag = "alerts", operation_id = "acceptAlerts", request_body = NewAlert,
    responses(
        (status = 202, description = "Counted", body = Answer),
        (status = 413, description = "More than `api.batch_body_limit`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields that make no sense; nothing was counted", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn accept(
    Shared(state): Shared<State>,
    _: Caller<AlertsWrite>,
    BatchText(text): BatchText,
) -> Result<(StatusCode, Json<Answer>), ApiError> {
    let now = state.clock.now();
    if !text.trim_start().starts_with('[') {
        let alert = parse::<NewAlert>(&text)?.alert(now).map_err(ApiError::invalid_fields)?;
        let accepted = state.alerts.accept(&[alert], now).await?.pop();
        let accepted = accepted.ok_or_else(|| ApiError::internal("an alert had no answer"))?;
        state.meters.alert(accepted.outcome.as_str());
        return Ok((StatusCode::ACCEPTED, Json(Answer::One(accepted.into()))));
    }
    let items = parse_list(&text)?;
    if items.is_empty() || items.len() > MOST {
        return Err(ApiError::invalid("body", format!("1 to {MOST} alerts are expected, not {}", items.len())));
    }
    let (mut alerts, mut wrong) = (Vec::with_capacity(items.len()), Vec::new());
    for (n, item) in items.into_iter().enumerate() {
        match parse::<NewAlert>(item.get()).map(|new| new.alert(now)) {
            Ok(Ok(alert)) => alerts.push(alert),
            Ok(Err(fields)) => wrong.extend(
                fields.into_iter().map(|field| FieldError::new(format!("[{n}].{}", field.field), field.message)),
            ),
            Err(error) => return Err(error.within(&format!("[{n}]"))),
        }
        if wrong.len() >= 100 {
            break;
        }
    }
    if !wrong.is_empty() {
        return Err(ApiError::invalid_fields(wrong));
    }
    let accepted = state.alerts.accept(&alerts, now).await?;
    accepted.iter().for_each(|one| state.meters.alert(one.outcome.as_str()));
    let results = accepted.into_iter().map(AcceptedView::from).collect();
    Ok((StatusCode::ACCEPTED, Json(Answer::Many(AcceptedList { results }))))
}
