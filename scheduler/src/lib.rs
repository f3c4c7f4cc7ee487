//! The scheduler: fires schedules. It only enqueues; workers do the work.
//!
//! 1. [`schedules`] is the list of those that come with the platform; the configuration changes it and adds to it.
//! 2. One scheduler leads ([`lease`]); any number may stand by. One whose clock is far off ([`skew`]) does neither.
//! 3. What this release cannot serve is paused ([`fitness`]). Of the rest the leader decides what becomes of each planned
//!    instant that has come ([`decide`]): fire, catch up, let go.
//! 4. It writes a tick under its epoch, then enqueues the tick's job ([`ticker`]). Whoever lost the lead without knowing
//!    writes nothing. A tick whose job was lost is enqueued again by the workers' sweep.
//! 5. Until the next instant it sleeps, and looks once a second whether a schedule was changed.

pub mod decide;
pub mod fitness;
pub mod lease;
pub mod schedules;
pub mod skew;
pub mod ticker;

pub use schedules::{ConfiguredError, configured};
pub use ticker::{Parts, Ticker};
