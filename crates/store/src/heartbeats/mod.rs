//! Heartbeats: what has to report regularly, and whether the incidents have heard how it stands.
//!
//! 1. A heartbeat is a row (`record`). Whoever beats, defines or removes one changes it under lock, by rules that the
//!    caller brings along (`change`).
//! 2. The watch asks which are late, and which have changed their state without the incidents knowing (`watch`). One
//!    worker at a time tells them: it claims the row for a while, and says when it has told.

mod change;
mod record;
mod watch;

pub use change::{HeartbeatChange, MOST_HEARTBEATS};
pub use record::{Heartbeat, HeartbeatState};
pub use watch::HeartbeatTold;
