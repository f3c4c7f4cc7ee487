//! The pump: one loop that keeps the process's hands full.
//!
//! 1. It counts what is buffered and running against the concurrency, plus a little ahead: what was finished in the last
//!    hundredth of a second, so that fast jobs never wait for a round trip and slow jobs are never hoarded.
//! 2. It divides the room among the queues that may have work, by weight, and sends one exchange a queue that hands
//!    back what ended and asks for more. Up to four exchanges of a queue travel at a time; while they do, ends gather,
//!    so that a busy worker makes few, full calls and an idle one answers at once.
//! 3. A queue that gave less than it was asked for is dry: it is asked again when somebody calls or its next job is due.
//! 4. When suspects wait and this worker is chosen, it takes nothing until it holds nothing, and then one suspect alone.
//! 5. When the queue is away it keeps the ends, waits and tries again. Nothing makes it stop but the end of the process.
//! 6. Told to lease no more, it says when it is drained: nothing is held, no call is under way that may still bring
//!    jobs, and what a lost answer had leased was given back.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::buffer::Buffer;
use super::keeper::Observer;
use super::leases::Leases;
use super::room::Room;
use super::share::{CALLS, QueueState, divide};
use super::{ConsumerSettings, Held, Report};
use crate::broker::{Broker, MAX_BATCH};
use crate::error::BrokerError;
use crate::lease::{Disposition, Exchange, Finish, FinishResult, LeaseRequest, Solo};

/// The most that is leased ahead of what runs.
const MAX_AHEAD: usize = 1_024;
/// A further call of a queue is worth it only with so much in it.
const FULL_ENOUGH: usize = 128;
/// How long a dry queue is believed without a call.
const BELIEVED: Duration = Duration::from_secs(2);
/// The longest pause between two tries while the queue is away.
const AWAY: Duration = Duration::from_millis(500);

/// After so many failed calls in a row a drained worker no longer waits to give back what lost answers had leased.
const HOPELESS: u32 = 3;

type Call = BoxFuture<'static, Called>;

/// A call that came back.
struct Called {
    /// The queue's number.
    n: usize,
    /// What was asked for.
    lease: Option<LeaseRequest>,
    /// The tokens that were to be disowned first.
    lost: Vec<u64>,
    finishes: Vec<Finish>,
    answer: Result<Exchange, BrokerError>,
}

pub(super) struct Pump {
    broker: Arc<dyn Broker>,
    concurrency: usize,
    worker: u64,
    buffer: Arc<Buffer>,
    leases: Arc<Leases>,
    observer: Arc<dyn Observer>,
    reports: mpsc::UnboundedReceiver<Report>,
    drained: watch::Sender<bool>,
    queues: Vec<QueueState>,
    calls: FuturesUnordered<Call>,
    next_token: u64,
    /// Jobs that ended lately, a second, smoothed.
    pace: f64,
    ended: u32,
    paced_at: Instant,
    /// The queue whose suspects this worker makes room for, then runs, and since when.
    solo: Option<(usize, Instant)>,
    solo_running: bool,
    /// How long it makes room, or declines to.
    room: Room,
}

impl Pump {
    pub(super) fn new(
        broker: Arc<dyn Broker>,
        settings: ConsumerSettings,
        buffer: Arc<Buffer>,
        leases: Arc<Leases>,
        observer: Arc<dyn Observer>,
        reports: mpsc::UnboundedReceiver<Report>,
        drained: watch::Sender<bool>,
    ) -> Self {
        Self {
            broker,
            concurrency: settings.concurrency.max(1),
            worker: settings.worker,
            buffer,
            leases,
            observer,
            reports,
            drained,
            queues: settings.queues.iter().map(QueueState::new).collect(),
            calls: FuturesUnordered::new(),
            next_token: settings.worker,
            pace: 0.0,
            ended: 0,
            paced_at: Instant::now(),
            solo: None,
            solo_running: false,
            room: Room::new(),
        }
    }

    pub(super) async fn run(mut self, stop_leasing: CancellationToken, end: CancellationToken) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        let mut leasing = true;
        loop {
            self.send_calls(leasing);
            self.drained.send_replace(!leasing && self.holds_nothing());
            let wake_at = self.wake_at(leasing);
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = stop_leasing.cancelled(), if leasing => {
                    leasing = false;
                    self.give_back();
                }
                Some(called) = self.calls.next(), if !self.calls.is_empty() => self.settle(called, leasing),
                count = self.reports.recv_many(&mut batch, MAX_BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.take_reports(&mut batch);
                }
                () = Self::called(&self.broker, &self.queues), if leasing && self.any_dry() => {
                    self.queues.iter_mut().for_each(|queue| queue.dry_until = None);
                }
                () = tokio::time::sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {
                    self.pass_times();
                }
            }
        }
    }

    /// Whether nothing is held, nothing can still arrive, and nothing is left to be written or given back.
    fn holds_nothing(&self) -> bool {
        self.leases.len() == 0
            && self.calls.is_empty()
            && self
                .queues
                .iter()
                .all(|queue| queue.finishes.is_empty() && (queue.lost.is_empty() || queue.failures >= HOPELESS))
    }

    /// Forgets what was only meant until now.
    fn pass_times(&mut self) {
        let now = Instant::now();
        for queue in &mut self.queues {
            queue.retry_at = queue.retry_at.filter(|at| *at > now);
            queue.dry_until = queue.dry_until.filter(|at| *at > now);
        }
        if !self.solo_running && self.solo.is_some_and(|(_, since)| now >= since + self.room.patience) {
            debug!("no room could be made for a suspect job: another worker may try");
            self.solo = None;
            self.room.given_up(now);
        }
    }

    /// Waits until some dry queue may have work.
    async fn called(broker: &Arc<dyn Broker>, queues: &[QueueState]) {
        let dry: Vec<_> = queues.iter().filter(|queue| queue.is_dry()).map(|queue| queue.queue.clone()).collect();
        broker.wait(&dry, BELIEVED * 2).await;
    }

    fn any_dry(&self) -> bool {
        self.queues.iter().any(QueueState::is_dry)
    }

    fn wake_at(&self, leasing: bool) -> Option<Instant> {
        let retry = self.queues.iter().filter_map(|queue| queue.retry_at).min();
        let due = self.queues.iter().filter_map(|queue| queue.dry_until).min().filter(|_| leasing);
        let room = self.solo.filter(|_| !self.solo_running).map(|(_, since)| since + self.room.patience);
        [retry, due, room].into_iter().flatten().min()
    }

    /// Sends the calls that are worth sending now.
    fn send_calls(&mut self, leasing: bool) {
        let mut parts = vec![0; self.queues.len()];
        let mut idle = false;
        match self.solo {
            _ if !leasing => {}
            Some((n, _)) => {
                // Room is made: everything has ended, and nothing that was asked for can still arrive.
                let empty = self.queues.iter().all(|queue| queue.busy == 0 && queue.asked == 0);
                if empty && !self.solo_running && self.leases.len() == 0 {
                    parts[n] = 1;
                    idle = true;
                }
            }
            None => {
                let busy: usize = self.queues.iter().map(|queue| queue.busy + queue.asked).sum();
                // What was fast a while ago says nothing of now.
                let is_current = self.paced_at.elapsed() < Duration::from_millis(100);
                let ahead = if is_current { ((self.pace / 100.0) as usize).min(MAX_AHEAD) } else { 0 };
                let room = (self.concurrency + ahead).saturating_sub(busy);
                let wanting: Vec<usize> = (0..self.queues.len())
                    .filter(|n| {
                        let queue = &self.queues[*n];
                        let may_be_asked = queue.is_reachable() && queue.one_by_one == 0 && queue.calls < CALLS;
                        !queue.is_dry() && may_be_asked && queue.room() > 0
                    })
                    .collect();
                for (n, part) in divide(&mut self.queues, &wanting, room) {
                    parts[n] = part.min(MAX_BATCH);
                }
            }
        }
        for (n, part) in parts.into_iter().enumerate() {
            let queue = &self.queues[n];
            let ends = queue.finishes.len();
            let worth = match queue.calls {
                _ if !queue.is_reachable() => false,
                0 => ends > 0 || part > 0 || !queue.lost.is_empty(),
                calls if calls < CALLS => ends >= FULL_ENOUGH || part >= FULL_ENOUGH,
                _ => false,
            };
            if worth {
                self.send(n, part, idle);
            }
        }
    }

    fn send(&mut self, n: usize, max: usize, idle: bool) {
        self.next_token = self.next_token.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let worker = if self.room.declines(Instant::now()) { 0 } else { self.worker };
        let lease = (max > 0).then_some(LeaseRequest { max, token: self.next_token, worker, idle });
        let queue = &mut self.queues[n];
        let count = queue.finishes.len().min(if queue.one_by_one > 0 { 1 } else { MAX_BATCH });
        queue.one_by_one = queue.one_by_one.saturating_sub(1);
        let finishes: Vec<Finish> = queue.finishes.drain(..count).collect();
        queue.calls += 1;
        queue.asked += max;
        let lost = std::mem::take(&mut queue.lost);
        let (broker, name) = (Arc::clone(&self.broker), queue.queue.clone());
        self.calls.push(Box::pin(async move {
            let answer = async {
                for token in &lost {
                    match broker.disown(&name, *token).await {
                        Err(error) if error.is_transient() => return Err(error),
                        Err(error) => warn!(queue = %name, %error, "leases could not be given back: they run out"),
                        Ok(_) => {}
                    }
                }
                broker.exchange(&name, &finishes, lease).await
            };
            let answer = answer.await;
            Called { n, lease, lost, finishes, answer }
        }));
    }

    /// Takes the answer of a call.
    fn settle(&mut self, called: Called, leasing: bool) {
        let Called { n, lease, lost, finishes, answer } = called;
        let asked = lease.map_or(0, |lease| lease.max);
        self.queues[n].calls -= 1;
        self.queues[n].asked -= asked;
        let exchange = match answer {
            Ok(exchange) => exchange,
            Err(error) => {
                self.queues[n].lost.extend(lost);
                self.queues[n].lost.extend(lease.map(|lease| lease.token));
                if !error.is_transient() && lease.is_none() && finishes.len() == 1 {
                    return self.drop_end(n, &finishes[0], &error);
                }
                return self.hold_on(n, finishes, &error);
            }
        };
        if self.queues[n].failures > 0 {
            self.queues[n].failures = 0;
            self.observer.reachable(&self.queues[n].queue, true);
        }
        let stale = exchange.finished.iter().filter(|result| **result == FinishResult::Stale).count();
        if stale > 0 {
            let queue = &self.queues[n].queue;
            warn!(%queue, stale, "late ends: these jobs were taken over, or were written before an answer was lost");
        }
        if exchange.expired > 0 {
            self.observer.expired(&self.queues[n].queue, exchange.expired);
        }
        let got = exchange.leased.len();
        let idle = lease.is_some_and(|lease| lease.idle);
        if asked > got && !idle && exchange.solo != Solo::MakeRoom {
            let due = exchange.next_due.map_or(BELIEVED, |due| {
                let ms = due.as_millisecond().saturating_sub(exchange.now.as_millisecond());
                Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(BELIEVED)
            });
            self.queues[n].dry_until = Some(Instant::now() + due);
        }
        self.note_solo(n, idle, got, exchange.solo);
        let name = self.queues[n].queue.clone();
        let held: Vec<Held> = exchange
            .leased
            .into_iter()
            .map(|leased| Held { leased, queue: name.clone(), share: n, control: Arc::default() })
            .collect();
        // What came is held before what ended is let go: at no moment does a busy worker seem to hold nothing.
        self.leases.add(n, held.iter().map(|h| (h.leased.lease, Arc::clone(&h.control))));
        self.leases.remove(n, finishes.iter().map(|finish| finish.lease));
        if got == 0 {
            return;
        }
        self.queues[n].busy += got;
        self.buffer.push(held);
        if !leasing {
            self.give_back();
        }
    }

    fn note_solo(&mut self, n: usize, idle: bool, got: usize, solo: Solo) {
        if idle {
            // The suspect arrived and runs alone; or another worker was faster, and all goes on as before.
            if got > 0 {
                self.solo_running = true;
                self.room.made();
            } else {
                (self.solo, self.queues[n].dry_until) = (None, None);
            }
        } else if solo == Solo::MakeRoom && self.solo.is_none() {
            debug!(queue = %self.queues[n].queue, "making room for a suspect job");
            self.solo = Some((n, Instant::now()));
        }
    }

    /// An end that can never be written harms no other: its job is left to the reaper.
    fn drop_end(&mut self, n: usize, finish: &Finish, error: &BrokerError) {
        let queue = &self.queues[n].queue;
        error!(%queue, job_id = %finish.lease.id, %error, "an end cannot be written");
        self.leases.remove(n, [finish.lease]);
    }

    /// The queue is away: keep what was to be written, and wait. What is not to pass by itself is sought one by one.
    fn hold_on(&mut self, n: usize, finishes: Vec<Finish>, error: &BrokerError) {
        let queue = &mut self.queues[n];
        if !error.is_transient() {
            queue.one_by_one = queue.one_by_one.max(finishes.len());
        }
        for finish in finishes.into_iter().rev() {
            queue.finishes.push_front(finish);
        }
        queue.failures = queue.failures.saturating_add(1);
        let pause = Duration::from_millis(20).saturating_mul(1 << queue.failures.min(5)).min(AWAY);
        queue.retry_at = Some(Instant::now() + pause);
        if queue.failures == 1 {
            warn!(queue = %queue.queue, %error, "the queue is away");
            self.observer.reachable(&queue.queue, false);
        }
    }

    fn take_reports(&mut self, batch: &mut Vec<Report>) {
        for report in batch.drain(..) {
            let (Report::Ended(share, _) | Report::Lost(share, _)) = &report;
            let queue = &mut self.queues[*share];
            queue.busy = queue.busy.saturating_sub(1);
            self.ended += 1;
            if self.solo_running {
                // There may be more suspects, and nobody calls for them.
                queue.dry_until = None;
                (self.solo, self.solo_running) = (None, false);
            }
            match report {
                Report::Ended(_, finish) => queue.finishes.push_back(finish),
                Report::Lost(share, lease) => self.leases.remove(share, [lease]),
            }
        }
        let passed = self.paced_at.elapsed();
        if passed >= Duration::from_millis(10) {
            let now = f64::from(self.ended) / passed.as_secs_f64();
            self.pace = self.pace * 0.5 + now * 0.5;
            (self.ended, self.paced_at) = (0, Instant::now());
        }
    }

    /// Gives back what has not begun, at the front of its queue, uncharged.
    fn give_back(&mut self) {
        for held in self.buffer.drain() {
            let queue = &mut self.queues[held.share];
            queue.busy = queue.busy.saturating_sub(1);
            let priority = held.leased.envelope.as_ref().map_or_else(|_| job::Priority::default(), |e| e.priority);
            queue.finishes.push_back(Finish {
                lease: held.leased.lease,
                disposition: Disposition::Release,
                priority,
                unique: None,
            });
        }
    }
}
