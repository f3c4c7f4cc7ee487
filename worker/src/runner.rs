//! The runner: drives leased jobs with apalis, and stops without losing one.
//!
//! 1. The queue's consumer leases jobs into a buffer, renews their leases and writes their ends.
//! 2. One apalis worker a core takes jobs from the buffer and runs them through the [`crate::layers`], many at a time;
//!    apalis here is the loop and the tower seam, nothing of its transport.
//! 3. A shutdown is soft first: nothing new is leased, what has not begun is given back at once, what runs may finish. At
//!    the soft deadline what still runs is dropped and given back, uncharged; what is shielded (a mail between its mark
//!    and its answer) goes on until the hard deadline. Nothing waits for a lease to run out.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use futures::future::BoxFuture;
use job::QueueName;
use queue::Maintained;
use queue::apalis::{BrokerBackend, Placed};
use queue::consumer::{Consumer, ConsumerSettings, Observer, Share};
use telemetry::metrics::{Meters, Outcome};
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::{info, warn};

use crate::alerts::clockwork;
use crate::context::Context;
use crate::gate::watch;
use crate::heartbeats;
use crate::layers::{Parts, RunService, stack};
use crate::registry::Registry;
use crate::run::Run;
use crate::{sweep, vitals};

/// How long the tasks of the consumer have to notice that all is over, when the hard deadline has already passed.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// How a worker process runs.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// The queues that it takes from, with their shares.
    pub queues: Vec<Share>,
    /// How many jobs run at a time.
    pub concurrency: usize,
    /// How many apalis workers share them: one a core.
    pub loops: usize,
    /// How often leases are renewed.
    pub heartbeat: Duration,
    /// How long a job that no worker knows waits for one that does.
    pub unknown_grace: Duration,
    /// How long running jobs may go on after a shutdown began.
    pub soft: Duration,
    /// How long shielded jobs may go on after a shutdown began; at least `soft`.
    pub hard: Duration,
    /// How long a stored row may be without news before the sweep looks for its job.
    pub sweep_after: Duration,
    /// This start of this process, unlike any other.
    pub worker: u64,
}

/// A worker process's running half.
pub struct Runner {
    settings: RunnerSettings,
    consumer: Consumer,
    loops: Vec<(WorkerContext, tokio::task::JoinHandle<()>)>,
    end: CancellationToken,
    sweep: tokio::task::JoinHandle<()>,
    alerts: tokio::task::JoinHandle<()>,
    vitals: tokio::task::JoinHandle<()>,
    heartbeats: tokio::task::JoinHandle<()>,
    watch: Option<tokio::task::JoinHandle<()>>,
}

impl Runner {
    /// Starts leasing and running.
    #[must_use]
    pub fn start(settings: RunnerSettings, registry: Arc<Registry>, context: Context) -> Self {
        let context = Arc::new(context);
        let consumer = Consumer::start(
            Arc::clone(&context.broker),
            ConsumerSettings {
                queues: settings.queues.clone(),
                concurrency: settings.concurrency,
                heartbeat: settings.heartbeat,
                worker: settings.worker,
            },
            Arc::new(Counts(context.meters.clone())),
        );
        let runs = stack(Parts {
            registry,
            context: Arc::clone(&context),
            finisher: consumer.finisher(),
            unknown_grace: settings.unknown_grace,
        });
        // The loops' limits add up to the concurrency: never one more runs at a time.
        let count = settings.loops.clamp(1, settings.concurrency.max(1));
        let loops = (0..count)
            .map(|n| {
                let each = settings.concurrency / count + usize::from(n < settings.concurrency % count);
                let name = WorkerContext::new(&format!("{:016x}-{n}", settings.worker));
                let worker = WorkerBuilder::new(name.clone())
                    .backend(BrokerBackend::new(consumer.buffer(), each))
                    .build(Unwrap(runs.clone()));
                let running = tokio::spawn(async move {
                    if let Err(error) = worker.run().await {
                        warn!(%error, "an apalis worker ended");
                    }
                });
                (name, running)
            })
            .collect();
        let end = CancellationToken::new();
        let watch = context
            .mailer
            .as_ref()
            .map(|mailer| tokio::spawn(watch::run(Arc::clone(&context), Arc::clone(&mailer.gate), end.clone())));
        let alerts = tokio::spawn(clockwork::run(Arc::clone(&context), end.clone()));
        let vitals = tokio::spawn(vitals::run(Arc::clone(&context), end.clone()));
        let heartbeats = tokio::spawn(heartbeats::watch::run(Arc::clone(&context), end.clone()));
        let sweep = tokio::spawn(sweep::run(context, settings.sweep_after, end.clone()));
        Self { settings, consumer, loops, end, sweep, alerts, vitals, heartbeats, watch }
    }

    /// How many jobs are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.consumer.held()
    }

    /// Stops: softly, then hard. Returns how many jobs were left to the reaper, 0 when all went well.
    pub async fn shut_down(self) -> usize {
        let began = tokio::time::Instant::now();
        let (soft, hard) = (began + self.settings.soft, began + self.settings.hard.max(self.settings.soft));
        self.end.cancel();
        self.consumer.stop_leasing();
        if tokio::time::timeout_at(soft, self.consumer.drained()).await.is_err() {
            info!(running = self.consumer.held(), "the soft deadline has passed: giving back what still runs");
            self.consumer.cut_off();
            let _ = tokio::time::timeout_at(hard, self.consumer.drained()).await;
        }
        let left = self.consumer.held();
        if left > 0 {
            warn!(left, "the hard deadline has passed: these jobs are left to their leases");
        }
        for (worker, running) in &self.loops {
            // An apalis worker that never started has nothing to stop.
            let _ = worker.stop();
            running.abort();
        }
        // A call that hangs in a queue or store that stands still is not waited for beyond the deadline.
        let ending = async {
            self.consumer.end().await;
            let _ = self.sweep.await;
            let _ = self.alerts.await;
            let _ = self.vitals.await;
            let _ = self.heartbeats.await;
            if let Some(watch) = self.watch {
                let _ = watch.await;
            }
        };
        let last = hard.max(tokio::time::Instant::now() + LAST_WORDS);
        if tokio::time::timeout_at(last, ending).await.is_err() {
            warn!("a call to the queue or the store still hangs: ending without it");
        }
        left
    }
}

/// From an apalis task to our own request: the only place where the two meet.
#[derive(Clone)]
struct Unwrap<S>(S);

impl<S: RunService + 'static> Service<Task<Placed>> for Unwrap<S> {
    type Response = ();
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, task: Task<Placed>) -> Self::Future {
        let Placed { held, place } = task.args;
        let running = self.0.call(Run { held });
        Box::pin(async move {
            let _place = place;
            running.await.map(|_| ())
        })
    }
}

/// Counts what the consumer sees.
struct Counts(Meters);

impl Observer for Counts {
    fn maintained(&self, queue: &QueueName, step: &Maintained) {
        if step.reaped > 0 {
            self.0.queue(queue.as_str()).lease_losses(u64::from(step.reaped));
            info!(%queue, reaped = step.reaped, crashed = step.crashed, "took jobs over from lost workers");
        }
        if step.crashed > 0 {
            // Their kinds are not known here: nobody read their records.
            self.0.job(queue.as_str(), "?").finished_unrun(Outcome::Dead, u64::from(step.crashed));
        }
    }

    fn expired(&self, queue: &QueueName, count: u32) {
        self.0.job(queue.as_str(), "?").finished_unrun(Outcome::Expired, u64::from(count));
    }

    fn reachable(&self, queue: &QueueName, yes: bool) {
        if yes {
            info!(%queue, "the queue is back");
        }
    }
}
