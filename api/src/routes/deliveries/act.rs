//! `POST /v1/deliveries/{id}/resend`, `/cancel` and `/resolve`: a person's hands on one mail.

use axum::Json;
use axum::extract::State as Shared;
use job::Job;
use serde::Deserialize;
use store::{By, DeliveryRef, DeliveryState, Moved};
use utoipa::ToSchema;
use worker::jobs::email_send::EmailSend;

use super::read::{history, id, no_such};
use super::view::DeliveryView;
use crate::auth::{Caller, DeliveriesWrite};
use crate::body::{Text, parse};
use crate::enqueue::enqueue_written;
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// What was found out about a mail whose fate was unknown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// sent: it arrived. failed: it did not, and is not to be sent again.
    outcome: Outcome,
}

/// What became of it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// It arrived.
    Sent,
    /// It did not.
    Failed,
}

/// Send a mail again
///
/// For every state but sending, sent and cancelled. It gets a new job and, where its deadline is near or past, the time of
/// its class again. Of a mail whose fate is unknown the recipient may get a second copy: that is for the caller to decide.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/resend", tag = "deliveries", operation_id = "resendDelivery",
    params(("id" = String, Path, description = "The delivery's id, a UUID")),
    responses(
        (status = 200, description = "It is on its way again", body = DeliveryView),
        (status = 404, description = "No such delivery", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in a state that cannot be sent again, or what it said is no longer kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn resend(
    Shared(state): Shared<State>,
    caller: Caller<DeliveriesWrite>,
    Path(id_text): Path<String>,
) -> Result<Json<DeliveryView>, ApiError> {
    let id = id(&id_text)?;
    let (actor, now) = (caller.actor(), state.clock.now());
    let job_id = state.new_id(&EmailSend::queue()).uuid();
    let moved = state.store.release_delivery(id, job_id, By::person(job_id, &actor), now).await?;
    let row = done(moved, "sent again", DeliveryState::can_be_released)?;
    enqueue_written(&state, &[worker::intents::delivery(&row, now).into()]).await?;
    history(&state, id).await.map(Json)
}

/// Call a mail off
///
/// As long as no attempt has it: queued, deferred, held, or of unknown fate.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/cancel", tag = "deliveries", operation_id = "cancelDelivery",
    params(("id" = String, Path, description = "The delivery's id, a UUID")),
    responses(
        (status = 200, description = "It is not sent any more", body = DeliveryView),
        (status = 404, description = "No such delivery", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is being sent, or has ended", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    Shared(state): Shared<State>,
    caller: Caller<DeliveriesWrite>,
    Path(id_text): Path<String>,
) -> Result<Json<DeliveryView>, ApiError> {
    let id = id(&id_text)?;
    let (actor, now) = (caller.actor(), state.clock.now());
    let note = state.new_id(&EmailSend::queue()).uuid();
    let moved = state.store.cancel_delivery(id, By::person(note, &actor), now).await?;
    done(moved, "called off", DeliveryState::can_be_called_off)?;
    history(&state, id).await.map(Json)
}

/// Say what became of a mail
///
/// For one whose fate is unknown, when somebody found out.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/resolve", tag = "deliveries", operation_id = "resolveDelivery",
    params(("id" = String, Path, description = "The delivery's id, a UUID")),
    request_body = Resolution,
    responses(
        (status = 200, description = "Noted", body = DeliveryView),
        (status = 404, description = "No such delivery", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its fate is known", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The outcome is neither sent nor failed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn resolve(
    Shared(state): Shared<State>,
    caller: Caller<DeliveriesWrite>,
    Path(id_text): Path<String>,
    Text(text): Text,
) -> Result<Json<DeliveryView>, ApiError> {
    let id = id(&id_text)?;
    let resolution: Resolution = parse(&text)?;
    let (actor, now) = (caller.actor(), state.clock.now());
    let note = state.new_id(&EmailSend::queue()).uuid();
    let sent = matches!(resolution.outcome, Outcome::Sent);
    let moved = state.store.resolve_delivery(id, sent, By::person(note, &actor), now).await?;
    done(moved, "resolved", |from| from == DeliveryState::Unknown)?;
    history(&state, id).await.map(Json)
}

/// The row, if it moved. Errors: 404, and 409 that says in which states it could have.
fn done(moved: Moved, what: &str, from: impl Fn(DeliveryState) -> bool) -> Result<DeliveryRef, ApiError> {
    match moved {
        Moved::Done(row) => Ok(row),
        Moved::Missing => Err(no_such()),
        Moved::Gone(gone) => Err(ApiError::conflict(format!("Of the delivery, {}.", gone.why()))),
        Moved::Refused(state) => {
            let fitting = DeliveryState::ALL.iter().filter(|state| from(**state));
            let fitting: Vec<&str> = fitting.map(|state| state.as_str()).collect();
            let fitting = fitting.join(", ");
            Err(ApiError::conflict(format!("The delivery is {state}; only one that is {fitting} can be {what}.")))
        }
    }
}
