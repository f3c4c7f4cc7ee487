//! The trait that a job kind implements: one file a kind, its arguments being the type itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::control::Control;
use crate::id::JobId;
use crate::name::{Kind, QueueName};
use crate::outcome::Outcome;
use crate::retry::RetryPolicy;

/// A kind of job. The implementing type is its arguments: ids and facts, never secrets in clear.
pub trait Job: DeserializeOwned + Send + 'static {
    /// The kind's name: see [`Kind`] for what is allowed.
    const KIND: &'static str;
    /// The queue that it waits in unless the caller says otherwise.
    const QUEUE: &'static str;
    /// Attempts before a retry becomes `dead`.
    const MAX_ATTEMPTS: u32 = 20;
    /// How long one attempt may take.
    const TIMEOUT: Duration = Duration::from_secs(60);
    /// Whether only the platform itself, or a key with `jobs:internal`, may enqueue it.
    const INTERNAL: bool = false;
    /// Whether its arguments tell of people, so that the API shows them to nobody.
    const PRIVATE: bool = false;

    /// What the job may use while it runs.
    type Context: Send + Sync + 'static;

    /// What an attempt is given at least in this process, whatever its envelope says: for a kind whose steps have limits of
    /// their own, by the configuration, so that it ends by one of those.
    fn at_least(_context: &Self::Context) -> Duration {
        Duration::ZERO
    }

    /// When a failed attempt is tried again.
    fn retry_policy() -> RetryPolicy {
        RetryPolicy::default()
    }

    /// Refuses arguments that parse but make no sense, at the edge, before anything is accepted.
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        Ok(())
    }

    /// One attempt. It may be cut off at any await by its timeout or a cancel; it may run again after a crash.
    fn run(self, context: &Self::Context, attempt: &Attempt) -> impl Future<Output = Outcome> + Send;

    /// [`Job::KIND`], parsed.
    #[must_use]
    fn kind() -> Kind {
        Kind::new(Self::KIND).expect("the registry's test parses every kind's name")
    }

    /// [`Job::QUEUE`], parsed.
    #[must_use]
    fn queue() -> QueueName {
        QueueName::new(Self::QUEUE).expect("the registry's test parses every kind's queue")
    }
}

/// A field of the arguments that makes no sense, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// The field's path, such as `booking.student.email`.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl FieldError {
    /// A field error.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Which attempt of which job is running: what a job may know of itself.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job's id.
    pub job: JobId,
    /// The attempt's number, from 1.
    pub number: u32,
    /// The last attempt that a retry may have.
    pub max_attempts: u32,
    /// The lease token: proof towards a store that this attempt still owns its job.
    pub lease: u64,
    /// The instant after which the job is not to be started.
    pub expires_at: Option<Timestamp>,
    /// The handle by which it is asked to stop, and by which it shields what must not be cut in two.
    pub control: Arc<Control>,
}
