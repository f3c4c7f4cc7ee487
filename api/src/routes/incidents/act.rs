//! A person's hands on an incident: acknowledge, resolve, comment.

use axum::Json;
use axum::extract::State as Shared;
use serde::Deserialize;
use utoipa::ToSchema;
use worker::alerts::{Deed, Handled};

use super::no_such;
use super::read::{detail, id};
use super::view::IncidentDetail;
use crate::auth::{AlertsWrite, Caller};
use crate::body::{OptionalText, Text, parse};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// The longest note, in bytes.
const LONGEST_NOTE: usize = 2_000;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 200;

/// Who does it, and what they say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Who; the API key's name unless said. Up to 200 bytes on one line.
    #[serde(default)]
    #[schema(example = "ana@example.com")]
    by: Option<String>,
    /// In words, up to 2,000 bytes.
    #[serde(default)]
    #[schema(example = "I am on it")]
    note: Option<String>,
}

/// What somebody says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// Who; the API key's name unless said.
    #[serde(default)]
    by: Option<String>,
    /// In words, 1 to 2,000 bytes.
    note: String,
}

/// Take an incident on
///
/// It is no longer repeated, and nobody else is told. Done twice it changes nothing. The body is optional.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/acknowledge", tag = "alerts", operation_id = "acknowledgeIncident",
    request_body = Option<Word>, params(("id" = String, Path, description = "The incident's id, a UUID")),
    responses(
        (status = 200, description = "It is taken on", body = IncidentDetail),
        (status = 404, description = "No such incident", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn acknowledge(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Path(id_text): Path<String>,
    OptionalText(text): OptionalText,
) -> Result<Json<IncidentDetail>, ApiError> {
    let word: Word = text.as_deref().map(parse).transpose()?.unwrap_or_default();
    act(&state, &caller.actor(), &id_text, Deed::Acknowledge, word).await
}

/// Say that an incident is over
///
/// Who was told of it is told of its end. If it burns again it is opened again. The body is optional.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/resolve", tag = "alerts", operation_id = "resolveIncident",
    request_body = Option<Word>, params(("id" = String, Path, description = "The incident's id, a UUID")),
    responses(
        (status = 200, description = "It is over", body = IncidentDetail),
        (status = 404, description = "No such incident", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn resolve(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Path(id_text): Path<String>,
    OptionalText(text): OptionalText,
) -> Result<Json<IncidentDetail>, ApiError> {
    let word: Word = text.as_deref().map(parse).transpose()?.unwrap_or_default();
    act(&state, &caller.actor(), &id_text, Deed::Resolve, word).await
}

/// Say something about an incident
#[utoipa::path(
    post, path = "/v1/incidents/{id}/comment", tag = "alerts", operation_id = "commentIncident",
    request_body = Comment, params(("id" = String, Path, description = "The incident's id, a UUID")),
    responses(
        (status = 200, description = "It stands in its history", body = IncidentDetail),
        (status = 404, description = "No such incident", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn comment(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Path(id_text): Path<String>,
    Text(text): Text,
) -> Result<Json<IncidentDetail>, ApiError> {
    let Comment { by, note } = parse(&text)?;
    act(&state, &caller.actor(), &id_text, Deed::Comment, Word { by, note: Some(note) }).await
}

async fn act(
    state: &State,
    actor: &str,
    id_text: &str,
    deed: Deed,
    word: Word,
) -> Result<Json<IncidentDetail>, ApiError> {
    let line = |text: &String| !text.trim().is_empty() && !text.chars().any(char::is_control);
    if word.by.as_ref().is_some_and(|by| by.len() > LONGEST_NAME || !line(by)) {
        return Err(ApiError::invalid("by", format!("1 to {LONGEST_NAME} bytes on one line are expected")));
    }
    let said = |text: &String| !text.trim().is_empty() && !text.chars().any(|c| c.is_control() && c != '\n');
    if word.note.as_ref().is_some_and(|note| note.len() > LONGEST_NOTE || !said(note)) {
        return Err(ApiError::invalid("note", format!("1 to {LONGEST_NOTE} bytes of text are expected")));
    }
    let (id, now) = (id(id_text)?, state.clock.now());
    let by = word.by.as_deref().unwrap_or(actor);
    let handled = state.alerts.handle(&[id], deed, by, word.note.as_deref(), now).await?;
    match handled.into_iter().next() {
        Some(Handled::Done(_)) => detail(state, id).await.map(Json),
        Some(Handled::Over(_)) => Err(ApiError::conflict("The incident is over: there is nothing to take on.")),
        Some(Handled::Missing) | None => Err(no_such()),
    }
}
