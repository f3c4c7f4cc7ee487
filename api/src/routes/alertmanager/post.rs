//! `POST /api/v2/alerts`: what Prometheus sends, again and again while it fires.

use axum::extract::State as Shared;
use axum::http::StatusCode;

use super::postable::AlertmanagerPostableAlert;
use crate::auth::{AlertsWrite, Caller};
use crate::body::{BatchText, parse, parse_list};
use crate::error::{ApiError, FieldProblem};
use crate::routes::silences::invalid;
use crate::state::State;

/// The most alerts in one call.
const MOST: usize = 1_000;
/// Fields of alerts that are named in one refusal.
const NAMED: usize = 20;

/// Take alerts in, as Prometheus sends them
///
/// Those that are valid are taken, whatever is wrong with others; 400 names what is.
#[utoipa::path(
    post, path = "/api/v2/alerts", tag = "alertmanager", operation_id = "postAlerts",
    request_body = Vec<AlertmanagerPostableAlert>,
    responses(
        (status = 200, description = "All were taken"),
        (status = 400, description = "Some, or all, were not: what is wrong", body = String),
    )
)]
pub(super) async fn post(
    Shared(state): Shared<State>,
    _: Caller<AlertsWrite>,
    BatchText(text): BatchText,
) -> Result<StatusCode, ApiError> {
    let now = state.clock.now();
    let sent = parse_list(&text)?;
    if sent.len() > MOST {
        return Err(ApiError::invalid("body", format!("{} alerts: at most {MOST} in one call", sent.len())));
    }
    let (mut alerts, mut wrong) = (Vec::with_capacity(sent.len()), Vec::new());
    for (i, item) in sent.iter().enumerate() {
        let read = parse::<AlertmanagerPostableAlert>(item.get()).and_then(|alert| alert.read(now).map_err(invalid));
        match read {
            Ok(alert) => alerts.push(alert),
            Err(error) => wrong.extend(error.within(&format!("[{i}]")).problem().errors),
        }
    }
    state.alerts.accept(&alerts, now).await?;
    match wrong.first() {
        None => Ok(StatusCode::OK),
        Some(first) => {
            let told = |w: &FieldProblem| format!("{}: {}", w.field, w.message);
            let detail =
                format!("{} of {} alerts were not taken; {}", sent.len() - alerts.len(), sent.len(), told(first));
            let refusal = ApiError::new(crate::error::Fault::BadRequest, detail);
            Err(wrong.into_iter().take(NAMED).fold(refusal, |refusal, w| refusal.field(w.field, w.message)))
        }
    }
}
