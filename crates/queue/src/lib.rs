//! The queue: where jobs wait, who has leased them, and what became of them.
//!
//! The seam is [`Broker`]: two backends implement it, Redis ([`redis`]) for many machines and SQLite ([`sqlite`]) for
//! one, and one conformance suite (`tests/conformance`) holds both to the same words. Everything above the seam
//! (the API, the workers, the command line) is written against the trait.
//!
//! Why our own and not a library's: a lost worker's jobs must run elsewhere, a late worker must not be able to finish
//! them twice, poison must not bury its neighbours, and a million jobs due at once must not stop the server. The
//! transports that were measured fall short of one or more of these (see the README's table).

pub mod apalis;
pub mod broker;
pub mod consumer;
pub mod error;
pub mod front;
pub mod lease;
pub mod record;
pub mod redis;
pub mod settings;
pub mod sqlite;

pub use broker::{Broker, Enqueue, Enqueued, Reservation};
pub use error::BrokerError;
pub use front::Front;
pub use lease::{Disposition, Exchange, Extended, Finish, FinishResult, Lease, LeaseRequest, Leased, Maintained, Solo};
pub use record::{Cancelled, Cursor, Filter, JobRecord, Page, PastError, QueueStats, Redriven};
pub use settings::{Retention, Settings, Time};
