//! `GET /v1/people/{email}/export`.
//!
//! The export has the shape of the store's own records, so that nothing which is kept can be left out of it by mistake.
//! Sealed content is opened; where its key is gone it is told that it is there.

use axum::Json;
use axum::extract::State as Shared;
use serde_json::{Value, json};
use store::{Booking, BookingEvent, Email, PersonMail, SubjectOf, Suppression};
use worker::email_content;

use super::address;
use crate::auth::{Caller, Operate};
use crate::error::{ApiError, Problem};
use crate::query::Path;
use crate::state::State;

/// Export a person
///
/// Everything that is kept of them, as one JSON document. Needs `admin`.
#[utoipa::path(
    get, path = "/v1/people/{email}/export", tag = "people", operation_id = "exportPerson",
    params(("email" = String, Path, description = "The person's address")),
    responses(
        (status = 200, description = "What is kept: bookings, booking_events, mails, emails, suppressions, searches", body = Value),
        (status = 422, description = "Not an address", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn export(
    Shared(state): Shared<State>,
    _: Caller<Operate>,
    Path(email): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let address = address(&email)?;
    let kept = state.store.export_person(address.as_str()).await?;
    let mut searches = Vec::new();
    for id in state.store.person_ids(address.as_str()).await? {
        searches.extend(state.store.export_search_subject(&id, SubjectOf::User).await?);
    }
    Ok(Json(json!({
        "email": address.as_str(),
        "exported_at": state.clock.now(),
        "bookings": kept.bookings.iter().map(booking).collect::<Vec<_>>(),
        "booking_events": kept.booking_events.iter().map(event).collect::<Vec<_>>(),
        "mails": kept.mails.iter().map(mail).collect::<Vec<_>>(),
        "emails": kept.emails.iter().map(|email| sent(&state, email)).collect::<Vec<_>>(),
        "suppressions": kept.suppressions.iter().map(suppression).collect::<Vec<_>>(),
        "searches": searches,
    })))
}

fn booking(b: &Booking) -> Value {
    json!({
        "id": b.id, "version": b.version, "status": b.status, "service": b.service, "starts_at": b.starts_at,
        "duration_minutes": b.duration_minutes, "location": b.location, "url": b.url, "price": b.price,
        "student": b.student, "instructor": b.instructor, "reason": b.reason, "cancelled_by": b.cancelled_by,
        "updated_at": b.updated_at,
    })
}

fn event(e: &BookingEvent) -> Value {
    json!({
        "booking_id": e.booking_id, "version": e.version, "event": e.event, "booking": e.snapshot, "state": e.state,
        "received_at": e.received_at,
    })
}

fn mail(m: &PersonMail) -> Value {
    let d = &m.delivery;
    let attempts: Vec<Value> = m
        .attempts
        .iter()
        .map(|a| json!({ "n": a.n, "started_at": a.started_at, "outcome": a.outcome, "code": a.code, "text": a.text }))
        .collect();
    let events: Vec<Value> =
        m.events.iter().map(|e| json!({ "at": e.at, "kind": e.kind, "status": e.status, "text": e.text })).collect();
    json!({
        "id": d.id, "template": d.template, "sender": d.sender, "category": d.category, "recipient": d.recipient,
        "recipient_name": d.recipient_name, "locale": d.locale, "data": d.data, "calendar": d.calendar,
        "booking_id": d.booking_id, "email_id": d.email_id, "subject": d.subject, "state": d.state,
        "created_at": d.created_at, "sent_at": d.sent_at, "attempts": attempts, "events": events,
    })
}

fn sent(state: &State, email: &Email) -> Value {
    let content = email_content::open(state.secrets.as_deref(), email.id, email.content.as_deref());
    json!({
        "id": email.id, "sender": email.sender, "template": email.template, "to": email.recipients.to,
        "cc": email.recipients.cc, "tags": email.tags, "send_at": email.send_at, "created_at": email.created_at,
        "content": content.ok().map(|content| json!(content)),
        "content_kept": email.content.is_some(),
    })
}

fn suppression(s: &Suppression) -> Value {
    json!({
        "address": s.address, "covers": s.covers, "reason": s.reason, "detail": s.detail, "created_at": s.created_at,
        "lifted_at": s.lifted_at,
    })
}
