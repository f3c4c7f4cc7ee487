//! The worker: takes jobs from the queues, runs them, says how they ended.
//!
//! 1. [`registry`] lists every kind of job there is; [`jobs`] holds one file a kind.
//! 2. [`runner`] leases jobs through the queue's consumer and drives them with apalis, through the [`layers`].
//! 3. [`verdict`] turns the end of a run into what becomes of the job.
//! 4. [`intents`] names the jobs that stored rows stand for; [`sweep`] enqueues those whose job was lost.
//! 5. [`bookings`] says what follows from a booking: which mails, which reminders, and when.
//! 6. [`alerts`] says what alerts do to incidents, and who is told of them when.
//! 7. [`mailer`] holds what a mail needs on its way out, [`email_content`] what a caller had sealed, [`gate`] keeps in what
//!    would not authenticate, [`notices`] tells the operators; [`context`] is what a job may use.
//! 8. [`vitals`] watches the platform itself, [`heartbeats`] what has to report regularly.
//! 9. [`mod@schedule`] checks schedules as people write them; [`ticks`] ties jobs to what their schedule fired.
//! 10. [`search`] says what holds for search events, and when a window is counted again; [`search_report`] tells the
//!     operators what people searched for.

pub mod alerts;
pub mod bookings;
pub mod context;
pub mod email_content;
pub mod gate;
pub mod heartbeats;
pub mod intents;
pub mod jobs;
pub mod lacking;
pub mod layers;
pub mod mailer;
pub mod notices;
pub mod pace;
pub mod registry;
pub mod run;
pub mod runner;
pub mod schedule;
pub mod search;
pub mod search_report;
pub mod sweep;
pub mod ticks;
pub mod verdict;
pub mod vitals;

pub use context::Context;
pub use gate::Gate;
pub use mailer::Mailer;
pub use notices::Notices;
pub use registry::{KindEntry, Registry};
pub use runner::{Runner, RunnerSettings};
