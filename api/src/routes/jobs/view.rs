//! How a job looks from outside: [`JobView`] with all that is known of it, [`JobSummary`] in lists.

use jiff::Timestamp;
use job::{Envelope, JobId, JobState, WireError};
use queue::{JobRecord, PastError};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use worker::Registry;

/// A job in a list: without arguments and result, which may be large.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobSummary {
    /// The job's id.
    #[schema(value_type = String, format = Uuid)]
    pub id: JobId,
    /// What is to be done; null if the job cannot be read.
    pub kind: Option<String>,
    /// Where it waits.
    pub queue: String,
    /// scheduled, available, running, completed, dead, cancelled or expired.
    #[schema(value_type = String, example = "completed")]
    pub state: JobState,
    /// 0 (most urgent) to 9.
    pub priority: Option<u8>,
    /// Attempts begun and charged.
    pub attempt: u32,
    /// Attempts before it is dead.
    pub max_attempts: Option<u32>,
    /// How often a worker was lost with it.
    pub losses: u32,
    /// When it was enqueued.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it first was due.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub run_at: Option<Timestamp>,
    /// When it is due next, while it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// When the latest attempt began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// After this instant it is not started any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The key that it holds.
    pub unique_key: Option<String>,
    /// The words to find it by.
    pub tags: Vec<String>,
    /// A cancel was asked for while it runs.
    pub cancel_requested: bool,
    /// The error of the latest attempt that failed.
    pub last_error: Option<String>,
}

/// A job with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// The job, as in lists.
    #[serde(flatten)]
    pub summary: JobSummary,
    /// The arguments; null if the job cannot be read, or if they tell of people (`search.ingest`).
    #[schema(value_type = Option<Object>)]
    pub args: Option<Box<RawValue>>,
    /// How long one attempt may take, as a text such as `60s`.
    #[schema(value_type = Option<String>, example = "1m")]
    pub timeout: Option<String>,
    /// How long the unique key is held after the end.
    #[schema(value_type = Option<String>, example = "0ms")]
    pub unique_for: Option<String>,
    /// The trace it belongs to (W3C `traceparent`).
    pub traceparent: Option<String>,
    /// The attempts that failed, oldest first: the latest ten.
    pub attempts: Vec<FailedAttempt>,
    /// What the job left; null if nothing.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Box<RawValue>>,
    /// Why it was last put off without costing an attempt.
    pub snoozed: Option<String>,
    /// Why the job cannot be read, if it cannot.
    pub unreadable: Option<String>,
}

/// An attempt that failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailedAttempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What went wrong.
    pub error: String,
}

impl From<PastError> for FailedAttempt {
    fn from(past: PastError) -> Self {
        Self { attempt: past.attempt, at: past.at, error: past.error }
    }
}

impl From<&JobRecord> for JobSummary {
    fn from(record: &JobRecord) -> Self {
        let read: Option<&Envelope> = record.envelope.as_ref().ok();
        Self {
            id: record.id,
            kind: read.map(|e| e.kind.to_string()),
            queue: record.queue.to_string(),
            state: record.state,
            priority: read.map(|e| e.priority.get()),
            attempt: record.attempt,
            max_attempts: read.map(|e| e.max_attempts),
            losses: record.losses,
            created_at: read.map(|e| e.created_at),
            run_at: read.map(|e| e.run_at),
            due_at: record.due_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            expires_at: read.and_then(|e| e.expires_at),
            unique_key: read.and_then(|e| e.unique_key.as_ref()).map(|key| key.shown().to_owned()),
            tags: read.map(|e| e.tags.clone()).unwrap_or_default(),
            cancel_requested: record.cancel_requested,
            last_error: record.errors.last().map(|past| past.error.clone()),
        }
    }
}

impl JobView {
    /// The job; its arguments only if `registry` has them shown.
    #[must_use]
    pub fn of(record: JobRecord, registry: &Registry) -> Self {
        let summary = JobSummary::from(&record);
        let unreadable = record.envelope.as_ref().err().map(WireError::to_string);
        let read = record.envelope.ok();
        Self {
            summary,
            timeout: read.as_ref().map(|e| job::duration::format(e.timeout)),
            unique_for: read.as_ref().filter(|e| !e.unique_for.is_zero()).map(|e| job::duration::format(e.unique_for)),
            traceparent: read.as_ref().and_then(|e| e.trace_parent.clone()),
            args: read.filter(|e| registry.shows_args(&e.kind)).map(|e| e.args),
            attempts: record.errors.into_iter().map(FailedAttempt::from).collect(),
            result: record.result.map(as_json),
            snoozed: record.snoozed,
            unreadable,
        }
    }
}

/// A result is JSON text; what is not (it was cut) is shown as a string.
fn as_json(text: String) -> Box<RawValue> {
    RawValue::from_string(text.clone())
        .unwrap_or_else(|_| serde_json::value::to_raw_value(&text).expect("a string can be written as JSON"))
}
