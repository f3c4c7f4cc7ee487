//! Resend's four calls.

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{DeliveryRef, DeliveryState, Email, Scope};
use utoipa::ToSchema;
use uuid::Uuid;
use worker::email_content::{self, EmailBody};

use super::refusal::Refusal;
use super::request::ResendEmail;
use crate::auth::{Caller, DeliveriesRead, EmailsWrite};
use crate::body::{BatchText, parse, parse_list};
use crate::error::{ApiError, Problem};
use crate::idempotency::{IdempotencyKey, digest_of};
use crate::query::Path;
use crate::routes::emails::accept::{Once, accept};
use crate::routes::emails::cancel::call_off;
use crate::routes::emails::order::Checked;
use crate::routes::emails::read::find;
use crate::state::State;

/// What stands for a subject towards keys that only read: a code that proves who somebody is often stands in it.
const SEALED: &str = "(sealed)";
/// The most mails in one call.
const MOST: usize = 100;

/// An email that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResendId {
    /// The email's id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
}

/// Emails that were accepted, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResendIds {
    data: Vec<ResendId>,
}

/// An email that was called off.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResendCancelled {
    /// `email`.
    object: &'static str,
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
}

/// A label.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResendTagView {
    name: String,
    value: String,
}

/// An email in Resend's shape. `html` and `text` are null: they are sealed, and not given out again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResendEmailView {
    /// `email`.
    object: &'static str,
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    to: Vec<String>,
    from: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    subject: String,
    html: Option<String>,
    text: Option<String>,
    bcc: Option<Vec<String>>,
    cc: Option<Vec<String>>,
    reply_to: Option<Vec<String>>,
    /// queued, scheduled, sent, delivery_delayed, bounced, suppressed, failed or canceled.
    last_event: &'static str,
    #[schema(value_type = Option<String>, format = DateTime)]
    scheduled_at: Option<Timestamp>,
    tags: Vec<ResendTagView>,
}

/// Send a mail (Resend's shape)
#[utoipa::path(
    post, path = "/emails", tag = "emails", operation_id = "resendSendEmail", request_body = ResendEmail,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 200, description = "Accepted", body = ResendId),
        (status = 409, description = "The key was used for another call", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn send(
    Shared(state): Shared<State>,
    caller: Result<Caller<EmailsWrite>, ApiError>,
    key: Result<IdempotencyKey, ApiError>,
    text: Result<BatchText, ApiError>,
) -> Result<Json<ResendId>, Refusal> {
    let (caller, IdempotencyKey(key), BatchText(text)) = (caller?, key?, text?);
    let now = state.clock.now();
    let checked = parse::<ResendEmail>(&text)?.order(now)?.check(&state, "scheduled_at", now)?;
    let scoped = key.map(|key| format!("{}:{key}", caller.idempotency_scope("POST /emails")));
    let once = Once { key: scoped.as_deref(), digest: digest_of(&text) };
    Ok(Json(ResendId { id: accept(&state, checked, once, now).await?.id }))
}

/// Send up to 100 mails (Resend's shape)
///
/// All are checked before the first is accepted; a field that is wrong is named with its place in the list.
#[utoipa::path(
    post, path = "/emails/batch", tag = "emails", operation_id = "resendSendEmails", request_body = Vec<ResendEmail>,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 200, description = "Accepted, in the same order", body = ResendIds),
        (status = 409, description = "The key was used for another call", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn send_many(
    Shared(state): Shared<State>,
    caller: Result<Caller<EmailsWrite>, ApiError>,
    key: Result<IdempotencyKey, ApiError>,
    text: Result<BatchText, ApiError>,
) -> Result<Json<ResendIds>, Refusal> {
    let (caller, IdempotencyKey(key), BatchText(text)) = (caller?, key?, text?);
    let now = state.clock.now();
    let items: Vec<&RawValue> = parse_list(&text)?;
    if items.is_empty() || items.len() > MOST {
        return Err(ApiError::invalid("body", format!("1 to {MOST} mails are expected, not {}", items.len())).into());
    }
    let mut orders: Vec<Checked> = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let read = || parse::<ResendEmail>(item.get())?.order(now)?.check(&state, "scheduled_at", now);
        orders.push(read().map_err(|error| error.within(&format!("[{index}]")))?);
    }
    // Each under a key of its own, so that a call that broke off half-way goes on where it was; all under the digest of the
    // whole call, so that another list is another call.
    let digest = digest_of(&text);
    let mut data = Vec::with_capacity(orders.len());
    let scope = caller.idempotency_scope("POST /emails/batch");
    for (index, checked) in orders.into_iter().enumerate() {
        let scoped = key.as_ref().map(|key| format!("{scope}:{index}:{key}"));
        let once = Once { key: scoped.as_deref(), digest };
        data.push(ResendId { id: accept(&state, checked, once, now).await?.id });
    }
    Ok(Json(ResendIds { data }))
}

/// Look at an email (Resend's shape)
#[utoipa::path(
    get, path = "/emails/{id}", tag = "emails", operation_id = "resendGetEmail",
    params(("id" = String, Path, description = "The email's id, a UUID")),
    responses(
        (status = 200, description = "The email", body = ResendEmailView),
        (status = 404, description = "No such email", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    caller: Result<Caller<DeliveriesRead>, ApiError>,
    id: Result<Path<String>, ApiError>,
) -> Result<Json<ResendEmailView>, Refusal> {
    let caller = caller?;
    let (email, deliveries) = find(&state, &id?.0).await?;
    let sender = state.settings.senders.iter().find(|profile| profile.name == email.sender);
    let from = sender
        .map_or_else(|| email.sender.clone(), |profile| format!("{} <{}>", profile.display_name, profile.address));
    let last_event = last_event(&email, &deliveries, state.clock.now());
    let content = email_content::open(state.secrets.as_deref(), email.id, email.content.as_deref()).ok();
    let subject = content.as_ref().and_then(|content| match &content.body {
        EmailBody::Given { subject, .. } if caller.may(Scope::EmailsWrite) => Some(subject.clone()),
        EmailBody::Given { .. } => Some(SEALED.to_owned()),
        EmailBody::Template(_) => email.template.clone(),
    });
    let reply_to = content.map(|content| content.reply_to).unwrap_or_default();
    let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    Ok(Json(ResendEmailView {
        object: "email",
        id: email.id,
        to: email.recipients.to,
        from,
        created_at: email.created_at,
        subject: subject.unwrap_or_default(),
        html: None,
        text: None,
        bcc: some(email.recipients.bcc),
        cc: some(email.recipients.cc),
        reply_to: some(reply_to),
        last_event,
        scheduled_at: email.send_at,
        tags: email.tags.into_iter().map(|(name, value)| ResendTagView { name, value }).collect(),
    }))
}

/// Call an email off (Resend's shape)
#[utoipa::path(
    post, path = "/emails/{id}/cancel", tag = "emails", operation_id = "resendCancelEmail",
    params(("id" = String, Path, description = "The email's id, a UUID")),
    responses(
        (status = 200, description = "It was called off", body = ResendCancelled),
        (status = 404, description = "No such email", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be called off any more", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    Shared(state): Shared<State>,
    caller: Result<Caller<EmailsWrite>, ApiError>,
    id: Result<Path<String>, ApiError>,
) -> Result<Json<ResendCancelled>, Refusal> {
    let actor = caller?.actor();
    let (id, _) = call_off(&state, &id?.0, &actor).await?;
    Ok(Json(ResendCancelled { object: "email", id }))
}

/// The word for the delivery that is furthest from well: who asks wants to know of that one.
fn last_event(email: &Email, deliveries: &[DeliveryRef], now: Timestamp) -> &'static str {
    use DeliveryState as S;
    let any = |states: &[S]| deliveries.iter().any(|row| states.contains(&row.state));
    if any(&[S::Failed, S::Expired, S::Unknown]) {
        "failed"
    } else if any(&[S::Suppressed]) {
        "suppressed"
    } else if any(&[S::Deferred, S::Held]) {
        "delivery_delayed"
    } else if any(&[S::Queued, S::Sending]) {
        if email.send_at.is_some_and(|at| at > now) { "scheduled" } else { "queued" }
    } else if any(&[S::Sent]) {
        "sent"
    } else {
        "canceled"
    }
}
