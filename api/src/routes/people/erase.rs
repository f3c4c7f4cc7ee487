//! `DELETE /v1/people/{email}`.

use axum::Json;
use axum::extract::State as Shared;
use serde::Serialize;
use store::SubjectOf;
use utoipa::ToSchema;

use super::address;
use crate::auth::{Caller, Operate};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// How much was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedView {
    /// Bookings that the person was a party of: their name, address and id are out of them.
    bookings: u64,
    /// Mails to the person: address, name and texts are gone; states and times stay.
    deliveries: u64,
    /// Of these, mails that were not sent yet and are called off.
    cancelled: u64,
    /// Calls of `POST /v1/emails` that named the person.
    emails: u64,
    /// Suppressions of the address. Its keyed hash is kept, so that it is still not written to.
    suppressions: u64,
    /// Searches of the users whose bookings had the address, with what was done with what they found.
    searches: u64,
}

/// Erase a person
///
/// Everything that names them goes; what keeps the platform right (idempotency keys, states, times) stays. Needs `admin`.
#[utoipa::path(
    delete, path = "/v1/people/{email}", tag = "people", operation_id = "erasePerson",
    params(("email" = String, Path, description = "The person's address")),
    responses(
        (status = 200, description = "What was found and erased; zeros if nothing was", body = ErasedView),
        (status = 422, description = "Not an address", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No key is configured under which the hash could be made", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn erase(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(email): Path<String>,
) -> Result<Json<ErasedView>, ApiError> {
    let address = address(&email)?;
    let ring = state.ring()?;
    let hash = ring.shadow(address.as_str());
    // Asked first: afterwards nobody knows whose searches they were.
    let mut searches = 0;
    for id in state.store.person_ids(address.as_str()).await? {
        searches += state.store.erase_search_subject(&id, SubjectOf::User, state.clock.now()).await?.searches;
    }
    let erased = state.store.erase_person(address.as_str(), &hash, state.clock.now()).await?;
    tracing::info!(
        bookings = erased.bookings,
        deliveries = erased.deliveries,
        cancelled = erased.cancelled,
        "a person was erased"
    );
    Ok(Json(ErasedView {
        bookings: erased.bookings,
        deliveries: erased.deliveries,
        cancelled: erased.cancelled,
        emails: erased.emails,
        suppressions: erased.suppressions,
        searches,
    }))
}
