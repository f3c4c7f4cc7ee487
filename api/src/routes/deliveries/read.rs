//! `GET /v1/deliveries` and `/v1/deliveries/{id}`.

use axum::Json;
use axum::extract::State as Shared;
use mail::EmailAddress;
use store::{DeliveryFilter, DeliveryState};
use uuid::Uuid;

use super::view::{DeliverySummary, DeliveryView};
use crate::auth::{Caller, DeliveriesRead};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::routes::bookings::is_id;
use crate::state::State;

/// List deliveries
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    params(
        ("recipient" = Option<String>, Query, description = "Only to this address"),
        ("booking" = Option<String>, Query, description = "Only because of this booking"),
        ("state" = Option<String>, Query, description = "queued, sending, sent, deferred, held, suppressed, cancelled, expired, failed or unknown"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 unless said otherwise"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of deliveries", body = List<DeliverySummary>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    Shared(state): Shared<State>,
    _: Caller<DeliveriesRead>,
    mut params: Params,
) -> Result<Json<List<DeliverySummary>>, ApiError> {
    let recipient = params.parsed::<EmailAddress>("recipient")?.map(|address| address.as_str().to_owned());
    let booking_id = params.text("booking")?;
    if booking_id.as_deref().is_some_and(|id| !is_id(id)) {
        return Err(ApiError::invalid("booking", "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected"));
    }
    let filter = DeliveryFilter { recipient, booking_id, state: params.parsed::<DeliveryState>("state")? };
    let (limit, cursor) = params.page()?;
    params.end()?;
    let page = state.store.list_deliveries(&filter, limit, cursor.as_deref()).await?;
    Ok(List::answer(page.items.into_iter().map(DeliverySummary::from).collect(), page.next_cursor))
}

/// Look at a delivery
///
/// Why it stands as it does, in sentences; each attempt with relay, phase, code and text; what was done from outside.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", tag = "deliveries", operation_id = "getDelivery",
    params(("id" = String, Path, description = "The delivery's id, a UUID")),
    responses(
        (status = 200, description = "The delivery", body = DeliveryView),
        (status = 404, description = "No such delivery", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    _: Caller<DeliveriesRead>,
    Path(id_text): Path<String>,
    params: Params,
) -> Result<Json<DeliveryView>, ApiError> {
    params.end()?;
    history(&state, id(&id_text)?).await.map(Json)
}

/// The id of a path. Errors: 404, for there is nothing under another text.
pub fn id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| no_such())
}

/// A delivery with its history. Errors: 404.
pub async fn history(state: &State, id: Uuid) -> Result<DeliveryView, ApiError> {
    let history = state.store.delivery_history(id).await?.ok_or_else(no_such)?;
    Ok(DeliveryView::new(history, state.clock.now()))
}

pub fn no_such() -> ApiError {
    ApiError::not_found("There is no delivery of this id.")
}
