//! `GET /v1/incidents` and `/v1/incidents/{id}`.

use alerting::Severity;
use axum::Json;
use axum::extract::State as Shared;
use store::{IncidentFilter, IncidentState};
use uuid::Uuid;

use super::no_such;
use super::view::{IncidentDetail, IncidentView};
use crate::auth::{AlertsRead, Caller};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// List incidents
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/incidents", tag = "alerts", operation_id = "listIncidents",
    params(
        ("state" = Option<String>, Query, description = "open, acknowledged, resolved, or active (the first two)"),
        ("severity" = Option<String>, Query, description = "info, warning or critical"),
        ("type" = Option<String>, Query, description = "Only of this type"),
        ("label" = Option<Vec<String>>, Query, description = "name=value; several, if it is given several times"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of incidents", body = List<IncidentView>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    mut params: Params,
) -> Result<Json<List<IncidentView>>, ApiError> {
    let states = match params.text("state")?.as_deref() {
        None => Vec::new(),
        Some("active") => vec![IncidentState::Open, IncidentState::Acknowledged],
        Some(word) => {
            let unknown = |_| ApiError::invalid("state", "open, acknowledged, resolved or active is expected");
            vec![word.parse().map_err(unknown)?]
        }
    };
    let severity = params.parsed::<Severity>("severity")?;
    let kind = params.text("type")?;
    let labels = params.all("label").into_iter().map(|label| match label.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ApiError::invalid("label", "name=value is expected")),
    });
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    // No database keeps this character in text, and Postgres does not even compare with it.
    let nul = |text: &String| text.contains('\0');
    let asked = [("type", kind.iter().any(nul)), ("label", labels.iter().any(|(name, value)| nul(name) || nul(value)))];
    if let Some((field, _)) = asked.into_iter().find(|(_, has)| *has) {
        return Err(ApiError::invalid(field, "has a NUL character"));
    }
    let filter = IncidentFilter { states, severity, kind, labels };
    let (limit, cursor) = params.page()?;
    params.end()?;
    let page = state.store.list_incidents(&filter, limit, cursor.as_deref()).await?;
    Ok(List::answer(page.items.into_iter().map(IncidentView::from).collect(), page.next_cursor))
}

/// Look at an incident
///
/// With all that happened and all that was told of it.
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "alerts", operation_id = "getIncident",
    params(("id" = String, Path, description = "The incident's id, a UUID")),
    responses(
        (status = 200, description = "The incident", body = IncidentDetail),
        (status = 404, description = "No such incident", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    Path(id_text): Path<String>,
    params: Params,
) -> Result<Json<IncidentDetail>, ApiError> {
    params.end()?;
    detail(&state, id(&id_text)?).await.map(Json)
}

/// The id of a path. Errors: 404, for there is nothing under another text.
pub(super) fn id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| no_such())
}

/// An incident with its history. Errors: 404.
pub(super) async fn detail(state: &State, id: Uuid) -> Result<IncidentDetail, ApiError> {
    let incident = state.store.get_incident(id).await?.ok_or_else(no_such)?;
    let events = state.store.incident_events(id).await?;
    let told = state.store.incident_notifications(id).await?;
    Ok(IncidentDetail::new(incident, events, told))
}
