//! Schedules, the instants at which they fired, and who may fire them.
//!
//! 1. A schedule is a row: its definition comes from the configuration (`mirror`) or from a person (`change`).
//! 2. One scheduler leads, under an epoch (`lease`). It decides what to do with each planned instant and writes a tick in
//!    the transaction that checks the epoch: who lost the lead writes nothing (`fire`).
//! 3. A person may add ticks: now, or for a span that has passed (`ask`).
//! 4. A tick ends with its job; failures in a row pause the schedule (`settle`).
//! 5. Anyone may ask what became of it (`history`).

mod ask;
mod change;
mod fire;
mod history;
mod lease;
mod mirror;
mod policy;
mod record;
mod settle;
mod tick;

pub use change::Changed;
pub use fire::{Fired, NewTick, TickLimits};
pub use lease::{SchedulerLease, SchedulerState};
pub use mirror::Mirrored;
pub use policy::{CatchUp, Origin, Overlap, PausedBy, TickCause, TickState};
pub use record::{Paused, Schedule, ScheduleSpec};
pub use settle::{TickEnd, TickEnded};
pub use tick::{Tick, TickRef};

pub(crate) use settle::close;
pub(crate) use tick::tick_ref_columns;

use crate::db::Session;
use crate::error::StoreError;

/// Tells the leader that a schedule has changed.
async fn announce(session: &mut Session) -> Result<(), StoreError> {
    session.sql("UPDATE scheduler_lease SET changes = changes + 1 WHERE id = 1").run().await?;
    Ok(())
}
