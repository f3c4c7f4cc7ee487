//! A worker process's side of the queue: it keeps the hands of the process full, and its leases alive.
//!
//! 1. The pump leases jobs into the [`Buffer`] and hands back what was finished, both in one exchange; it takes no
//!    more than can soon be run, weighs the queues against each other, and sleeps when there is nothing to do.
//! 2. The runner's loops take jobs out of the buffer ([`crate::apalis`]), run them and report each end
//!    through [`Finisher`].
//! 3. The keeper renews all leases from tasks of its own, keeps house, and passes cancels on.
//! 4. A shutdown stops leasing and gives back what has not begun; the runner finishes what runs.

mod buffer;
mod keeper;
mod leases;
mod pump;
mod room;
mod share;

use std::sync::Arc;
use std::time::Duration;

use job::{Control, QueueName};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::Broker;
use crate::lease::{Finish, Lease, Leased};

pub use buffer::Buffer;
pub use keeper::Observer;

/// What a worker process takes from the queues.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// The queues, with their shares.
    pub queues: Vec<Share>,
    /// How many jobs run at a time in this process.
    pub concurrency: usize,
    /// How often leases are renewed: a third of the lease time, or less.
    pub heartbeat: Duration,
    /// This start of this process, unlike any other: random.
    pub worker: u64,
}

/// A queue and its share of a worker.
#[derive(Debug, Clone)]
pub struct Share {
    /// The queue.
    pub queue: QueueName,
    /// Its weight against the other queues that have work, 1 to 100.
    pub weight: u32,
    /// At most so many of its jobs at a time in this process.
    pub limit: Option<usize>,
}

/// A leased job on its way through the process.
#[derive(Debug)]
pub struct Held {
    /// The job and its lease.
    pub leased: Leased,
    /// Its queue.
    pub queue: QueueName,
    /// Its queue's number in [`ConsumerSettings::queues`].
    pub share: usize,
    /// How it is told to stop.
    pub control: Arc<Control>,
}

/// Where the end of a job is reported. Each held job is reported once, unless its lease is lost.
#[derive(Debug, Clone)]
pub struct Finisher(mpsc::UnboundedSender<Report>);

/// What a [`Finisher`] carries.
#[derive(Debug)]
enum Report {
    /// A job of this share ended.
    Ended(usize, Finish),
    /// A job of this share was dropped because its lease is lost: there is nothing to write.
    Lost(usize, Lease),
}

impl Finisher {
    /// Reports the end of a job.
    pub fn finish(&self, share: usize, finish: Finish) {
        // The pump outlives every loop; after it, there is nobody to tell and the lease runs out.
        let _ = self.0.send(Report::Ended(share, finish));
    }

    /// Reports that a job was dropped because its lease is lost.
    pub fn lost(&self, share: usize, lease: Lease) {
        let _ = self.0.send(Report::Lost(share, lease));
    }
}

/// A running consumer.
pub struct Consumer {
    buffer: Arc<Buffer>,
    finisher: Finisher,
    leases: Arc<leases::Leases>,
    drained: watch::Receiver<bool>,
    stop_leasing: CancellationToken,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl Consumer {
    /// Starts the pump and the keeper.
    #[must_use]
    pub fn start(broker: Arc<dyn Broker>, settings: ConsumerSettings, observer: Arc<dyn Observer>) -> Self {
        let (reports, received) = mpsc::unbounded_channel();
        let (drains, drained) = watch::channel(false);
        let buffer = Arc::new(Buffer::default());
        let leases = Arc::new(leases::Leases::new(settings.queues.len()));
        let (stop_leasing, end) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();
        tasks.spawn(
            pump::Pump::new(
                Arc::clone(&broker),
                settings.clone(),
                Arc::clone(&buffer),
                Arc::clone(&leases),
                Arc::clone(&observer),
                received,
                drains,
            )
            .run(stop_leasing.clone(), end.clone()),
        );
        for (share, Share { queue, .. }) in settings.queues.iter().enumerate() {
            tasks.spawn(keeper::renew(
                Arc::clone(&broker),
                share,
                queue.clone(),
                settings.heartbeat,
                Arc::clone(&leases),
                end.clone(),
            ));
            let house = keeper::House {
                broker: Arc::clone(&broker),
                queue: queue.clone(),
                share,
                leases: Arc::clone(&leases),
                observer: Arc::clone(&observer),
                every: keeper::housekeeping(settings.heartbeat),
            };
            tasks.spawn(house.keep(end.clone()));
        }
        tasks.close();
        Self { buffer, finisher: Finisher(reports), leases, drained, stop_leasing, end, tasks }
    }

    /// Where the runner's loops take jobs from.
    #[must_use]
    pub fn buffer(&self) -> Arc<Buffer> {
        Arc::clone(&self.buffer)
    }

    /// Where the runner reports ends.
    #[must_use]
    pub fn finisher(&self) -> Finisher {
        self.finisher.clone()
    }

    /// How many jobs are held: buffered, running, or finished and not yet written.
    #[must_use]
    pub fn held(&self) -> usize {
        self.leases.len()
    }

    /// Takes no more jobs, and gives back those that have not begun. Leases of what runs are still renewed.
    pub fn stop_leasing(&self) {
        self.stop_leasing.cancel();
    }

    /// Tells every job that still runs to stop where it is; each is reported as released by its runner.
    pub fn cut_off(&self) {
        self.leases.for_each(|control| control.cut_off());
    }

    /// Completes when nothing is held any more and nothing can still arrive: call [`Consumer::stop_leasing`] before.
    pub async fn drained(&self) {
        // An error says that the pump has ended: nothing arrives any more.
        let _ = self.drained.clone().wait_for(|drained| *drained).await;
    }

    /// Ends the tasks. What is still held is left to the reaper.
    pub async fn end(self) {
        self.stop_leasing.cancel();
        self.end.cancel();
        self.tasks.wait().await;
    }
}
