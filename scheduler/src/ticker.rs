//! The ticker: fires what is due, then sleeps until the next instant.
//!
//! One step:
//! 1. Look who leads and whether schedules have changed: one read. Lead, or go back to sleep; so does one whose clock is
//!    far from the queue's.
//! 2. A new leader brings the configuration's schedules into the store. After any change all schedules are read again.
//! 3. For each schedule whose next instant has come: decide, write the ticks under the epoch, enqueue their jobs. The
//!    store refuses a leader that is none any more, and a schedule that was paused or changed meanwhile.
//! 4. Let go on what waited for the end of an earlier job.
//! 5. Say when to wake: at the next instant, but within a second, for what may have changed; where something went on, soon,
//!    for what waits behind it.
//!
//! Jobs that the queue did not take are tried again with the next step; what is lost before that is left to the sweep.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::before;
use job::{Clock, IdSource, QueueName};
use queue::{Broker, Enqueue};
use store::{
    CatchUp, Fired, NewTick, Schedule, ScheduleSpec, SchedulerState, Store, StoreError, TickCause, TickRef, TickState,
};
use telemetry::metrics::Meters;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use worker::schedule::{Timing, limits};
use worker::{Notices, Registry, intents, ticks};

use crate::decide::{Decision, decide, jitter};
use crate::fitness::unfit;
use crate::lease::Lead;
use crate::skew::Skew;

/// How long it sleeps at most: a change of a schedule is noticed within that time.
pub const LOOK: Duration = Duration::from_secs(1);
/// How long it sleeps at most while what waited goes on, one job behind the other.
const SOON: Duration = Duration::from_millis(25);
/// For how long after something went on the next end is looked for so often.
const LIVELY: Duration = Duration::from_secs(2);
/// Schedules that are read in one page.
const PAGE: u32 = 500;
/// A leader that stood still for longer between writing a tick and enqueueing its job leaves the job to the sweep.
const FRESH: Duration = Duration::from_secs(10);

/// What a scheduler is made of.
#[derive(Clone)]
pub struct Parts {
    /// Schedules, ticks, the lead.
    pub store: Store,
    /// Where jobs go.
    pub broker: Arc<dyn Broker>,
    /// The kinds: their limits become those of the jobs.
    pub registry: Arc<Registry>,
    /// The queues that workers consume.
    pub queues: Vec<QueueName>,
    /// Ids for jobs.
    pub ids: Arc<IdSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub meters: Meters,
    /// The way to the operators.
    pub notices: Notices,
}

/// A scheduler.
pub struct Ticker {
    parts: Parts,
    configured: Vec<(String, ScheduleSpec)>,
    lead: Lead,
    skew: Skew,
    known: Option<Known>,
    /// Jobs that were written and not taken by the queue, and when they were written.
    unsent: Vec<(Timestamp, TickRef)>,
    /// Until then it looks often whether what waits may go on.
    lively_until: Timestamp,
    store_is_away: bool,
}

/// The schedules as they were read.
struct Known {
    changes: i64,
    all: Vec<Watched>,
}

/// A schedule that may fire, and when next.
struct Watched {
    schedule: Schedule,
    timing: Timing,
    next: Option<Timestamp>,
}

impl Ticker {
    /// A scheduler that knows the configuration's schedules. `holder` is unlike that of any other; it leads for `lasts`
    /// without renewing.
    #[must_use]
    pub fn new(parts: Parts, configured: Vec<(String, ScheduleSpec)>, holder: String, lasts: Duration) -> Self {
        let (lead, skew) = (Lead::new(holder, lasts), Skew::default());
        let (unsent, lively_until) = (Vec::new(), Timestamp::MIN);
        Self { parts, configured, lead, skew, known: None, unsent, lively_until, store_is_away: false }
    }

    /// Fires until `end`, then gives the lead back.
    pub async fn run(mut self, end: CancellationToken) {
        let parts = self.parts.clone();
        loop {
            let wake_at = match self.step().await {
                Ok(wake_at) => {
                    if std::mem::take(&mut self.store_is_away) {
                        info!("the store is back");
                    }
                    wake_at
                }
                Err(error) if error.is_transient() => {
                    if !std::mem::replace(&mut self.store_is_away, true) {
                        warn!(%error, "the store is away: nothing fires until it is back");
                    }
                    later(parts.clock.now(), LOOK)
                }
                Err(error) => {
                    error!(%error, "the store refused a scheduler's step");
                    later(parts.clock.now(), LOOK)
                }
            };
            let wait = Duration::try_from(wake_at.duration_since(parts.clock.now())).unwrap_or_default();
            if end.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                break;
            }
        }
        self.lead.release(&parts.store, parts.clock.now()).await;
        parts.meters.leading(false);
    }

    /// One step; answers when the next one should be.
    ///
    /// # Errors
    /// As the store says. What was not written will be found again by the next step.
    pub async fn step(&mut self) -> Result<Timestamp, StoreError> {
        let store = self.parts.store.clone();
        let state = store.scheduler_state().await?;
        let led = self.lead.held().is_some();
        if let Err(theirs) = self.skew.check(&*self.parts.broker, self.now()).await {
            self.lead.release(&store, theirs).await;
            self.parts.meters.leading(false);
            self.known = None;
            return Ok(later(self.now(), LOOK));
        }
        let leads = self.lead.keep(&store, &state, self.now()).await?;
        self.parts.meters.leading(leads);
        if !leads {
            self.known = None;
            self.send_unsent().await;
            return Ok(later(self.now(), LOOK));
        }
        if !led {
            self.mirror().await?;
            self.known = None;
        }
        if self.known.as_ref().is_none_or(|known| known.changes != state.changes) {
            self.read(&state).await?;
        }
        let more = self.fire().await?;
        if state.may_go_on {
            self.let_go_on().await?;
        }
        self.send_unsent().await;
        let now = self.now();
        if more {
            return Ok(now);
        }
        let next = self.known.iter().flat_map(|known| &known.all).filter_map(|watched| watched.next).min();
        let look = if now < self.lively_until { SOON } else { LOOK };
        Ok(next.unwrap_or(Timestamp::MAX).min(later(now, look)))
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Brings the configuration's schedules into the store.
    async fn mirror(&mut self) -> Result<(), StoreError> {
        let Some(lease) = self.lead.held().cloned() else { return Ok(()) };
        match self.parts.store.mirror_schedules(&lease, &self.configured, self.now()).await {
            Ok(None) => self.lead.lost(),
            Ok(Some(mirrored)) if mirrored.is_empty() => {}
            Ok(Some(mirrored)) => {
                info!(
                    added = mirrored.added.join(","),
                    changed = mirrored.changed.join(","),
                    removed = mirrored.removed.join(","),
                    "the configuration's schedules were brought up to date"
                );
                ticks::tell_unpaused(&self.parts.notices, &mirrored.unpaused).await;
            }
            Err(error) => {
                // The next step must begin with this one again.
                self.lead.release(&self.parts.store, self.parts.clock.now()).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads all schedules that may fire.
    async fn read(&mut self, state: &SchedulerState) -> Result<(), StoreError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.parts.store.list_schedules(PAGE, after.as_deref()).await?;
            for schedule in page.items.into_iter().filter(|schedule| schedule.paused.is_none()) {
                self.stop_if_unfit(&schedule).await?;
                all.extend(watched(schedule));
            }
            after = page.next_cursor;
            if after.is_none() {
                break;
            }
        }
        debug!(schedules = all.len(), "schedules were read");
        self.known = Some(Known { changes: state.changes, all });
        Ok(())
    }

    /// Fires what has come; answers whether more has come than one step takes.
    async fn fire(&mut self) -> Result<bool, StoreError> {
        let mut more = false;
        let count = self.known.as_ref().map_or(0, |known| known.all.len());
        for n in 0..count {
            let now = self.now();
            let Some(watched) = self.known.as_ref().and_then(|known| known.all.get(n)) else { break };
            if watched.next.is_none_or(|next| next > now) {
                continue;
            }
            let Some(decision) = decide(&watched.schedule, &watched.timing, now) else { continue };
            let schedule = watched.schedule.clone();
            if self.stop_if_unfit(&schedule).await? {
                // It is read again, or looked at again with its next instant.
                self.decided(n, decision.until);
                continue;
            }
            match self.write(&schedule, &decision, now).await? {
                Fired::Written(ticks) => {
                    let open = ticks.into_iter().inspect(|tick| {
                        self.parts.meters.tick(&tick.schedule, tick.state.as_str());
                    });
                    self.unsent.extend(open.filter(|tick| tick.state == TickState::Open).map(|tick| (now, tick)));
                    self.decided(n, decision.until);
                    more |= decision.more;
                }
                Fired::NotLeading => {
                    self.lead.lost();
                    self.known = None;
                    return Ok(false);
                }
                Fired::Changed => {
                    // Read again with the next step, at once.
                    self.known = None;
                    return Ok(true);
                }
            }
        }
        Ok(more)
    }

    /// In memory: everything of a schedule up to here is decided.
    fn decided(&mut self, n: usize, until: Timestamp) {
        if let Some(watched) = self.known.as_mut().and_then(|known| known.all.get_mut(n)) {
            watched.schedule.decided_until = until;
            watched.next = watched.timing.next_after(until);
        }
    }

    /// Pauses a schedule that this release cannot serve, unless it may be another release's, and tells the operators;
    /// answers whether it is one.
    async fn stop_if_unfit(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        let (parts, now) = (&self.parts, self.now());
        let Some(unfit) = unfit(&parts.registry, &parts.queues, schedule, now) else { return Ok(false) };
        let Some(lease) = self.lead.held().filter(|_| !unfit.fresh) else { return Ok(true) };
        let (name, why) = (schedule.name.as_str(), unfit.why.as_str());
        if parts.store.pause_unfit_schedule(lease, name, schedule.revision, why, now).await? {
            error!(schedule = name, error = why, "a schedule is paused: this release cannot serve it");
            ticks::tell_stopped(&parts.notices, name, why).await;
        }
        Ok(true)
    }

    async fn write(&self, schedule: &Schedule, decision: &Decision, now: Timestamp) -> Result<Fired, StoreError> {
        let Some(lease) = self.lead.held() else { return Ok(Fired::NotLeading) };
        let Some(limits) = limits(&self.parts.registry, &schedule.spec.kind) else {
            // Looked at before: of another release, in a rolling deploy.
            return Ok(Fired::Written(Vec::new()));
        };
        let queue = QueueName::new(&schedule.spec.queue).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let ticks: Vec<NewTick> = decision
            .due
            .iter()
            .map(|due| NewTick {
                planned_at: due.planned_at,
                cause: due.cause,
                note: due.note.clone(),
                run_at: later(due.planned_at, jitter(schedule, due.planned_at)),
                job_id: self.parts.ids.next(&queue).uuid(),
                patient: due.cause == TickCause::CatchUp && schedule.spec.catch_up == CatchUp::All,
            })
            .collect();
        self.parts.store.fire_schedule(lease, schedule, limits, &ticks, decision.until, now).await
    }

    /// Lets go on what waited.
    async fn let_go_on(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let Some(lease) = self.lead.held() else { return Ok(()) };
        match self.parts.store.let_waiting_ticks_go_on(lease, now).await? {
            Some(ticks) => {
                if !ticks.is_empty() {
                    self.lively_until = later(now, LIVELY);
                }
                self.unsent.extend(ticks.into_iter().map(|tick| (now, tick)));
            }
            None => self.lead.lost(),
        }
        Ok(())
    }

    /// Enqueues what was written. What the queue does not take is kept for the next step; what has become old is the
    /// sweep's, which knows whether somebody else has enqueued it meanwhile.
    async fn send_unsent(&mut self) {
        let now = self.now();
        let fresh = before(now, FRESH);
        self.unsent.retain(|(written, _)| *written >= fresh);
        if self.unsent.is_empty() {
            return;
        }
        let jobs: Vec<Enqueue> = self
            .unsent
            .iter()
            .filter_map(|(_, tick)| intents::tick(tick, now))
            .map(|envelope| Enqueue { envelope, once: true })
            .collect();
        match self.parts.broker.enqueue(&jobs).await {
            Ok(_) => {
                for job in &jobs {
                    self.parts.meters.job(job.envelope.queue.as_str(), job.envelope.kind.as_str()).enqueued(1);
                }
                self.unsent.clear();
            }
            Err(error) => warn!(%error, jobs = jobs.len(), "the queue did not take the jobs of ticks: trying again"),
        }
    }
}

/// A schedule with its next instant. One that another release wrote, and this one cannot read, is left to it.
fn watched(schedule: Schedule) -> Option<Watched> {
    match Timing::of(&schedule.spec) {
        Ok(timing) => {
            let next = timing.next_after(schedule.decided_until);
            Some(Watched { schedule, timing, next })
        }
        Err(error) => {
            error!(schedule = schedule.name, error, "a schedule cannot be read and does not fire");
            None
        }
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
