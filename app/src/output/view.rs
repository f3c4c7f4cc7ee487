//! The JSON of the command line: the same shapes as the HTTP API answers with, so that a script can be moved from one to
//! the other. A test compares them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use job::{Envelope, JobId, JobState, WireError};
use queue::{JobRecord, PastError, QueueStats};
use serde::Serialize;
use serde_json::value::RawValue;
use store::ApiKey;
use uuid::Uuid;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is complete.
    pub fn whole(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().collect(), next_cursor: None }
    }
}

/// A job that was enqueued, or that was there already.
#[derive(Debug, Serialize)]
pub struct Accepted {
    /// The job's id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// Where it waits.
    pub queue: String,
    /// Its state; null for a duplicate that is no longer kept.
    pub state: Option<JobState>,
    /// When it is, or was, first due.
    pub run_at: Option<Timestamp>,
    /// Present and true if nothing was enqueued.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// A job in a list.
#[derive(Debug, Serialize)]
pub struct JobSummary {
    id: JobId,
    kind: Option<String>,
    queue: String,
    state: JobState,
    priority: Option<u8>,
    attempt: u32,
    max_attempts: Option<u32>,
    losses: u32,
    created_at: Option<Timestamp>,
    run_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    unique_key: Option<String>,
    tags: Vec<String>,
    cancel_requested: bool,
    last_error: Option<String>,
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

/// A job with all that is known of it.
#[derive(Debug, Serialize)]
pub struct JobView {
    #[serde(flatten)]
    summary: JobSummary,
    args: Option<Box<RawValue>>,
    timeout: Option<String>,
    unique_for: Option<String>,
    traceparent: Option<String>,
    attempts: Vec<PastError>,
    result: Option<Box<RawValue>>,
    snoozed: Option<String>,
    unreadable: Option<String>,
}

impl From<JobRecord> for JobView {
    fn from(record: JobRecord) -> Self {
        let summary = JobSummary::from(&record);
        let unreadable = record.envelope.as_ref().err().map(WireError::to_string);
        let read = record.envelope.ok();
        Self {
            summary,
            timeout: read.as_ref().map(|e| job::duration::format(e.timeout)),
            unique_for: read.as_ref().filter(|e| !e.unique_for.is_zero()).map(|e| job::duration::format(e.unique_for)),
            traceparent: read.as_ref().and_then(|e| e.trace_parent.clone()),
            args: read.map(|e| e.args),
            attempts: record.errors,
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

/// A queue at a glance.
#[derive(Debug, Serialize)]
pub struct QueueView {
    name: String,
    paused: bool,
    counts: BTreeMap<&'static str, u64>,
    oldest_age_seconds: Option<f64>,
}

impl From<&QueueStats> for QueueView {
    fn from(stats: &QueueStats) -> Self {
        Self {
            name: stats.queue.to_string(),
            paused: stats.paused,
            counts: JobState::ALL.iter().map(|state| (state.as_str(), stats.count(*state))).collect(),
            oldest_age_seconds: stats.oldest.map(|age| age.as_secs_f64()),
        }
    }
}

/// An API key: everything but the key, unless it was just made.
#[derive(Debug, Serialize)]
pub struct KeyView {
    id: Uuid,
    name: String,
    prefix: String,
    scopes: Vec<&'static str>,
    rate_per_second: Option<u32>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The key itself, where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl KeyView {
    /// The same with the key itself.
    pub fn with_secret(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            rate_per_second: key.rate_per_second,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            secret: None,
        }
    }
}
