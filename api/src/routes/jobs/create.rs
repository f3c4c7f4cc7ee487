//! `POST /v1/jobs`: one job.
//!
//! 1. Read and check: [`NewJob::accept`].
//! 2. With an `Idempotency-Key`: reserve the id under it. A repeated request goes on with the id of the first, so that
//!    it finishes what a crash may have left between reserving and enqueueing; another payload is 409.
//! 3. Enqueue, answer 202; 200 and `"duplicate":true` if it was there already.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use queue::{Enqueue, Reservation};
use store::Scope;

use super::request::NewJob;
use crate::auth::{Caller, JobsWrite};
use crate::body::{Text, parse};
use crate::enqueue::{Accepted, enqueue_one};
use crate::error::{ApiError, Problem};
use crate::idempotency::{IdempotencyKey, conflict, digest_of};
use crate::state::State;
use crate::trace_context::TraceParent;

/// The route, as part of an idempotency key's scope.
const ROUTE: &str = "POST /v1/jobs";

/// Enqueue a job
///
/// It runs as soon as a worker is free, or at `run_at`, or after `delay`.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", operation_id = "createJob", request_body = NewJob,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters. A repeated \
            request under it is answered with the first job for 24 hours; another payload under it with 409."),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context; the job goes on with the trace."),
    ),
    responses(
        (status = 202, description = "Accepted", body = Accepted),
        (status = 200, description = "It was accepted before: `duplicate` is true", body = Accepted),
        (status = 409, description = "The idempotency key was used for another payload", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Unknown kind, bad arguments, `run_at` with `delay` …", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    Shared(state): Shared<State>,
    caller: Caller<JobsWrite>,
    IdempotencyKey(key): IdempotencyKey,
    TraceParent(trace): TraceParent,
    Text(text): Text,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let new: NewJob<'_> = parse(&text)?;
    let internal = caller.may(Scope::JobsInternal);
    let mut envelope = new.accept(&state, internal, trace.as_deref(), state.clock.now())?;
    let once = key.is_some();
    if let Some(key) = key {
        let scope = caller.idempotency_scope(ROUTE);
        match state.broker.reserve(&scope, &key, digest_of(&text), envelope.id).await? {
            Reservation::New => {}
            Reservation::Same(first) => envelope.id = first,
            Reservation::Conflict => return Err(conflict()),
        }
    }
    let accepted = enqueue_one(&state, Enqueue { envelope, once }).await?;
    let status = if accepted.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(accepted)))
}
