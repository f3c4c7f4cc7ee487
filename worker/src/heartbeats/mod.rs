//! Heartbeats: a check that has to report regularly, or somebody is told.
//!
//! 1. `rules`: which heartbeats the configuration defines, and what any of them may be.
//! 2. `life`: what a beat, a definition, a removal and the passing of time do to one. Without I/O.
//! 3. `desk`: the same, done to the store: what the API, the command line and the watch call.
//! 4. `watch`: every worker looks a few times a minute for those that are late, and tells the incidents of each change of
//!    state. One worker at a time tells: it claims the row; the incident is known by the heartbeat's name, so that a worker
//!    that dies in the middle makes no second one.

mod desk;
mod life;
mod rules;
pub mod watch;

pub use desk::{Desk, Refused};
pub use rules::{Definition, HeartbeatRules, WrongDefinition, check_name};
