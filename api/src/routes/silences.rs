//! `/v1/silences`: what is not told to anybody for a while. Incidents that one mutes are counted like all others.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use job::{Job, duration};
use serde::{Deserialize, Serialize};
use store::{MOST_SILENCES, Put, SilenceFilter, StoredSilence};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use alerting::{Matcher, Silence, SilenceState, parse_list};

use crate::auth::{AlertsRead, AlertsWrite, Caller};
use crate::body::{Text, parse};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, end))
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
pub struct SilenceView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// All of them have to match.
    #[schema(value_type = Vec<String>, example = json!(["team=\"db\"", "host=~\"db-.*\""]))]
    matchers: Vec<Matcher>,
    /// Who asked for it.
    created_by: String,
    /// Why.
    comment: String,
    /// From when it mutes.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// pending, active or expired.
    #[schema(value_type = String, example = "active")]
    state: SilenceState,
    /// Which API key wrote it or changed it last, or the command line.
    actor: String,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl SilenceView {
    /// As it is at `now`.
    #[must_use]
    pub fn at(stored: StoredSilence, now: Timestamp) -> Self {
        let state = stored.silence.state(now);
        let Silence { id, matchers, created_by, comment, starts_at, ends_at } = stored.silence;
        let (actor, created_at, updated_at) = (stored.actor, stored.created_at, stored.updated_at);
        Self { id, matchers, created_by, comment, starts_at, ends_at, state, actor, created_at, updated_at }
    }
}

/// What to silence, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// What it mutes, 1 to 32 matchers; all have to match.
    #[schema(example = json!(["team=\"db\"", "severity=~\"warning|info\""]))]
    matchers: Vec<String>,
    /// Why, at most 1,024 bytes.
    #[serde(default)]
    #[schema(example = "moving the disks")]
    comment: String,
    /// Who asks for it; the API key's name unless said otherwise.
    created_by: Option<String>,
    /// From when; now unless said otherwise, at most 366 days ahead.
    starts_at: Option<String>,
    /// Until when, at most 366 days after it begins. This or `duration`.
    ends_at: Option<String>,
    /// How long. This or `ends_at`.
    #[schema(example = "2h")]
    duration: Option<String>,
}

impl NewSilence {
    fn read(self, id: Uuid, caller: &str, now: Timestamp) -> Result<Silence, ApiError> {
        let mut matchers = Vec::new();
        for (i, text) in self.matchers.iter().enumerate() {
            let parsed = parse_list(text).map_err(|e| ApiError::invalid(format!("matchers[{i}]"), e.to_string()))?;
            matchers.extend(parsed);
        }
        let starts_at = instant("starts_at", self.starts_at.as_deref())?.unwrap_or(now).max(now);
        let ends_at = match (instant("ends_at", self.ends_at.as_deref())?, self.duration.as_deref()) {
            (Some(_), Some(_)) => return Err(ApiError::invalid("duration", "not together with ends_at")),
            (None, None) => return Err(ApiError::invalid("ends_at", "this or duration is needed")),
            (Some(ends_at), None) => ends_at,
            (None, Some(text)) => {
                let span = duration::parse(text)
                    .map_err(|_| ApiError::invalid("duration", "a duration such as \"30m\" or \"2h\" is expected"))?;
                starts_at.checked_add(span).map_err(|_| ApiError::invalid("duration", "too long"))?
            }
        };
        let created_by = self.created_by.unwrap_or_else(|| caller.to_owned());
        let silence = Silence { id, matchers, created_by, comment: self.comment, starts_at, ends_at };
        silence.validate(now).map_err(invalid)?;
        Ok(silence)
    }
}

fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    text.map(str::parse).transpose().map_err(|_| ApiError::invalid(field, "a time as in RFC 3339 is expected"))
}

/// The refusal of what is wrong with a silence or an alert.
pub(crate) fn invalid(wrong: Vec<alerting::Invalid>) -> ApiError {
    ApiError::invalid_fields(wrong.into_iter().map(|w| job::FieldError::new(w.field, w.message)).collect())
}

/// The refusal where there are too many.
pub(crate) fn too_many() -> ApiError {
    ApiError::conflict(format!("There are {MOST_SILENCES} silences already that are not over: end some."))
}

/// A new silence's id.
pub(crate) fn new_id(state: &State) -> Uuid {
    state.new_id(&EmailSend::queue()).uuid()
}

/// List silences
///
/// Newest first; those that are over too, unless `state` says otherwise.
#[utoipa::path(
    get, path = "/v1/silences", tag = "alerts", operation_id = "listSilences",
    params(
        ("state" = Option<String>, Query, description = "Only these: pending, active, expired; several with commas between"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 unless said otherwise"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of silences", body = List<SilenceView>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    mut params: Params,
) -> Result<Json<List<SilenceView>>, ApiError> {
    let mut states = Vec::new();
    for word in params.text("state")?.iter().flat_map(|text| text.split(',')).map(str::trim) {
        let known = [SilenceState::Pending, SilenceState::Active, SilenceState::Expired];
        let known = known.into_iter().find(|state| state.as_str() == word);
        states.push(known.ok_or_else(|| ApiError::invalid("state", "pending, active or expired is expected"))?);
    }
    let (limit, cursor) = params.page()?;
    params.end()?;
    let now = state.clock.now();
    let page = state.store.list_silences(&SilenceFilter { states }, limit, cursor.as_deref(), now).await?;
    Ok(List::answer(page.items.into_iter().map(|row| SilenceView::at(row, now)).collect(), page.next_cursor))
}

/// Silence alerts
///
/// What matches is counted, but nobody is told, until the silence is over.
#[utoipa::path(
    post, path = "/v1/silences", tag = "alerts", operation_id = "createSilence",
    request_body = NewSilence,
    responses(
        (status = 201, description = "It is kept", body = SilenceView),
        (status = 409, description = "There are too many", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Text(text): Text,
) -> Result<(StatusCode, Json<SilenceView>), ApiError> {
    let now = state.clock.now();
    let silence = parse::<NewSilence>(&text)?.read(new_id(&state), caller.name(), now)?;
    match state.store.insert_silence(&silence, caller.name(), now).await? {
        Put::Done(row) => Ok((StatusCode::CREATED, Json(SilenceView::at(row, now)))),
        Put::TooMany => Err(too_many()),
    }
}

/// Look at a silence
#[utoipa::path(
    get, path = "/v1/silences/{id}", tag = "alerts", operation_id = "getSilence",
    params(("id" = String, Path, description = "Its id, a UUID")),
    responses(
        (status = 200, description = "The silence", body = SilenceView),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    Path(id): Path<Uuid>,
) -> Result<Json<SilenceView>, ApiError> {
    let found = state.store.get_silence(id).await?.ok_or_else(|| ApiError::not_found("No such silence."))?;
    Ok(Json(SilenceView::at(found, state.clock.now())))
}

/// End a silence
///
/// It mutes nothing any more; one that is over stays as it is.
#[utoipa::path(
    delete, path = "/v1/silences/{id}", tag = "alerts", operation_id = "endSilence",
    params(("id" = String, Path, description = "Its id, a UUID")),
    responses(
        (status = 200, description = "The silence, which is over", body = SilenceView),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn end(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Path(id): Path<Uuid>,
) -> Result<Json<SilenceView>, ApiError> {
    let now = state.clock.now();
    let ended = state.store.end_silence(id, caller.name(), now).await?;
    ended.map(|row| Json(SilenceView::at(row, now))).ok_or_else(|| ApiError::not_found("No such silence."))
}
