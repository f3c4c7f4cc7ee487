//! A queue that now and then does not take jobs, or takes them and loses its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use job::{JobId, QueueName};
use queue::{
    Broker, BrokerError, Cancelled, Cursor, Enqueue, Enqueued, Exchange, Extended, Filter, Finish, JobRecord, Lease,
    LeaseRequest, Maintained, Page, QueueStats, Redriven, Reservation,
};

/// What happens to the next enqueue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is taken.
    Well = 0,
    /// It is not taken.
    Refused = 1,
    /// It is taken, and the answer is lost.
    AnswerLost = 2,
}

/// A real queue, sometimes away.
pub struct Fragile {
    inner: Arc<dyn Broker>,
    next: AtomicU8,
}

impl Fragile {
    pub fn new(inner: Arc<dyn Broker>) -> Arc<Self> {
        Arc::new(Self { inner, next: AtomicU8::new(Next::Well as u8) })
    }

    pub fn next(&self, next: Next) {
        self.next.store(next as u8, Ordering::SeqCst);
    }
}

#[async_trait]
impl Broker for Fragile {
    async fn enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        let away = || BrokerError::Unavailable("the connection broke".to_owned());
        let next = self.next.swap(Next::Well as u8, Ordering::SeqCst);
        if next == Next::Refused as u8 {
            return Err(away());
        }
        let taken = self.inner.enqueue(jobs).await?;
        if next == Next::AnswerLost as u8 { Err(away()) } else { Ok(taken) }
    }
    async fn reserve(&self, s: &str, k: &str, d: [u8; 32], id: JobId) -> Result<Reservation, BrokerError> {
        self.inner.reserve(s, k, d, id).await
    }
    async fn exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        self.inner.exchange(queue, finishes, lease).await
    }
    async fn extend(&self, queue: &QueueName, leases: &[Lease]) -> Result<Vec<Extended>, BrokerError> {
        self.inner.extend(queue, leases).await
    }
    async fn maintain(&self, queue: &QueueName) -> Result<Maintained, BrokerError> {
        self.inner.maintain(queue).await
    }
    async fn wait(&self, queues: &[QueueName], at_most: Duration) {
        self.inner.wait(queues, at_most).await;
    }
    async fn cancel(&self, id: JobId) -> Result<Cancelled, BrokerError> {
        self.inner.cancel(id).await
    }
    async fn redrive(&self, id: JobId) -> Result<Redriven, BrokerError> {
        self.inner.redrive(id).await
    }
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, BrokerError> {
        self.inner.get(id).await
    }
    async fn list(&self, filter: &Filter, limit: usize, cursor: Option<Cursor>) -> Result<Page, BrokerError> {
        self.inner.list(filter, limit, cursor).await
    }
    async fn stats(&self) -> Result<Vec<QueueStats>, BrokerError> {
        self.inner.stats().await
    }
    async fn pause(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.inner.pause(queue).await
    }
    async fn resume(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.inner.resume(queue).await
    }
    async fn now(&self) -> Result<Timestamp, BrokerError> {
        self.inner.now().await
    }
    async fn ping(&self) -> Result<(), BrokerError> {
        self.inner.ping().await
    }
}
