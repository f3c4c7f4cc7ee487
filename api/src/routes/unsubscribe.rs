//! `/unsubscribe/{token}`: the link in the head of every report (RFC 8058), for its reader and for their mail program.
//!
//! The token names the mail that it stands in and proves that we made it; no key is needed. Looking (GET) changes nothing,
//! since programs follow links to check them. Acting (POST) suppresses the reader's address for reports and for nothing
//! else, and can be taken back on the same page.

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use job::Job;
use secrets::Purpose;
use store::{
    Covers, Delivery, DeliveryEvent, DeliveryEventKind, Lifting, NewSuppression, StoreError, SuppressionReason, Which,
};
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use crate::body::Form;
use crate::pages::unsubscribe::{Shown, page};
use crate::query::Path;
use crate::state::State;

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Who suppresses, in the list.
const READER: &str = "the reader";

/// The page. It is for people and mail programs, so it is not part of the API's description.
pub fn pages() -> Router<State> {
    Router::new().route("/unsubscribe/{token}", get(show).post(act))
}

async fn show(Shared(state): Shared<State>, Path(token): Path<String>) -> Response<Body> {
    match mail_of(&state, &token).await {
        Ok(Some(mail)) => {
            let who = masked(&mail);
            match state.store.find_suppression(&mail.recipient, &[], mail.category).await {
                Ok(Some(found)) if found.reason == SuppressionReason::Unsubscribe => answer(Shown::Done(&who)),
                Ok(_) => answer(Shown::Ask(&who)),
                Err(e) => away(&e),
            }
        }
        Ok(None) => answer(Shown::Invalid),
        Err(e) => away(&e),
    }
}

async fn act(Shared(state): Shared<State>, Path(token): Path<String>, Form(form): Form) -> Response<Body> {
    let mail = match mail_of(&state, &token).await {
        Ok(Some(mail)) => mail,
        Ok(None) => return answer(Shown::Invalid),
        Err(e) => return away(&e),
    };
    // A mail program posts `List-Unsubscribe=One-Click` (RFC 8058 §3.2), the page its own field.
    let undo = form.iter().any(|(name, value)| name == "action" && value == "undo");
    let done = if undo { undo_for(&state, &mail).await } else { unsubscribe(&state, &mail).await };
    let who = masked(&mail);
    match done {
        Ok(()) if undo => answer(Shown::Undone(&who)),
        Ok(()) => answer(Shown::Done(&who)),
        Err(e) => away(&e),
    }
}

/// The mail whose link this is; none if it is not ours, has expired, or its reader was erased.
async fn mail_of(state: &State, token: &str) -> Result<Option<Delivery>, StoreError> {
    let Some(ring) = &state.secrets else { return Ok(None) };
    let Ok(id) = ring.verify_link(Purpose::Unsubscribe, token, state.clock.now()) else { return Ok(None) };
    let Ok(id) = Uuid::try_parse(&id) else { return Ok(None) };
    let found = state.store.get_delivery(id).await?.map(|(delivery, _)| delivery);
    Ok(found.filter(|mail| mail.category.can_be_unsubscribed() && mail.recipient != store::ERASED_ADDRESS))
}

async fn unsubscribe(state: &State, mail: &Delivery) -> Result<(), StoreError> {
    let now = state.clock.now();
    let lower = mail.recipient.to_lowercase();
    let new = NewSuppression {
        id: new_id(state),
        address_hash: state.shadow(&lower),
        address: lower,
        covers: Covers::Report,
        reason: SuppressionReason::Unsubscribe,
        detail: None,
        delivery_id: Some(mail.id),
        actor: READER.to_owned(),
    };
    state.store.add_suppression(&new, now).await?;
    let event = DeliveryEvent {
        delivery_id: mail.id,
        at: now,
        kind: DeliveryEventKind::Unsubscribe,
        verified: true,
        status: None,
        text: None,
    };
    state.store.add_delivery_event(new_id(state), &event, b"unsubscribe").await?;
    Ok(())
}

async fn undo_for(state: &State, mail: &Delivery) -> Result<(), StoreError> {
    let which = Which::Unsubscribed(mail.recipient.clone());
    // What it held is found by the sweep: nobody waits for a report in front of this page.
    let by = Lifting { actor: READER, shadows: &|address| state.shadows(address), new_id: &|| new_id(state) };
    state.store.lift_suppressions(&which, &by, state.clock.now()).await?;
    Ok(())
}

fn new_id(state: &State) -> Uuid {
    state.new_id(&EmailSend::queue()).uuid()
}

/// The address as its owner recognises it: the link may be forwarded.
fn masked(mail: &Delivery) -> String {
    telemetry::redact::Address(&mail.recipient).to_string()
}

fn away(error: &StoreError) -> Response<Body> {
    tracing::warn!(%error, "an unsubscribe page could not be answered");
    answer(Shown::Away)
}

fn answer(shown: Shown<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(page(shown)));
    *response.status_mut() = match shown {
        Shown::Ask(_) | Shown::Done(_) | Shown::Undone(_) => StatusCode::OK,
        Shown::Invalid => StatusCode::NOT_FOUND,
        Shown::Away => StatusCode::SERVICE_UNAVAILABLE,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
