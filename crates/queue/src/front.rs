//! A broker in front of another: every call goes through to the one behind it. What stands in front says only what it does
//! otherwise. Tests put one there to play a queue that is away, late, or broken in one place.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use job::{JobId, QueueName};

use crate::broker::{Broker, Enqueue, Enqueued, Reservation};
use crate::error::BrokerError;
use crate::lease::{Exchange, Extended, Finish, Lease, LeaseRequest, Maintained};
use crate::record::{Cancelled, Cursor, Filter, JobRecord, Page, QueueStats, Redriven};

/// What stands in front. Whoever implements it is a [`Broker`].
#[async_trait]
pub trait Front: Send + Sync + 'static {
    /// The broker behind it.
    fn behind(&self) -> &dyn Broker;

    /// Comes before every call but [`Broker::wait`]; an error is the call's answer.
    async fn before(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    /// In place of [`Broker::enqueue`].
    async fn on_enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        self.behind().enqueue(jobs).await
    }

    /// In place of [`Broker::exchange`].
    async fn on_exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        self.behind().exchange(queue, finishes, lease).await
    }

    /// In place of [`Broker::disown`].
    async fn on_disown(&self, queue: &QueueName, token: u64) -> Result<u32, BrokerError> {
        self.behind().disown(queue, token).await
    }
}

#[async_trait]
impl<F: Front> Broker for F {
    async fn enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        self.before().await?;
        self.on_enqueue(jobs).await
    }

    async fn reserve(&self, scope: &str, key: &str, digest: [u8; 32], id: JobId) -> Result<Reservation, BrokerError> {
        self.before().await?;
        self.behind().reserve(scope, key, digest, id).await
    }

    async fn exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        self.before().await?;
        self.on_exchange(queue, finishes, lease).await
    }

    async fn disown(&self, queue: &QueueName, token: u64) -> Result<u32, BrokerError> {
        self.before().await?;
        self.on_disown(queue, token).await
    }

    async fn extend(&self, queue: &QueueName, leases: &[Lease]) -> Result<Vec<Extended>, BrokerError> {
        self.before().await?;
        self.behind().extend(queue, leases).await
    }

    async fn maintain(&self, queue: &QueueName) -> Result<Maintained, BrokerError> {
        self.before().await?;
        self.behind().maintain(queue).await
    }

    async fn wait(&self, queues: &[QueueName], at_most: Duration) {
        self.behind().wait(queues, at_most).await;
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, BrokerError> {
        self.before().await?;
        self.behind().cancel(id).await
    }

    async fn redrive(&self, id: JobId) -> Result<Redriven, BrokerError> {
        self.before().await?;
        self.behind().redrive(id).await
    }

    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, BrokerError> {
        self.before().await?;
        self.behind().get(id).await
    }

    async fn list(&self, filter: &Filter, limit: usize, cursor: Option<Cursor>) -> Result<Page, BrokerError> {
        self.before().await?;
        self.behind().list(filter, limit, cursor).await
    }

    async fn stats(&self) -> Result<Vec<QueueStats>, BrokerError> {
        self.before().await?;
        self.behind().stats().await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.before().await?;
        self.behind().pause(queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.before().await?;
        self.behind().resume(queue).await
    }

    async fn now(&self) -> Result<Timestamp, BrokerError> {
        self.before().await?;
        self.behind().now().await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.before().await?;
        self.behind().ping().await
    }
}
