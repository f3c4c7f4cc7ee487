//! The Redis backend: many machines, one Redis 7 (standalone, behind Sentinels, or a Cluster).
//!
//! Why scripts: each step of a job's life touches several keys and must happen whole or not at all, for many jobs at
//! once and in one round trip. Why these keys: what a waiting job costs is one record and one place in an order; all
//! that changes lies beside the record in 29 bytes, so that leasing and finishing never rewrite a payload.
//!
//! The keys of a queue, all in one Cluster slot by the hash tag; `id` is the job id's 16 bytes:
//! ```text
//! prefix:{queue}:j   hash  id → record (the wire form)          :m   hash  id → mutable part (lua/prelude.lua)
//!               :a   zset  available, priority·2⁴⁴ + due ms      :s   zset  scheduled, due ms · 16 + priority
//!               :r   zset  running, lease expiry ms              :o   zset  suspects (lost with two workers), due ms
//!               :c   list  completed, oldest left                :d :x :e   zset  dead, cancelled, expired; ended ms
//!               :u   hash  unique key → id, hold                 :uh  zset  holds that outlive their job, until ms
//!               :i   zset  ids remembered as enqueued, until ms  :l   hash  of those: id → the job that answered for it
//!               :k   set   running jobs with a cancel requested  :q   zset  tokens seen (Cluster only), until ms
//!               :p   paused, if it exists                        :w   a worker found nothing and waits, if it exists
//!               :t   hash  housekeeping: last, reap_after, chosen, chosen_until
//!               :n   when somebody last tried whether a write is taken
//!               :wake      channel: there may be work
//! prefix:{idem-NN}:h hash  idempotency key → digest, id, until   :z   zset  the same by time
//! prefix:queues      set   the names of all queues
//! ```
//! Times are scores, never key TTLs, and Redis's own clock counts. No script touches more than 512 jobs. Scripts that
//! free memory in the end (exchange, extend, maintain, cancel …) may run when memory is full; enqueueing may not.

mod answer;
mod enqueue;
mod exchange;
mod inspect;
mod link;
mod list;
mod maintain;
mod operate;
mod patience;
mod registry;
mod script;
mod wake;

use std::collections::HashMap;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use config::{QueueUrl, RedisTopology, RedisUrl, Secret};
use jiff::Timestamp;
use job::{JobId, QueueName};
use tokio::time::Instant;

use crate::broker::{Broker, Enqueue, Enqueued, Reservation};
use crate::error::BrokerError;
use crate::lease::{Exchange, Extended, Finish, Lease, LeaseRequest, Maintained};
use crate::record::{Cancelled, Cursor, Filter, JobRecord, Page, QueueStats, Redriven};
use crate::settings::{Settings, Time};

pub use link::Connection;

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// What all keys begin with.
    pub prefix: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take; then the call is an error although it may have been carried out.
    pub response_timeout: Duration,
    /// Replicas that must have a job before its enqueue is acknowledged (Redis `WAIT`); 0 for none. Not with a Cluster.
    pub min_replica_acks: u32,
    /// How long to wait for them.
    pub ack_timeout: Duration,
    /// The certificate authority for TLS, PEM; the system's if there is none.
    pub ca: Option<Vec<u8>>,
    /// The ACL user at the Sentinels, where it differs from the servers'.
    pub sentinel_user: Option<String>,
    /// The password at the Sentinels.
    pub sentinel_password: Option<Secret>,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            prefix: "postrider".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(10),
            min_replica_acks: 0,
            ack_timeout: Duration::from_secs(1),
            ca: None,
            sentinel_user: None,
            sentinel_password: None,
        }
    }
}

/// A queue in Redis. Cheap to clone; connects when it is first used and again whenever a connection is lost.
#[derive(Clone)]
pub struct RedisBroker {
    link: Arc<link::Link>,
    /// Another connection, for writes that replicas must acknowledge; `None` where none must.
    acked: Option<Arc<link::Link>>,
    settings: Arc<Settings>,
    redis: Arc<RedisSettings>,
    /// Queues whose name was put into `prefix:queues`, and when.
    registered: Arc<Mutex<HashMap<QueueName, Instant>>>,
    /// The names in `prefix:queues` as they were last read.
    names: Arc<Mutex<Vec<QueueName>>>,
    /// Whose idempotency keys are purged next.
    next_slot: Arc<AtomicU8>,
    wake: Arc<wake::Wake>,
    patience: Arc<patience::Patience>,
}

impl RedisBroker {
    /// A broker over the Redis at `url` (see [`config::QueueUrl`]), with keys under `prefix`. Waits for the first answer.
    ///
    /// Errors: [`BrokerError::Invalid`] for a URL that cannot be read, [`BrokerError::Unavailable`] if nobody answers.
    pub async fn connect(url: &str, prefix: &str, settings: Settings) -> Result<Self, BrokerError> {
        let redis = RedisSettings { prefix: prefix.to_owned(), ..RedisSettings::default() };
        let QueueUrl::Redis(url) = url.parse().map_err(|e| BrokerError::Invalid(format!("queue.url: {e}")))? else {
            return Err(BrokerError::Invalid("queue.url: not a Redis URL".to_owned()));
        };
        let broker = Self::lazy(&url, redis, settings)?;
        broker.time().await?;
        Ok(broker)
    }

    /// The same without waiting: a Redis that is away is ridden out by each call.
    pub fn lazy(url: &RedisUrl, redis: RedisSettings, settings: Settings) -> Result<Self, BrokerError> {
        if redis.min_replica_acks > 0 && matches!(url.topology, RedisTopology::Cluster { .. }) {
            return Err(BrokerError::Invalid("queue.redis.min_replica_acks must be 0 with a Redis Cluster".to_owned()));
        }
        let link = Arc::new(link::Link::new(url, &redis)?);
        let acked = match redis.min_replica_acks {
            0 => None,
            _ => Some(Arc::new(link::Link::new(url, &redis)?)),
        };
        let wake = Arc::new(wake::Wake::new(Arc::clone(&link)));
        let (registered, names, next_slot) = (Arc::default(), Arc::default(), Arc::default());
        let is_virtual = matches!(settings.time, Time::Virtual(_));
        let patience = Arc::new(patience::Patience::new(redis.response_timeout, is_virtual));
        let (settings, redis) = (Arc::new(settings), Arc::new(redis));
        Ok(Self { link, acked, settings, redis, registered, names, next_slot, wake, patience })
    }

    /// A connection of its own, for `doctor` and the benchmark: to read `INFO`, `CONFIG` and the like.
    pub async fn connection(&self) -> Result<Connection, BrokerError> {
        self.link.connection().await
    }

    /// The base of a queue's keys: all of them begin with it.
    #[must_use]
    pub fn base(&self, queue: &QueueName) -> String {
        format!("{}:{{{queue}}}:", self.redis.prefix)
    }

    /// The first argument of every script: empty, or the virtual time.
    fn now_arg(&self) -> Vec<u8> {
        match &self.settings.time {
            Time::Server => Vec::new(),
            Time::Virtual(clock) => clock.now_ms().to_string().into_bytes(),
        }
    }
}

#[async_trait]
impl Broker for RedisBroker {
    async fn enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        self.enqueue_all(jobs).await
    }

    async fn reserve(&self, scope: &str, key: &str, digest: [u8; 32], id: JobId) -> Result<Reservation, BrokerError> {
        self.reserve_key(scope, key, digest, id).await
    }

    async fn exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        self.finish_and_lease(queue, finishes, lease).await
    }

    async fn extend(&self, queue: &QueueName, leases: &[Lease]) -> Result<Vec<Extended>, BrokerError> {
        self.renew(queue, leases).await
    }

    async fn maintain(&self, queue: &QueueName) -> Result<Maintained, BrokerError> {
        self.keep_house(queue).await
    }

    async fn wait(&self, queues: &[QueueName], at_most: Duration) {
        let bases: Vec<String> = queues.iter().map(|queue| self.base(queue)).collect();
        self.wake.wait(&bases, at_most).await;
    }

    async fn disown(&self, queue: &QueueName, token: u64) -> Result<u32, BrokerError> {
        self.give_back_lost(queue, token).await
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, BrokerError> {
        self.cancel_one(id).await
    }

    async fn redrive(&self, id: JobId) -> Result<Redriven, BrokerError> {
        self.redrive_one(id).await
    }

    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, BrokerError> {
        self.look_at(id).await
    }

    async fn list(&self, filter: &Filter, limit: usize, cursor: Option<Cursor>) -> Result<Page, BrokerError> {
        self.page(filter, limit, cursor).await
    }

    async fn stats(&self) -> Result<Vec<QueueStats>, BrokerError> {
        self.count().await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.set_paused(queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.lift_pause(queue).await
    }

    async fn now(&self) -> Result<Timestamp, BrokerError> {
        self.time().await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.knock().await
    }
}
