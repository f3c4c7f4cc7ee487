//! `/mailbox`, in `postrider dev` only: the caught mails, as a page and as data.
//!
//! A mail is foreign input: its HTML is never part of a page. It has a route of its own, whose policy lets it load
//! nothing, run nothing and reach nothing, and is shown in a sandboxed frame.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use mail::{CaughtMail, Inbox};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{ApiError, Problem};
use crate::pages::mailbox::{CSS, ICON, JS, View, page};
use crate::query::{Params, Path};
use crate::state::{Dev, State};

/// The policy of a mail's HTML.
pub(super) const MAIL_POLICY: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";
/// The policy of the page: its own files and the frame.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The documented part.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(messages))
        .routes(routes!(message))
        .routes(routes!(raw))
        .routes(routes!(html))
        .routes(routes!(text))
        .routes(routes!(zone))
}

/// The page and its files.
pub fn pages() -> Router<State> {
    Router::new()
        .route("/mailbox", get(mailbox))
        .route("/mailbox/mailbox.css", get(|| async { asset("text/css; charset=utf-8", CSS) }))
        .route("/mailbox/mailbox.js", get(|| async { asset("text/javascript; charset=utf-8", JS) }))
        .route("/mailbox/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
}

/// A caught mail: describes what the mail crate writes.
#[derive(Debug, Serialize, ToSchema)]
struct Message {
    /// Its id.
    id: String,
    /// The From address.
    from: String,
    /// The To address.
    to: String,
    /// The subject.
    subject: String,
    /// When it was caught.
    #[schema(format = DateTime)]
    received_at: String,
    /// The verdict on SPF (RFC 8601 §2.7.2).
    #[schema(example = "pass")]
    spf: String,
    /// The verdict on DKIM.
    #[schema(example = "pass")]
    dkim: String,
    /// The verdict on DMARC.
    #[schema(example = "pass")]
    dmarc: String,
}

/// List the caught mails
///
/// Newest first.
#[utoipa::path(
    get, path = "/mailbox/messages", tag = "mailbox", operation_id = "listMessages", security(()),
    responses((status = 200, description = "All caught mails", body = Vec<Message>))
)]
async fn messages(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, ApiError> {
    let inbox = &dev(&state)?.inbox;
    let tag = format!("\"{}-{}\"", inbox.received(), inbox.len());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let list: Vec<Arc<CaughtMail>> = inbox.list();
    let seen: Vec<&CaughtMail> = list.iter().map(AsRef::as_ref).collect();
    Ok(([(header::ETAG, tag)], no_store(), Json(seen)).into_response())
}

/// Look at a caught mail
#[utoipa::path(
    get, path = "/mailbox/messages/{id}", tag = "mailbox", operation_id = "getMessage", security(()),
    params(("id" = String, Path, description = "The mail's id")),
    responses(
        (status = 200, description = "The mail", body = Message),
        (status = 404, description = "No such mail", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn message(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&dev(&state)?.inbox, &id)?;
    Ok((no_store(), Json(mail.as_ref())).into_response())
}

/// The mail as it was received
#[utoipa::path(
    get, path = "/mailbox/messages/{id}/raw", tag = "mailbox", operation_id = "getMessageRaw", security(()),
    params(("id" = String, Path, description = "The mail's id")),
    responses((status = 200, description = "RFC 5322", body = String, content_type = "message/rfc822"))
)]
async fn raw(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&dev(&state)?.inbox, &id)?;
    Ok((typed("message/rfc822"), no_store(), mail.raw.clone()).into_response())
}

/// The mail's HTML
#[utoipa::path(
    get, path = "/mailbox/messages/{id}/html", tag = "mailbox", operation_id = "getMessageHtml", security(()),
    params(("id" = String, Path, description = "The mail's id")),
    responses((status = 200, description = "HTML that may load and run nothing", body = String, content_type = "text/html"))
)]
async fn html(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&dev(&state)?.inbox, &id)?;
    let html = mail.html_with_pictures().ok_or_else(|| ApiError::not_found("This mail has no HTML part."))?;
    let policy = [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY))];
    Ok((typed("text/html; charset=utf-8"), policy, no_store(), html).into_response())
}

/// The mail's text
#[utoipa::path(
    get, path = "/mailbox/messages/{id}/text", tag = "mailbox", operation_id = "getMessageText", security(()),
    params(("id" = String, Path, description = "The mail's id")),
    responses((status = 200, description = "The text part", body = String, content_type = "text/plain"))
)]
async fn text(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&dev(&state)?.inbox, &id)?;
    let text = mail.text().ok_or_else(|| ApiError::not_found("This mail has no text part."))?;
    Ok((typed("text/plain; charset=utf-8"), no_store(), text).into_response())
}

/// The zone that mails are verified against
#[utoipa::path(
    get, path = "/mailbox/zone", tag = "mailbox", operation_id = "getZone", security(()),
    responses((status = 200, description = "Master-file text (RFC 1035 §5), absolute names", body = String, content_type = "text/plain"))
)]
async fn zone(Shared(state): Shared<State>) -> Result<Response, ApiError> {
    let zone = (dev(&state)?.zone)();
    Ok((typed("text/plain; charset=utf-8"), no_store(), zone).into_response())
}

/// The page. `message` is what is open, `view` how.
async fn mailbox(Shared(state): Shared<State>, headers: HeaderMap, mut params: Params) -> Result<Response, ApiError> {
    let inbox = &dev(&state)?.inbox;
    let view = params.parsed::<View>("view")?.unwrap_or_default();
    let wanted = params.text("message")?;
    params.end()?;
    let list = inbox.list();
    let open = wanted.as_deref().and_then(|id| inbox.get(id));
    let status = if wanted.is_some() && open.is_none() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:8080");
    let policy = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let page = page(&list, open.as_ref(), wanted.is_some(), view, host);
    Ok((status, typed("text/html; charset=utf-8"), policy, no_store(), page).into_response())
}

pub(super) fn dev(state: &State) -> Result<&Dev, ApiError> {
    state.dev.as_ref().ok_or_else(|| ApiError::not_found("The mailbox exists in `postrider dev` only."))
}

fn find(inbox: &Inbox, id: &str) -> Result<Arc<CaughtMail>, ApiError> {
    inbox.get(id).ok_or_else(|| ApiError::not_found("There is no mail of this id; a restart empties the mailbox."))
}

pub(super) fn typed(media_type: &'static str) -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]
}

pub(super) fn no_store() -> [(HeaderName, HeaderValue); 1] {
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}

pub(super) fn asset(media_type: &'static str, text: &'static str) -> Response {
    (typed(media_type), [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], text).into_response()
}
