//! `POST /v1/bookings/{id}/events`: something happened to a booking.
//!
//! 1. The whole snapshot is checked ([`super::snapshot`]).
//! 2. The event becomes a row in the store: from here on it cannot be lost, whatever becomes of the queue.
//! 3. It is enqueued under the row's key, then answered 202. If the queue is away the answer is 503 and the row stays; a
//!    sweep or the caller's next try enqueues it, and the key makes sure that it happens once.
//! 4. The same version with the same content: enqueued again if the first job has ended (its fan-out is keyed, so nobody
//!    gets a second mail), answered 200 with the id of the first. With other content: 409.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use job::{Envelope, JobId, JobState};
use queue::Enqueue;
use serde::Deserialize;
use store::{BookingEventKind, NewBookingEvent, content_hash};
use utoipa::ToSchema;
use uuid::Uuid;

use super::snapshot::BookingBody;
use super::text::is_id;
use crate::auth::{BookingsWrite, Caller};
use crate::body::{Text, parse};
use crate::enqueue::{Accepted, enqueue_one};
use crate::error::{ApiError, Problem};
use crate::object::Object;
use crate::query::Path;
use crate::state::State;
use crate::trace_context::TraceParent;

/// Something happened to a booking.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    /// What happened: `confirmed`, `rescheduled`, `cancelled`, `completed` or `no_show`.
    #[schema(example = "confirmed")]
    event: String,
    /// The booking as it is now.
    #[schema(value_type = BookingBody)]
    booking: Object<BookingBody>,
}

/// Report what happened to a booking
///
/// `confirmed`, `rescheduled`, `cancelled`: student and instructor get a mail each, with an entry for their calendars, once
/// for each version; both are reminded before the lesson. `completed`: the student is asked for a review after a while.
/// `no_show`: nobody is written to. Events may come late, twice and in any order: the highest version counts.
#[utoipa::path(
    post, path = "/v1/bookings/{id}/events", tag = "bookings", operation_id = "createBookingEvent",
    request_body = EventBody,
    params(
        ("id" = String, Path, description = "The booking's id: 1 to 128 of A-Z a-z 0-9 . _ ~ -"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context; the job goes on with the trace."),
    ),
    responses(
        (status = 202, description = "Accepted", body = Accepted),
        (status = 200, description = "This version was accepted before: `duplicate` is true", body = Accepted),
        (status = 409, description = "This version was accepted with other content", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    Shared(state): Shared<State>,
    _: Caller<BookingsWrite>,
    Path(booking_id): Path<String>,
    TraceParent(trace): TraceParent,
    Text(text): Text,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    if !is_id(&booking_id) {
        return Err(ApiError::invalid("id", "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected"));
    }
    let body: EventBody = parse(&text)?;
    let now = state.clock.now();
    // What the event becomes, under an id that is yet to be given.
    let event = event_of(&body.event)?;
    let mut job = worker::intents::booking_event(&booking_id, body.booking.0.version(), event, Uuid::nil(), now);
    job.trace_parent = trace;
    let under = |id: Uuid| Enqueue::from(Envelope { id: JobId::from_uuid(id), ..job.clone() });
    let (version, snapshot) = body.booking.0.check().map_err(ApiError::invalid_fields)?;
    let new = NewBookingEvent {
        content_hash: content_hash(event, &snapshot),
        job_id: state.new_id(&job.queue).uuid(),
        booking_id,
        version,
        event,
        snapshot,
    };
    match state.store.accept_event(&new, now).await? {
        store::Accepted::New { job_id } => {
            let accepted = enqueued(&state, under(job_id)).await?;
            // The sweep may have been quicker; for the caller the event is new all the same.
            Ok((StatusCode::ACCEPTED, Json(Accepted { duplicate: false, ..accepted })))
        }
        store::Accepted::Duplicate { job_id } => {
            let mut accepted = enqueued(&state, under(job_id)).await?;
            if accepted.duplicate && accepted.state.is_none_or(JobState::is_terminal) {
                accepted.state = enqueued(&state, under(state.new_id(&job.queue).uuid())).await?.state;
            }
            let first = JobId::from_uuid(job_id);
            Ok((StatusCode::OK, Json(Accepted { id: first, duplicate: true, ..accepted })))
        }
        store::Accepted::Conflict => {
            let message = format!("version {version} of this booking was accepted with other content");
            Err(ApiError::conflict(format!("{message}: send a higher one.")).field("booking.version", message))
        }
    }
}

/// Enqueues the event's job. Who holds its key must be a job of this event: it would be untrue to call one accepted whose
/// place another job has taken.
async fn enqueued(state: &State, job: Enqueue) -> Result<Accepted, ApiError> {
    let kind = job.envelope.kind.clone();
    let accepted = enqueue_one(state, job).await?;
    if accepted.kind != kind.as_str() {
        tracing::error!(job_id = %accepted.id, kind = accepted.kind, "a job of another kind holds the key of an event");
        return Err(ApiError::unavailable("The event is stored and cannot be enqueued: another job holds its key."));
    }
    Ok(accepted)
}

/// The event of this name. Errors: 422 for an unknown one.
fn event_of(word: &str) -> Result<BookingEventKind, ApiError> {
    word.parse().map_err(|_| {
        let accepted: Vec<&str> = BookingEventKind::ALL.iter().map(|event| event.as_str()).collect();
        let word: String = word.chars().take(40).collect();
        ApiError::invalid("event", format!("{word:?} is not accepted; accepted: {}", accepted.join(", ")))
    })
}
