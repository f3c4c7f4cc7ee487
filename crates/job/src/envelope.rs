//! The envelope: a job as it waits in a queue.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::id::JobId;
use crate::name::{Kind, Priority, QueueName, UniqueKey};
use crate::traits::Job;

/// A job and all that a queue needs to know of it. What changes while it lives (state, attempts, errors) is kept by
/// the broker beside it; `attempt` is the broker's count at the time of reading and is not part of the wire form.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The job's id.
    pub id: JobId,
    /// What is to be done.
    pub kind: Kind,
    /// Where it waits.
    pub queue: QueueName,
    /// The arguments: a JSON object, kept as text so that it is only parsed by the job itself.
    pub args: Box<RawValue>,
    /// Urgency among the due jobs of the queue.
    pub priority: Priority,
    /// Which attempt this is, from 1; 0 before the first lease.
    pub attempt: u32,
    /// Attempts after which a retry becomes `dead`, 1 to 65,535.
    pub max_attempts: u32,
    /// How long one attempt may take, to the millisecond, up to 49 days.
    pub timeout: Duration,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it first is due.
    pub run_at: Timestamp,
    /// After this instant it is not started any more.
    pub expires_at: Option<Timestamp>,
    /// At most one live job of the queue holds this key.
    pub unique_key: Option<UniqueKey>,
    /// How long the unique key holds after the job's end, to the second.
    pub unique_for: Duration,
    /// W3C Trace Context `traceparent` of who asked for it, so that one trace spans request and job.
    pub trace_parent: Option<String>,
    /// Words to find it by, at most 16 of at most 64 bytes.
    pub tags: Vec<String>,
}

impl Envelope {
    /// An envelope for `job`, due now, with the kind's own queue and limits.
    ///
    /// Errors: [`serde_json::Error`] if the arguments cannot be written as JSON.
    pub fn of<J: Job + Serialize>(job: &J, id: JobId, now: Timestamp) -> Result<Self, serde_json::Error> {
        let args = serde_json::value::to_raw_value(job)?;
        Ok(Self::raw(id, J::kind(), J::queue(), args, now).with_limits(J::MAX_ATTEMPTS, J::TIMEOUT))
    }

    /// An envelope from parts, due now, with the default limits (20 attempts of 60 s).
    #[must_use]
    pub fn raw(id: JobId, kind: Kind, queue: QueueName, args: Box<RawValue>, now: Timestamp) -> Self {
        Self {
            id,
            kind,
            queue,
            args,
            priority: Priority::default(),
            attempt: 0,
            max_attempts: 20,
            timeout: Duration::from_secs(60),
            created_at: now,
            run_at: now,
            expires_at: None,
            unique_key: None,
            unique_for: Duration::ZERO,
            trace_parent: None,
            tags: Vec::new(),
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, max_attempts: u32, timeout: Duration) -> Self {
        (self.max_attempts, self.timeout) = (max_attempts, timeout);
        self
    }

    /// The same under a unique key.
    #[must_use]
    pub fn with_unique_key(mut self, key: UniqueKey) -> Self {
        self.unique_key = Some(key);
        self
    }
}
