//! `/api/v2/silences` and `/api/v2/silence/{id}`: silences in Alertmanager's shape.

use alerting::{Matcher, Op, Silence, SilenceState};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Put, SilenceChange, SilenceFilter, StoredSilence};
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::Asked;
use crate::auth::{AlertsRead, AlertsWrite, Caller};
use crate::body::{Text, parse};
use crate::error::ApiError;
use crate::query::Path;
use crate::routes::silences::{invalid, new_id, too_many};
use crate::state::State;

/// A matcher in Alertmanager's shape.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerMatcher {
    /// The label.
    name: String,
    /// What its value is compared with.
    value: String,
    /// Whether that is a regular expression.
    is_regex: bool,
    /// false: the value must not match.
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// A silence to be made, or, with an id, changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerPostableSilence {
    /// Which one to change; none: a new one.
    #[serde(default)]
    id: Option<String>,
    /// What it mutes; all have to match.
    matchers: Vec<AlertmanagerMatcher>,
    /// From when.
    #[schema(format = DateTime)]
    starts_at: String,
    /// Until when.
    #[schema(format = DateTime)]
    ends_at: String,
    /// Who asks for it.
    created_by: String,
    /// Why.
    comment: String,
}

/// The state of a silence.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertmanagerSilenceStatus {
    /// expired, active or pending.
    #[schema(value_type = String)]
    state: SilenceState,
}

/// A silence in Alertmanager's shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerSilence {
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    status: AlertmanagerSilenceStatus,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    comment: String,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    matchers: Vec<AlertmanagerMatcher>,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Always empty.
    annotations: std::collections::BTreeMap<String, String>,
}

/// The id of a silence that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertmanagerSilenceId {
    #[schema(value_type = String, format = Uuid)]
    #[serde(rename = "silenceID")]
    silence_id: Uuid,
}

impl AlertmanagerSilence {
    fn at(stored: StoredSilence, now: Timestamp) -> Self {
        let matcher = |m: &Matcher| AlertmanagerMatcher {
            name: m.name().to_owned(),
            value: m.value().to_owned(),
            is_regex: m.op().is_regex(),
            is_equal: m.op().is_equal(),
        };
        Self {
            status: AlertmanagerSilenceStatus { state: stored.silence.state(now) },
            updated_at: stored.updated_at,
            matchers: stored.silence.matchers.iter().map(matcher).collect(),
            id: stored.silence.id,
            comment: stored.silence.comment,
            created_by: stored.silence.created_by,
            ends_at: stored.silence.ends_at,
            starts_at: stored.silence.starts_at,
            annotations: Default::default(),
        }
    }
}

impl AlertmanagerPostableSilence {
    fn read(self, id: Uuid, now: Timestamp) -> Result<Silence, ApiError> {
        let mut matchers = Vec::new();
        for (i, m) in self.matchers.into_iter().enumerate() {
            let matcher = Matcher::new(m.name, Op::of(m.is_regex, m.is_equal), m.value);
            matchers.push(matcher.map_err(|e| ApiError::invalid(format!("matchers[{i}]"), e.to_string()))?);
        }
        let instant = |field: &str, text: &str| {
            text.parse::<Timestamp>().map_err(|_| ApiError::invalid(field, "a time as in RFC 3339 is expected"))
        };
        let (starts_at, ends_at) = (instant("startsAt", &self.starts_at)?, instant("endsAt", &self.ends_at)?);
        let silence = Silence { id, matchers, created_by: self.created_by, comment: self.comment, starts_at, ends_at };
        silence.validate(now).map_err(invalid)?;
        Ok(silence)
    }
}

/// List silences, in Alertmanager's shape
///
/// Those that mute first, the next to end before others; of those that are over the latest thousand.
#[utoipa::path(
    get, path = "/api/v2/silences", tag = "alertmanager", operation_id = "getSilences",
    params(
        ("filter" = Option<Vec<String>>, Query, description = "Matchers, held against those of the silence; may be repeated"),
        ("active" = Option<bool>, Query, description = "false: without those that mute"),
        ("pending" = Option<bool>, Query, description = "false: without those that will begin"),
        ("expired" = Option<bool>, Query, description = "false: without those that are over"),
    ),
    responses(
        (status = 200, description = "The silences", body = Vec<AlertmanagerSilence>),
        (status = 400, description = "A parameter makes no sense", body = String),
    )
)]
pub(super) async fn list(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    asked: Asked,
) -> Result<Json<Vec<AlertmanagerSilence>>, ApiError> {
    let filter = asked.matchers("filter")?;
    let now = state.clock.now();
    let mut all = Vec::new();
    for (name, which) in
        [("active", SilenceState::Active), ("pending", SilenceState::Pending), ("expired", SilenceState::Expired)]
    {
        if asked.switch(name)? {
            let page = state.store.list_silences(&SilenceFilter { states: vec![which] }, 1_000, None, now).await?;
            let mut some = page.items;
            match which {
                SilenceState::Active => some.sort_by_key(|row| row.silence.ends_at),
                SilenceState::Pending => some.sort_by_key(|row| row.silence.starts_at),
                SilenceState::Expired => some.sort_by_key(|row| std::cmp::Reverse(row.silence.ends_at)),
            }
            all.extend(some);
        }
    }
    let wanted = |row: &StoredSilence| filter.iter().all(|matcher| matcher.matches_value(own_value(row, matcher)));
    Ok(Json(all.into_iter().filter(wanted).map(|row| AlertmanagerSilence::at(row, now)).collect()))
}

/// The matchers of a silence are looked at as if they were labels.
fn own_value<'a>(row: &'a StoredSilence, matcher: &Matcher) -> &'a str {
    let own = row.silence.matchers.iter().find(|own| own.name() == matcher.name());
    own.map(Matcher::value).unwrap_or_default()
}

/// Make a silence, or change one, in Alertmanager's shape
///
/// With an id: author, comment and end are changed; anything else ends it and begins another one, whose id is answered.
#[utoipa::path(
    post, path = "/api/v2/silences", tag = "alertmanager", operation_id = "postSilences",
    request_body = AlertmanagerPostableSilence,
    responses(
        (status = 200, description = "It is kept", body = AlertmanagerSilenceId),
        (status = 400, description = "A field makes no sense", body = String),
        (status = 404, description = "There is none of that id", body = String),
    )
)]
pub(super) async fn put(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Text(text): Text,
) -> Result<Json<AlertmanagerSilenceId>, ApiError> {
    let now = state.clock.now();
    let mut sent: AlertmanagerPostableSilence = parse(&text)?;
    let id = sent.id.take().filter(|id| !id.is_empty());
    let mut silence = sent.read(new_id(&state), now)?;
    let missing = || ApiError::not_found("No such silence.");
    let id = match id {
        Some(id) => {
            let id = Uuid::try_parse(&id).map_err(|_| missing())?;
            match state.store.change_silence(id, &silence, caller.name(), now).await? {
                SilenceChange::Changed(row) | SilenceChange::Replaced(row) => row.silence.id,
                SilenceChange::NotFound => return Err(missing()),
                SilenceChange::TooMany => return Err(too_many()),
            }
        }
        None => {
            silence.starts_at = silence.starts_at.max(now);
            match state.store.insert_silence(&silence, caller.name(), now).await? {
                Put::Done(row) => row.silence.id,
                Put::TooMany => return Err(too_many()),
            }
        }
    };
    Ok(Json(AlertmanagerSilenceId { silence_id: id }))
}

/// Look at a silence, in Alertmanager's shape
#[utoipa::path(
    get, path = "/api/v2/silence/{id}", tag = "alertmanager", operation_id = "getAlertmanagerSilence",
    params(("id" = String, Path, description = "Its id, a UUID")),
    responses(
        (status = 200, description = "The silence", body = AlertmanagerSilence),
        (status = 404, description = "There is none", body = String),
    )
)]
pub(super) async fn show(
    Shared(state): Shared<State>,
    _: Caller<AlertsRead>,
    Path(id): Path<Uuid>,
) -> Result<Json<AlertmanagerSilence>, ApiError> {
    let found = state.store.get_silence(id).await?.ok_or_else(|| ApiError::not_found("No such silence."))?;
    Ok(Json(AlertmanagerSilence::at(found, state.clock.now())))
}

/// End a silence, as amtool asks for it
#[utoipa::path(
    delete, path = "/api/v2/silence/{id}", tag = "alertmanager", operation_id = "deleteSilence",
    params(("id" = String, Path, description = "Its id, a UUID")),
    responses(
        (status = 200, description = "It is over"),
        (status = 404, description = "There is none", body = String),
    )
)]
pub(super) async fn end(
    Shared(state): Shared<State>,
    caller: Caller<AlertsWrite>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    let ended = state.store.end_silence(id, caller.name(), state.clock.now()).await?;
    ended.map(|_| StatusCode::OK).ok_or_else(|| ApiError::not_found("No such silence."))
}
