//! What a person asks of a schedule: to fire now, or for the instants of a span that has passed.
//!
//! The ticks are rows first. If the queue does not take their jobs the answer is the same: the sweep will enqueue them, and
//! whoever asked again would have asked twice.

use jiff::Timestamp;
use job::{IdSource, QueueName};
use queue::{Broker, Enqueue};
use store::{NewTick, Schedule, Store, StoreError, TickCause, TickLimits, TickRef, TickState};
use tracing::warn;

use super::{Timing, limits};
use crate::intents;
use crate::registry::Registry;

/// Instants that one call backfills at most.
pub const MOST_BACKFILLED: usize = 1_000;

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The store: transient as it says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schedule cannot be read, or its kind is not known here: permanent.
    #[error("{0}")]
    Unreadable(String),
    /// The span makes no sense, or holds too much: permanent, the caller's input. The field, and what is expected.
    #[error("{0}: {1}")]
    Span(&'static str, String),
}

/// What a backfill did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfilled {
    /// The ticks that were written.
    pub ticks: Vec<TickRef>,
    /// Instants of the span that had a tick.
    pub present: usize,
}

/// What is needed to ask.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Where schedules and ticks are.
    pub store: &'a Store,
    /// Where jobs go.
    pub broker: &'a dyn Broker,
    /// The kinds.
    pub registry: &'a Registry,
    /// Ids for jobs.
    pub ids: &'a IdSource,
    /// The time.
    pub now: Timestamp,
}

impl Asking<'_> {
    /// Fires a schedule now, paused or not. `None` if there is no such schedule.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn run(&self, name: &str) -> Result<Option<TickRef>, AskError> {
        let Some((schedule, _, limits)) = self.find(name).await? else { return Ok(None) };
        let tick = self.tick(&schedule, self.now, TickCause::Run)?;
        let written = self.store.run_schedule(name, limits, &tick, self.now).await?;
        if let Some(tick) = &written {
            self.enqueue(std::slice::from_ref(tick)).await;
        }
        Ok(written)
    }

    /// Fires a schedule for each planned instant from `from` on and before `until`; an instant that has a tick keeps it.
    /// Where the schedule lets no two jobs run at a time they wait, and while it is paused they go on waiting. `None` if
    /// there is no such schedule.
    ///
    /// # Errors
    /// [`AskError::Span`] if the span ends before it begins or after now, or holds more than [`MOST_BACKFILLED`]
    /// instants.
    pub async fn backfill(
        &self,
        name: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Backfilled>, AskError> {
        if until > self.now {
            return Err(AskError::Span("until", "not in the future: what is to come fires by itself".to_owned()));
        }
        if from < Timestamp::UNIX_EPOCH {
            return Err(AskError::Span("from", "1970 or later is expected".to_owned()));
        }
        if from >= until {
            return Err(AskError::Span("from", "earlier than until is expected".to_owned()));
        }
        let Some((schedule, timing, limits)) = self.find(name).await? else { return Ok(None) };
        let just_before = from.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap_or(from);
        let instants: Vec<Timestamp> =
            timing.after(just_before).take_while(|at| *at < until).take(MOST_BACKFILLED + 1).collect();
        if instants.len() > MOST_BACKFILLED {
            return Err(AskError::Span("until", format!("the span holds more than {MOST_BACKFILLED} instants")));
        }
        let ticks: Vec<NewTick> =
            instants.iter().map(|at| self.tick(&schedule, *at, TickCause::Backfill)).collect::<Result<_, _>>()?;
        let written = self.store.backfill_schedule(name, limits, &ticks, self.now).await?;
        let Some(ticks) = written else { return Ok(None) };
        self.enqueue(&ticks).await;
        Ok(Some(Backfilled { present: instants.len() - ticks.len(), ticks }))
    }

    async fn find(&self, name: &str) -> Result<Option<(Schedule, Timing, TickLimits)>, AskError> {
        let Some(schedule) = self.store.get_schedule(name).await? else { return Ok(None) };
        let timing = Timing::of(&schedule.spec).map_err(AskError::Unreadable)?;
        let kind = &schedule.spec.kind;
        let limits = limits(self.registry, kind)
            .ok_or_else(|| AskError::Unreadable(format!("this release knows no kind {kind}")))?;
        Ok(Some((schedule, timing, limits)))
    }

    fn tick(&self, schedule: &Schedule, planned_at: Timestamp, cause: TickCause) -> Result<NewTick, AskError> {
        let queue = QueueName::new(&schedule.spec.queue).map_err(|e| AskError::Unreadable(e.to_string()))?;
        let job_id = self.ids.next(&queue).uuid();
        Ok(NewTick { planned_at, cause, note: None, run_at: self.now, job_id, patient: false })
    }

    async fn enqueue(&self, ticks: &[TickRef]) {
        let open = ticks.iter().filter(|tick| tick.state == TickState::Open);
        let jobs: Vec<Enqueue> = open
            .filter_map(|tick| intents::tick(tick, self.now))
            .map(|envelope| Enqueue { envelope, once: true })
            .collect();
        if let Err(error) = self.broker.enqueue(&jobs).await {
            warn!(%error, jobs = jobs.len(), "the queue did not take the jobs of ticks: the sweep will enqueue them");
        }
    }
}
