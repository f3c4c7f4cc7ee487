//! The pump: one loop that keeps the process's hands full.
//!
//! 1. It counts what is buffered and running against the concurrency, plus a little ahead: what was finished in the last
//!    hundredth of a second, so that fast jobs never wait for a round trip and slow jobs are never hoarded.
//! 2. It divides the room among the queues that may have work, by weight, and sends one exchange a queue that hands
//!    back what ended and asks for more. Up to two exchanges of a queue travel at a time; while they do, ends gather,
//!    so that a busy worker makes few, full calls and an idle one answers at once.
//! 3. A queue that gave less than it was asked for is dry: it is asked again when somebody calls or its next job is due.
//! 4. When suspects wait and this worker is chosen, it takes nothing until it holds nothing, and then one suspect alone.
//! 5. When the queue is away it keeps the ends, waits and tries again. Nothing makes it stop but the end of the process.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::buffer::Buffer;
use super::keeper::Observer;
use super::leases::Leases;
use super::share::{CALLS, Dry, QueueState, divide};
use super::{ConsumerSettings, Held, Report};
use crate::broker::{Broker, MAX_BATCH};
use crate::error::BrokerError;
use crate::lease::{Disposition, Exchange, Finish, FinishResult, LeaseRequest, Solo};

/// The most that is leased ahead of what runs.
const MAX_AHEAD: usize = 1_024;
/// A second call of a queue is worth it only with so much in it.
const FULL_ENOUGH: usize = 64;
/// How long a dry queue is believed without a call.
const BELIEVED: Duration = Duration::from_secs(2);
/// The longest pause between two tries while the queue is away.
const AWAY: Duration = Duration::from_millis(500);

type Call = BoxFuture<'static, (usize, usize, bool, Vec<Finish>, Result<Exchange, BrokerError>)>;

pub(super) struct Pump {
    broker: Arc<dyn Broker>,
    concurrency: usize,
    worker: u64,
    buffer: Arc<Buffer>,
    leases: Arc<Leases>,
    observer: Arc<dyn Observer>,
    reports: mpsc::UnboundedReceiver<Report>,
    queues: Vec<QueueState>,
    calls: FuturesUnordered<Call>,
    next_token: u64,
    /// Jobs that ended lately, a second, smoothed.
    pace: f64,
    ended: u32,
    paced_at: Instant,
    /// The queue whose suspects this worker makes room for, then runs.
    solo: Option<usize>,
    solo_running: bool,
    /// Set while the queue is away: not before this time.
    retry_at: Option<Instant>,
    failures: u32,
}

impl Pump {
    pub(super) fn new(
        broker: Arc<dyn Broker>,
        settings: ConsumerSettings,
        buffer: Arc<Buffer>,
        leases: Arc<Leases>,
        observer: Arc<dyn Observer>,
        reports: mpsc::UnboundedReceiver<Report>,
    ) -> Self {
        Self {
            broker,
            concurrency: settings.concurrency.max(1),
            worker: settings.worker,
            buffer,
            leases,
            observer,
            reports,
            queues: settings.queues.iter().map(QueueState::new).collect(),
            calls: FuturesUnordered::new(),
            next_token: settings.worker,
            pace: 0.0,
            ended: 0,
            paced_at: Instant::now(),
            solo: None,
            solo_running: false,
            retry_at: None,
            failures: 0,
        }
    }

    pub(super) async fn run(mut self, stop_leasing: CancellationToken, end: CancellationToken) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        let mut leasing = true;
        loop {
            self.send_calls(leasing);
            let idle = self.calls.is_empty() && self.retry_at.is_none();
            let wake_at = self.wake_at(leasing);
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = stop_leasing.cancelled(), if leasing => {
                    leasing = false;
                    self.give_back();
                }
                Some(done) = self.calls.next(), if !self.calls.is_empty() => self.settle(done, leasing),
                count = self.reports.recv_many(&mut batch, MAX_BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.take_reports(&mut batch);
                }
                () = Self::called(&self.broker, &self.queues), if leasing && idle && self.any_dry() => {
                    self.queues.iter_mut().for_each(|queue| queue.dry = None);
                }
                () = tokio::time::sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {
                    let now = Instant::now();
                    if self.retry_at.is_some_and(|at| at <= now) {
                        self.retry_at = None;
                    }
                    for queue in &mut self.queues {
                        if queue.dry.is_some_and(|dry| dry.until.is_some_and(|at| at <= now)) {
                            queue.dry = None;
                        }
                    }
                }
            }
        }
    }

    /// Waits until some dry queue may have work.
    async fn called(broker: &Arc<dyn Broker>, queues: &[QueueState]) {
        let dry: Vec<_> = queues.iter().filter(|queue| queue.is_dry()).map(|queue| queue.queue.clone()).collect();
        broker.wait(&dry, BELIEVED).await;
    }

    fn any_dry(&self) -> bool {
        self.queues.iter().any(QueueState::is_dry)
    }

    fn wake_at(&self, leasing: bool) -> Option<Instant> {
        let due = self.queues.iter().filter_map(|queue| queue.dry.and_then(|dry| dry.until)).min();
        [self.retry_at, due.filter(|_| leasing)].into_iter().flatten().min()
    }

    /// Sends the calls that are worth sending now.
    fn send_calls(&mut self, leasing: bool) {
        if self.retry_at.is_some() {
            return;
        }
        let mut parts = vec![0; self.queues.len()];
        let mut idle = false;
        match self.solo {
            _ if !leasing => {}
            Some(n) => {
                // Room is made: everything has ended, and nothing that was asked for can still arrive.
                let empty = self.queues.iter().all(|queue| queue.busy == 0 && queue.asked == 0);
                if empty && !self.solo_running && self.leases.len() == 0 {
                    parts[n] = 1;
                    idle = true;
                }
            }
            None => {
                let busy: usize = self.queues.iter().map(|queue| queue.busy + queue.asked).sum();
                let ahead = ((self.pace / 100.0) as usize).min(MAX_AHEAD);
                let room = (self.concurrency + ahead).saturating_sub(busy);
                let wanting: Vec<usize> = (0..self.queues.len())
                    .filter(|n| {
                        let queue = &self.queues[*n];
                        !queue.is_dry() && queue.calls < CALLS && queue.room() > 0
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
                0 => ends > 0 || part > 0,
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
        let lease = (max > 0).then_some(LeaseRequest { max, token: self.next_token, worker: self.worker, idle });
        let queue = &mut self.queues[n];
        let count = queue.finishes.len().min(MAX_BATCH);
        let finishes: Vec<Finish> = queue.finishes.drain(..count).collect();
        queue.calls += 1;
        queue.asked += max;
        let (broker, name) = (Arc::clone(&self.broker), queue.queue.clone());
        self.calls.push(Box::pin(async move {
            let answer = broker.exchange(&name, &finishes, lease).await;
            (n, max, idle, finishes, answer)
        }));
    }

    /// Takes the answer of a call.
    fn settle(
        &mut self,
        (n, asked, idle, finishes, answer): (usize, usize, bool, Vec<Finish>, Result<Exchange, BrokerError>),
        leasing: bool,
    ) {
        self.queues[n].calls -= 1;
        self.queues[n].asked -= asked;
        let exchange = match answer {
            Ok(exchange) => exchange,
            Err(error) => return self.hold_on(n, finishes, &error),
        };
        if self.failures > 0 {
            self.failures = 0;
            self.observer.reachable(true);
        }
        let stale = exchange.finished.iter().filter(|result| **result == FinishResult::Stale).count();
        if stale > 0 {
            let queue = &self.queues[n].queue;
            warn!(%queue, stale, "late ends: these jobs were taken over, or were written before an answer was lost");
            self.observer.leases_lost(queue, stale);
        }
        self.leases.remove(n, finishes.iter().map(|finish| finish.lease));
        if exchange.expired > 0 {
            self.observer.expired(&self.queues[n].queue, exchange.expired);
        }
        let got = exchange.leased.len();
        if asked > 0 && self.solo.is_none() && got < asked {
            let until = exchange.next_due.map(|due| {
                let ms = due.as_millisecond().saturating_sub(exchange.now.as_millisecond());
                Instant::now() + Duration::from_millis(u64::try_from(ms).unwrap_or(0).min(86_400_000))
            });
            self.queues[n].dry = Some(Dry { until });
        }
        self.note_solo(n, idle, got, exchange.solo);
        if got == 0 {
            return;
        }
        let name = self.queues[n].queue.clone();
        let held: Vec<Held> = exchange
            .leased
            .into_iter()
            .map(|leased| Held { leased, queue: name.clone(), share: n, control: Arc::default() })
            .collect();
        self.leases.add(n, held.iter().map(|h| (h.leased.lease, Arc::clone(&h.control))));
        self.queues[n].busy += got;
        self.buffer.push(held);
        if !leasing {
            self.give_back();
        }
    }

    fn note_solo(&mut self, n: usize, idle: bool, got: usize, solo: Solo) {
        if idle {
            // The suspect arrived and runs alone; or another worker was faster, and all goes on as before.
            if got > 0 { self.solo_running = true } else { self.solo = None }
        } else if solo == Solo::MakeRoom && self.solo.is_none() {
            debug!(queue = %self.queues[n].queue, "making room for a suspect job");
            self.solo = Some(n);
        }
    }

    /// The queue is away: keep what was to be written, and wait.
    fn hold_on(&mut self, n: usize, finishes: Vec<Finish>, error: &BrokerError) {
        for finish in finishes.into_iter().rev() {
            self.queues[n].finishes.push_front(finish);
        }
        if self.failures == 0 {
            warn!(queue = %self.queues[n].queue, %error, "the queue is away");
            self.observer.reachable(false);
        }
        self.failures = self.failures.saturating_add(1);
        let pause = Duration::from_millis(20).saturating_mul(1 << self.failures.min(5)).min(AWAY);
        self.retry_at = Some(Instant::now() + pause);
    }

    fn take_reports(&mut self, batch: &mut Vec<Report>) {
        for report in batch.drain(..) {
            let (Report::Ended(share, _) | Report::Lost(share, _)) = &report;
            let queue = &mut self.queues[*share];
            queue.busy = queue.busy.saturating_sub(1);
            self.ended += 1;
            if self.solo_running {
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
