//! `/v1/search/subjects/{id}`: what is kept of somebody's searches, and taking it out. A subject is a user, or a guest's
//! session.

use axum::Json;
use axum::extract::State as Shared;
use serde::Serialize;
use serde_json::{Value, json};
use store::SubjectOf;
use utoipa::ToSchema;

use crate::auth::{Caller, Operate};
use crate::error::{ApiError, Problem};
use crate::query::{Params, Path};
use crate::routes::bookings::is_id;
use crate::state::State;

/// How much was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedSubject {
    /// Searches.
    searches: u64,
    /// What was done with what they found.
    interactions: u64,
}

/// Erase somebody's searches
///
/// What the user, or the guest's session, searched for until now and did with what was found goes, and what still waits in
/// the queue is not written when its turn comes. What was counted stays: it is counted without addresses and numbers.
/// Needs `admin`.
#[utoipa::path(
    delete, path = "/v1/search/subjects/{id}", tag = "search", operation_id = "eraseSearchSubject",
    params(
        ("id" = String, Path, description = "The user's id, or the session's"),
        ("of" = Option<String>, Query, description = "`user` or `guest`: whose the id is; either unless said"),
    ),
    responses(
        (status = 200, description = "What was found and erased; zeros if nothing was", body = ErasedSubject),
        (status = 422, description = "Not an id, or a parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn erase(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<ErasedSubject>, ApiError> {
    check(&id)?;
    let of = whose(params)?;
    let erased = state.store.erase_search_subject(&id, of, state.clock.now()).await?;
    tracing::info!(searches = erased.searches, interactions = erased.interactions, "somebody's searches were erased");
    Ok(Json(ErasedSubject { searches: erased.searches, interactions: erased.interactions }))
}

/// Export somebody's searches
///
/// Everything that is kept of the user, or the guest's session, as one JSON document. Needs `admin`.
#[utoipa::path(
    get, path = "/v1/search/subjects/{id}/export", tag = "search", operation_id = "exportSearchSubject",
    params(
        ("id" = String, Path, description = "The user's id, or the session's"),
        ("of" = Option<String>, Query, description = "`user` or `guest`: whose the id is; either unless said"),
    ),
    responses(
        (status = 200, description = "What is kept: searches, with what was done with what they found", body = Value),
        (status = 422, description = "Not an id, or a parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn export(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    check(&id)?;
    let searches = state.store.export_search_subject(&id, whose(params)?).await?;
    Ok(Json(json!({ "subject": id, "exported_at": state.clock.now(), "searches": searches })))
}

/// Whose the id is, by the parameter `of`.
fn whose(mut params: Params) -> Result<SubjectOf, ApiError> {
    let of = match params.text("of")?.as_deref() {
        None => SubjectOf::Either,
        Some("user") => SubjectOf::User,
        Some("guest") => SubjectOf::Guest,
        Some(_) => return Err(ApiError::invalid("of", "user or guest is expected")),
    };
    params.end()?;
    Ok(of)
}

fn check(id: &str) -> Result<(), ApiError> {
    if is_id(id) { Ok(()) } else { Err(ApiError::invalid("id", "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected")) }
}
