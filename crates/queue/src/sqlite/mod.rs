//! The SQLite backend: one file, one machine, every accepted write on the disk before it is acknowledged.
//!
//! 1. `connect` opens the file and makes its tables (`schema.sql`); `place` says how a job's state is written there.
//! 2. Everything that writes is an operation of `work`: `enqueue`, `exchange` with `lease`, `extend`, `maintain`,
//!    `operate`. `writer` runs those that come at the same time in one transaction (group commit).
//! 3. What only reads (`look`, `list`) does so beside the writer, on connections of its own.
//! 4. `wake` tells who waits that there is work; `fault` what an error of SQLite means.
//!
//! Several processes may use one file: each write is its own short immediate transaction, and who waits looks again
//! every 250 ms for what another process brought.

mod connect;
mod enqueue;
mod entry;
mod exchange;
mod extend;
mod fault;
mod lease;
mod list;
mod look;
mod maintain;
mod operate;
mod place;
mod wake;
mod work;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use job::{Clock, JobId, QueueName, SystemClock};
use sqlx::Connection;
use sqlx::sqlite::SqlitePool;
use tokio::time::timeout;

use crate::broker::{Broker, Enqueue, Enqueued, Reservation};
use crate::error::BrokerError;
use crate::lease::{Exchange, Extended, Finish, Lease, LeaseRequest, Maintained};
use crate::record::{Cancelled, Cursor, Filter, JobRecord, Page, QueueStats, Redriven};
use crate::settings::{Settings, Time};

use enqueue::Written;
use wake::Bell;
use work::{Known, Operation, Work};
use writer::Writer;

/// How many jobs go to the writer at once: an enqueue of more lets others in between.
const PART: usize = 1_024;

/// A queue in a SQLite file, or in memory. Clones share the connections.
#[derive(Clone)]
pub struct SqliteBroker {
    writer: Writer,
    readers: Option<SqlitePool>,
    bell: Arc<Bell>,
    settings: Arc<Settings>,
}

impl SqliteBroker {
    /// Opens the queue in the file at `target` (a path or a `sqlite:` URL; made if it is not there, its folder is not)
    /// or in memory (`sqlite::memory:`), where only this broker and its clones see it.
    ///
    /// Errors: [`BrokerError::Unavailable`] if the file cannot be opened or is locked for long,
    /// [`BrokerError::Corrupt`] if it is no database, [`BrokerError::Invalid`] if a newer release made it.
    pub async fn open(target: &str, settings: Settings) -> Result<Self, BrokerError> {
        let (conn, readers) = connect::open(target).await?;
        let (settings, bell) = (Arc::new(settings), Arc::new(Bell::default()));
        let writer = Writer::start(conn, Arc::clone(&settings), Arc::clone(&bell));
        writer.run(operate::Naming(settings.queues.clone())).await?;
        Ok(Self { writer, readers, bell, settings })
    }

    /// Finishes what was handed in and closes the file. All clones are closed with it.
    pub async fn close(&self) {
        self.writer.close().await;
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
    }

    /// Writes bytes that need not be an envelope as an available job, as a newer or a broken release might: for tests
    /// of what happens then.
    #[doc(hidden)]
    pub async fn plant(&self, queue: &QueueName, id: JobId, bytes: Vec<u8>) -> Result<Enqueued, BrokerError> {
        let job = Written {
            id,
            queue: queue.clone(),
            kind: String::new(),
            priority: 5,
            due: None,
            run_at: self.time(),
            expires_at: None,
            unique_key: None,
            unique_for: 0,
            once: false,
            envelope: bytes,
        };
        let mut answers = self.writer.enqueue(vec![job]).await?.await.map_err(|_| writer::gone())??;
        answers.pop().ok_or_else(writer::gone)
    }

    fn time(&self) -> i64 {
        match &self.settings.time {
            Time::Server => SystemClock.now_ms(),
            Time::Virtual(clock) => clock.now_ms(),
        }
    }

    /// Runs what only reads, beside the writer if that is possible.
    async fn read<O: Operation>(&self, mut operation: O) -> Result<O::Answer, BrokerError> {
        let Some(readers) = &self.readers else { return self.writer.run(operation).await };
        let mut conn = readers.acquire().await?;
        let mut tx = conn.begin().await?;
        let mut known = Known::default();
        let answer = operation.run(&mut Work::new(&mut tx, &mut known, &self.settings, self.time())).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

#[async_trait]
impl Broker for SqliteBroker {
    async fn enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        let mut parts = Vec::new();
        for part in jobs.chunks(PART) {
            parts.push(self.writer.enqueue(part.iter().map(Written::from).collect()).await?);
        }
        let mut answers = Vec::with_capacity(jobs.len());
        for part in parts {
            answers.append(&mut part.await.map_err(|_| writer::gone())??);
        }
        Ok(answers)
    }

    async fn reserve(&self, scope: &str, key: &str, digest: [u8; 32], id: JobId) -> Result<Reservation, BrokerError> {
        self.writer.run(operate::Reserving { scope: scope.to_owned(), key: key.to_owned(), digest, id }).await
    }

    async fn exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        self.writer.run(exchange::Exchanging::new(queue, finishes, lease)?).await
    }

    async fn extend(&self, queue: &QueueName, leases: &[Lease]) -> Result<Vec<Extended>, BrokerError> {
        self.writer.run(extend::Extending { queue: queue.clone(), leases: leases.to_vec() }).await
    }

    async fn maintain(&self, queue: &QueueName) -> Result<Maintained, BrokerError> {
        self.writer.run(maintain::Maintaining(queue.clone())).await
    }

    async fn wait(&self, queues: &[QueueName], at_most: Duration) {
        let roused = self.bell.roused();
        let work_comes = async {
            loop {
                let mut ring = std::pin::pin!(self.bell.listen());
                ring.as_mut().enable();
                // While the file is away there is nothing to see; the caller finds out when it asks.
                let there_is_work = matches!(self.read(wake::HasWork(queues.to_vec())).await, Ok(true));
                if there_is_work || self.bell.roused() != roused {
                    return;
                }
                let _ = timeout(wake::LOOK_AGAIN, ring).await;
            }
        };
        let _ = timeout(at_most, work_comes).await;
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, BrokerError> {
        self.writer.run(operate::Cancelling(id)).await
    }

    async fn redrive(&self, id: JobId) -> Result<Redriven, BrokerError> {
        self.writer.run(operate::Redriving(id)).await
    }

    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, BrokerError> {
        self.read(look::Getting(id)).await
    }

    async fn list(&self, filter: &Filter, limit: usize, cursor: Option<Cursor>) -> Result<Page, BrokerError> {
        self.read(list::Listing::new(filter, limit, cursor)?).await
    }

    async fn stats(&self) -> Result<Vec<QueueStats>, BrokerError> {
        self.read(look::Counting).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.writer.run(operate::Pausing { queue: queue.clone(), paused: true }).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.writer.run(operate::Pausing { queue: queue.clone(), paused: false }).await
    }

    async fn now(&self) -> Result<Timestamp, BrokerError> {
        Ok(job::clock::from_ms(self.time()))
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.writer.run(operate::Knocking).await
    }
}
