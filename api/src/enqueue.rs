//! The one place where the API hands jobs to the queue, and what a caller is told about a job that was accepted.

use jiff::Timestamp;
use job::{Envelope, JobId, JobState};
use queue::{Enqueue, Enqueued, JobRecord};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Fault};
use crate::state::State;

/// A job that was accepted, or that was there already.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Accepted {
    /// The job's id.
    #[schema(value_type = String, format = Uuid, example = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
    pub id: JobId,
    /// What is to be done.
    #[schema(example = "debug.noop")]
    pub kind: String,
    /// Where it waits.
    #[schema(example = "debug")]
    pub queue: String,
    /// Its state; null for a duplicate whose job ended so long ago that it is no longer kept.
    #[schema(value_type = Option<String>, example = "available")]
    pub state: Option<JobState>,
    /// When it is, or was, first due.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub run_at: Option<Timestamp>,
    /// Present and true if nothing was enqueued, because this job was accepted before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

impl Accepted {
    fn new(envelope: &Envelope, now: Timestamp) -> Self {
        let state = if envelope.run_at > now { JobState::Scheduled } else { JobState::Available };
        Self {
            id: envelope.id,
            kind: envelope.kind.to_string(),
            queue: envelope.queue.to_string(),
            state: Some(state),
            run_at: Some(envelope.run_at),
            duplicate: false,
        }
    }

    fn duplicate(id: JobId, envelope: &Envelope, found: Option<JobRecord>) -> Self {
        let state = found.as_ref().map(|record| record.state);
        let (kind, run_at) = match found.map(|record| record.envelope) {
            Some(Ok(first)) => (first.kind.to_string(), Some(first.run_at)),
            _ => (envelope.kind.to_string(), None),
        };
        Self { id, kind, queue: envelope.queue.to_string(), state, run_at, duplicate: true }
    }
}

/// Enqueues the jobs of rows that are written. A queue that is away is no refusal: a sweep finds them, and a caller who
/// were told to come again would do it twice.
pub async fn enqueue_written(state: &State, jobs: &[Enqueue]) -> Result<(), ApiError> {
    if jobs.is_empty() {
        return Ok(());
    }
    match enqueue(state, jobs).await {
        Err(e) if e.fault() == Fault::Unavailable => {
            tracing::warn!(jobs = jobs.len(), "accepted while the queue is away: a sweep enqueues them");
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Enqueues jobs in one call; the answers are in the same order. Those that were there already are looked up, so that
/// the caller learns how far they are.
pub async fn enqueue(state: &State, jobs: &[Enqueue]) -> Result<Vec<Accepted>, ApiError> {
    let outcomes = state.broker.enqueue(jobs).await?;
    let now = state.clock.now();
    let mut answers = Vec::with_capacity(jobs.len());
    let mut run = Run::default();
    for (job, outcome) in jobs.iter().zip(outcomes) {
        let envelope = &job.envelope;
        answers.push(match outcome {
            Enqueued::New => {
                run.add(state, envelope);
                Accepted::new(envelope, now)
            }
            Enqueued::Duplicate(id) => Accepted::duplicate(id, envelope, state.broker.get(id).await?),
        });
    }
    run.end(state);
    Ok(answers)
}

/// Enqueues one job.
pub async fn enqueue_one(state: &State, job: Enqueue) -> Result<Accepted, ApiError> {
    let mut answers = enqueue(state, std::slice::from_ref(&job)).await?;
    answers.pop().ok_or_else(|| ApiError::internal("the queue gave no answer for a job"))
}

/// Counts neighbours of the same queue and kind at once: a batch mostly holds one kind.
#[derive(Default)]
struct Run<'a> {
    of: Option<&'a Envelope>,
    count: u64,
}

impl<'a> Run<'a> {
    fn add(&mut self, state: &State, envelope: &'a Envelope) {
        let same = self.of.is_some_and(|first| first.kind == envelope.kind && first.queue == envelope.queue);
        if !same {
            self.end(state);
            self.of = Some(envelope);
        }
        self.count += 1;
    }

    fn end(&mut self, state: &State) {
        if let Some(envelope) = self.of.take() {
            state.meters.job(envelope.queue.as_str(), envelope.kind.as_str()).enqueued(self.count);
        }
        self.count = 0;
    }
}
