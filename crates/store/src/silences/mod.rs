//! Silences: what is not told to anybody for a while.
//!
//! 1. One is written, changed or ended early (`write`). What it mutes can only be changed by ending it and beginning another,
//!    so that a list tells the truth about the past.
//! 2. Before anything is told, those that mute now are asked for (`read`). There are never more than [`MOST_SILENCES`] that
//!    are not over, so that this stays one short read.
//! 3. Those that are over stay in the lists until they are taken out with what else is old.

mod read;
mod record;
mod write;

pub use read::SilenceFilter;
pub use record::StoredSilence;
pub use write::{Put, SilenceChange};

/// How many silences may be there at once that are not over.
pub const MOST_SILENCES: u32 = 1_000;
