//! `GET /v1/emails/{id}`: what was asked for, and where it stands. What it says is not given out again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::Serialize;
use store::{DeliveryRef, Email};
use utoipa::ToSchema;
use uuid::Uuid;

use super::create::EmailDeliveryView;
use crate::auth::{Caller, DeliveriesRead};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// An email. Its words, data and files are sealed and are not given out.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The sender profile.
    sender: String,
    /// The template; null where the caller gave the words.
    template: Option<String>,
    /// Shown in To.
    to: Vec<String>,
    /// Shown in Cc.
    cc: Vec<String>,
    /// Shown nowhere in the mail.
    bcc: Vec<String>,
    /// The caller's labels.
    tags: BTreeMap<String, String>,
    /// Not before this instant.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// One a recipient.
    deliveries: Vec<EmailDeliveryView>,
}

/// Look at an email
#[utoipa::path(
    get, path = "/v1/emails/{id}", tag = "emails", operation_id = "getEmail",
    params(("id" = String, Path, description = "The email's id, a UUID")),
    responses(
        (status = 200, description = "The email", body = EmailView),
        (status = 404, description = "No such email", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    _: Caller<DeliveriesRead>,
    Path(id): Path<String>,
) -> Result<Json<EmailView>, ApiError> {
    let (email, deliveries) = find(&state, &id).await?;
    Ok(Json(EmailView {
        id: email.id,
        sender: email.sender,
        template: email.template,
        to: email.recipients.to,
        cc: email.recipients.cc,
        bcc: email.recipients.bcc,
        tags: email.tags,
        send_at: email.send_at,
        created_at: email.created_at,
        deliveries: deliveries.iter().map(|row| EmailDeliveryView { id: row.id, state: row.state }).collect(),
    }))
}

/// An email and its deliveries. Errors: 404.
pub(super) async fn find(state: &State, id: &str) -> Result<(Email, Vec<DeliveryRef>), ApiError> {
    let no_such = || ApiError::not_found("There is no email of this id.");
    let id = Uuid::try_parse(id).map_err(|_| no_such())?;
    let email = state.store.get_email(id).await?.ok_or_else(no_such)?;
    let deliveries = state.store.email_deliveries(id).await?;
    Ok((email, deliveries))
}
