//! `POST /v1/emails/{id}/cancel`: what was not sent yet is called off.

use axum::Json;
use axum::extract::State as Shared;
use job::Job;
use serde::Serialize;
use store::{By, Moved};
use utoipa::ToSchema;
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use super::create::EmailDeliveryView;
use super::read::find;
use crate::auth::{Caller, EmailsWrite};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// What calling off did.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailCancelledView {
    /// The email.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// Its deliveries as they stand now: `cancelled`, unless they were on their way already.
    deliveries: Vec<EmailDeliveryView>,
}

/// Call an email off
///
/// Every delivery that is not on its way yet. 409 if none could be.
#[utoipa::path(
    post, path = "/v1/emails/{id}/cancel", tag = "emails", operation_id = "cancelEmail",
    params(("id" = String, Path, description = "The email's id, a UUID")),
    responses(
        (status = 200, description = "What was called off, and what was not", body = EmailCancelledView),
        (status = 404, description = "No such email", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nothing of it can be called off any more", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    Shared(state): Shared<State>,
    caller: Caller<EmailsWrite>,
    Path(id): Path<String>,
) -> Result<Json<EmailCancelledView>, ApiError> {
    let (id, deliveries) = call_off(&state, &id, &caller.actor()).await?;
    Ok(Json(EmailCancelledView { id, deliveries }))
}

/// Calls off what can be. Errors: 404; 409 if nothing can be.
pub(super) async fn call_off(state: &State, id: &str, actor: &str) -> Result<(Uuid, Vec<EmailDeliveryView>), ApiError> {
    let (email, rows) = find(state, id).await?;
    let mut deliveries = Vec::with_capacity(rows.len());
    let mut called_off = false;
    for row in rows {
        let by = By::person(state.new_id(&EmailSend::queue()).uuid(), actor);
        let state = match state.store.cancel_delivery(row.id, by, state.clock.now()).await? {
            Moved::Done(now) => {
                called_off = true;
                now.state
            }
            Moved::Refused(state) => state,
            Moved::Missing | Moved::Gone(_) => continue,
        };
        deliveries.push(EmailDeliveryView { id: row.id, state });
    }
    match called_off {
        true => Ok((email.id, deliveries)),
        false => Err(ApiError::conflict("Nothing of it waits: it was sent, or has ended otherwise.")),
    }
}
