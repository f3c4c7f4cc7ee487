//! What a job is, apart from where it waits and who runs it. No I/O in here.
//!
//! 1. A caller names a [`Kind`], its arguments and where and when they should run: an [`Envelope`] ([`envelope`]).
//! 2. The envelope travels as compact bytes with a version in front ([`wire`]), so that any process of any release can
//!    tell at least what it cannot read.
//! 3. A worker finds the [`Job`] of that kind, runs it, and the author of the job must say how it ended: an
//!    [`Outcome`] ([`outcome`]). [`RetryPolicy`] turns a failure into a time ([`retry`]).
//! 4. Time and chance are parameters: [`Clock`], [`Chance`] and [`IdSource`] ([`clock`], [`chance`], [`id`]).

pub mod chance;
pub mod clock;
pub mod control;
pub mod duration;
pub mod envelope;
pub mod id;
pub mod name;
pub mod outcome;
pub mod retry;
pub mod state;
pub mod traits;
pub mod wire;

pub use chance::Chance;
pub use clock::{Clock, ManualClock, SystemClock};
pub use control::{Control, Shield, Stop};
pub use envelope::Envelope;
pub use id::{IdSource, JobId};
pub use name::{CallerKey, InvalidName, Kind, Priority, QueueName, UniqueKey};
pub use outcome::{Completed, Outcome, Unfinished};
pub use retry::RetryPolicy;
pub use state::JobState;
pub use traits::{Attempt, FieldError, Job};
pub use wire::WireError;
