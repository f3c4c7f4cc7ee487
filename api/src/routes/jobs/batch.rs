//! `POST /v1/jobs/batch`: up to 1,000 jobs in one call, each standing for itself.
//!
//! 1. The good case reads the whole body once, straight into jobs. If that fails the body is read again, item by item,
//!    so that one bad item does not cost its neighbours.
//! 2. Those that pass are enqueued in one call. The answers are in the order of the items.

use axum::Json;
use axum::extract::State as Shared;
use queue::Enqueue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::Scope;
use utoipa::ToSchema;

use super::request::NewJob;
use crate::auth::{Caller, JobsWrite};
use crate::body::{BatchText, parse, parse_shape};
use crate::enqueue::{Accepted, enqueue};
use crate::error::{ApiError, Problem};
use crate::exact::repeated_member;
use crate::object::Object;
use crate::state::State;
use crate::trace_context::TraceParent;

/// The most jobs in one call.
const MOST: usize = 1_000;

/// Jobs to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJobs<'a> {
    /// 1 to 1,000 jobs.
    #[serde(borrow)]
    #[schema(max_items = 1000, min_items = 1)]
    #[schema(value_type = Vec<NewJob>)]
    jobs: Vec<Object<NewJob<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Items<'a> {
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
}

/// What became of each job, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Results {
    results: Vec<ItemResult>,
}

/// What became of one job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ItemResult {
    /// It was accepted, or was there already.
    Accepted(Accepted),
    /// It was refused; the others were not.
    Refused {
        /// Why.
        problem: Problem,
    },
}

/// Enqueue up to 1,000 jobs
///
/// Each item is accepted or refused for itself. The body may have 8 MiB.
#[utoipa::path(
    post, path = "/v1/jobs/batch", tag = "jobs", operation_id = "createJobs", request_body = NewJobs,
    responses(
        (status = 200, description = "One result for each job, in the same order", body = Results),
        (status = 413, description = "More than 8 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No job, or more than 1,000", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_many(
    Shared(state): Shared<State>,
    caller: Caller<JobsWrite>,
    TraceParent(trace): TraceParent,
    BatchText(text): BatchText,
) -> Result<Json<Results>, ApiError> {
    let internal = caller.may(Scope::JobsInternal);
    let now = state.clock.now();
    let accept = |job: NewJob<'_>| job.accept(&state, internal, trace.as_deref(), now).map(Enqueue::from);
    let read: Vec<Result<Enqueue, ApiError>> = match serde_json::from_str::<Object<NewJobs<'_>>>(&text) {
        Ok(Object(all)) if repeated_member(&text).is_none() => {
            check_count(all.jobs.len())?;
            all.jobs.into_iter().map(|Object(job)| accept(job)).collect()
        }
        _ => {
            let items: Items<'_> = parse_shape(&text)?;
            check_count(items.jobs.len())?;
            items.jobs.into_iter().map(|item| parse::<NewJob<'_>>(item.get()).and_then(accept)).collect()
        }
    };
    let mut jobs = Vec::with_capacity(read.len());
    let mut refused = Vec::with_capacity(read.len());
    for item in read {
        match item {
            Ok(job) => {
                jobs.push(job);
                refused.push(None);
            }
            Err(refusal) => refused.push(Some(refusal.problem())),
        }
    }
    let mut accepted = if jobs.is_empty() { Vec::new() } else { enqueue(&state, &jobs).await? }.into_iter();
    let mut results = Vec::with_capacity(refused.len());
    for refusal in refused {
        results.push(match (refusal, &mut accepted) {
            (Some(problem), _) => ItemResult::Refused { problem },
            (None, accepted) => ItemResult::Accepted(
                accepted.next().ok_or_else(|| ApiError::internal("the queue gave too few answers for a batch"))?,
            ),
        });
    }
    Ok(Json(Results { results }))
}

fn check_count(jobs: usize) -> Result<(), ApiError> {
    if (1..=MOST).contains(&jobs) {
        Ok(())
    } else {
        Err(ApiError::invalid("jobs", format!("1 to {MOST} jobs are expected, not {jobs}")))
    }
}
