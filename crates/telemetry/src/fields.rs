//! The names of log fields. One thing has one name, so that a search finds every line about it.
//!
//! Use them as `tracing::info!({ JOB_ID } = %id, …)`, or write the same word: `job_id = %id`.

/// The job's id, a UUID.
pub const JOB_ID: &str = "job_id";
/// The job's kind: `email.send`.
pub const KIND: &str = "kind";
/// The attempt, from 1.
pub const ATTEMPT: &str = "attempt";
/// The queue's name.
pub const QUEUE: &str = "queue";
/// The worker's id, unique to one process start.
pub const WORKER: &str = "worker";
/// How a run ended: an [`Outcome`](crate::metrics::Outcome) in words.
pub const OUTCOME: &str = "outcome";
/// How long something took, in milliseconds.
pub const DURATION_MS: &str = "duration_ms";
/// What went wrong, the whole chain in one line.
pub const ERROR: &str = "error";
/// Whether trying again can help.
pub const TRANSIENT: &str = "transient";
/// A delivery's id.
pub const DELIVERY_ID: &str = "delivery_id";
/// A schedule's name.
pub const SCHEDULE: &str = "schedule";
/// A booking's id.
pub const BOOKING_ID: &str = "booking_id";
/// A recipient, masked: [`Address`](crate::redact::Address).
pub const RECIPIENT: &str = "recipient";
/// A template's name.
pub const TEMPLATE: &str = "template";
/// A sender profile's name.
pub const SENDER: &str = "sender";
/// The id of one HTTP request.
pub const REQUEST_ID: &str = "request_id";
/// The route as a pattern: `/v1/jobs/{id}`.
pub const ROUTE: &str = "route";
/// The HTTP status of the answer.
pub const STATUS: &str = "status";
/// The id of the API key that called, never the key.
pub const KEY_ID: &str = "key_id";
