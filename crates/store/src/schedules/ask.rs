//! Ticks that a person asks for: one now, or those of a span that has passed.

use std::time::Duration;

use jiff::Timestamp;

use super::change::{call_off, find};
use super::fire::{NewTick, TickLimits, Writing};
use super::policy::{Overlap, TickState};
use super::tick::TickRef;
use crate::db::Store;
use crate::error::StoreError;

/// How many milliseconds later a tick may be written whose instant is taken.
const STEPS: u64 = 1_000;

impl Store {
    /// Writes a tick for `tick.planned_at`, or for the first millisecond after it that has none. Overlap, pause and epoch
    /// do not matter: somebody wants it now. `None` if there is no such schedule.
    ///
    /// # Errors
    /// As the database says.
    pub async fn run_schedule(
        &self,
        name: &str,
        limits: TickLimits,
        tick: &NewTick,
        now: Timestamp,
    ) -> Result<Option<TickRef>, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(schedule) = find(&mut transaction, name).await? else { return Ok(None) };
        for step in 0..STEPS {
            let planned_at = tick.planned_at.checked_add(Duration::from_millis(step)).unwrap_or(tick.planned_at);
            let tick = NewTick { planned_at, ..tick.clone() };
            let note = tick.note.clone();
            let row =
                Writing { schedule: &schedule, limits, tick: &tick, state: TickState::Open, note, epoch: None, now };
            if let Some(new) = row.insert(&mut transaction).await? {
                transaction.commit().await?;
                return Ok(Some(new));
            }
        }
        Err(StoreError::Contended)
    }

    /// Calls off the ticks of a schedule that wait behind an earlier one, whatever they are for. Answers how many; `None` if
    /// there is no such schedule.
    ///
    /// # Errors
    /// As the database says.
    pub async fn cancel_waiting_ticks(&self, name: &str, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.begin().await?;
        if find(&mut transaction, name).await?.is_none() {
            return Ok(None);
        }
        let called_off = call_off(&mut transaction, name, "called off while it waited", now).await?;
        transaction.commit().await?;
        Ok(Some(called_off))
    }

    /// Writes ticks for instants that have passed; those that have one stay as they are. Where the schedule lets no two
    /// jobs run at a time they wait, one behind the other, and behind what is planned. Answers the new ones; `None` if there
    /// is no such schedule.
    ///
    /// # Errors
    /// As the database says.
    pub async fn backfill_schedule(
        &self,
        name: &str,
        limits: TickLimits,
        ticks: &[NewTick],
        now: Timestamp,
    ) -> Result<Option<Vec<TickRef>>, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(schedule) = find(&mut transaction, name).await? else { return Ok(None) };
        let state = match schedule.spec.overlap {
            Overlap::Allow => TickState::Open,
            Overlap::Skip | Overlap::QueueOne => TickState::Waiting,
        };
        let mut written = Vec::with_capacity(ticks.len());
        for tick in ticks {
            let row = Writing { schedule: &schedule, limits, tick, state, note: tick.note.clone(), epoch: None, now };
            written.extend(row.insert(&mut transaction).await?);
        }
        transaction.commit().await?;
        Ok(Some(written))
    }
}
