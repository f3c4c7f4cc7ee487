//! What is not one queue's alone: the names of all queues, and the idempotency keys whose day is over.
//!
//! Both lie in parts of a Cluster that may be away while a queue is well. So nothing that serves a queue waits for them:
//! 1. configured queues are known without asking; housekeeping notes their names for those who are configured otherwise;
//! 2. names that were read once are remembered, and serve while nobody can be asked;
//! 3. housekeeping does its part of this beside its step for the queue, and does not wait for it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use job::{JobId, QueueName};
use redis::Value;
use tokio::time::{Instant, timeout};

use super::answer::{self, unexpected};
use super::{RedisBroker, script};
use crate::error::BrokerError;

/// In how many slots idempotency keys are kept.
pub(super) const SLOTS: u8 = 16;

/// How long the registry is trusted to hold a name: a flushed Redis forgets it.
const REGISTERED_FOR: Duration = Duration::from_secs(10);

/// How long the common house is kept at most.
const CHORES: Duration = Duration::from_secs(1);

/// How many keys a purge takes at a time, as its script says.
const PURGED: i64 = 256;

impl RedisBroker {
    fn registry(&self) -> String {
        format!("{}:queues", self.redis.prefix)
    }

    /// The base of the keys of one slot of idempotency keys.
    pub(super) fn slot(&self, slot: u8) -> String {
        format!("{}:{{idem-{slot:02}}}:", self.redis.prefix)
    }

    /// All queues: those that are configured and those that ever had a job.
    pub(super) async fn queues(&self) -> Result<Vec<QueueName>, BrokerError> {
        let mut queues = match self.read_names().await {
            Ok(names) => {
                self.names.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&names);
                names
            }
            Err(error) => match self.remembered() {
                names if error.is_transient() && !names.is_empty() => names,
                _ => return Err(error),
            },
        };
        queues.extend_from_slice(&self.settings.queues);
        queues.sort();
        queues.dedup();
        Ok(queues)
    }

    async fn read_names(&self) -> Result<Vec<QueueName>, BrokerError> {
        let mut cmd = redis::cmd("SMEMBERS");
        cmd.arg(self.registry());
        let names = match self.link.send(&cmd).await? {
            Value::Array(names) | Value::Set(names) => names,
            _ => return Err(unexpected("set of queues")),
        };
        let name = |name| {
            let name = String::from_utf8(answer::bytes(name)?).map_err(|_| unexpected("queue name"))?;
            Ok(QueueName::new(&name)?)
        };
        names.into_iter().map(name).collect()
    }

    fn remembered(&self) -> Vec<QueueName> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The queues that a job id can belong to, by its tag: almost always one. The registry is asked only if none of the
    /// known ones fits.
    pub(super) async fn queues_of(&self, id: JobId) -> Result<Vec<QueueName>, BrokerError> {
        let fits = |queue: &QueueName| queue.tag() == id.queue_tag();
        let mut known: Vec<QueueName> = self.settings.queues.iter().filter(|queue| fits(queue)).cloned().collect();
        if known.is_empty() {
            known = self.queues().await?;
            known.retain(fits);
        }
        Ok(known)
    }

    /// Notes the name of a queue that stands in no configuration, so that its jobs are found. A registry that is away or
    /// full keeps no job out: the housekeeping notes the name later.
    pub(super) async fn register_unknown(&self, queue: &QueueName) {
        if !self.settings.queues.contains(queue) {
            let _ = self.register(queue).await;
        }
    }

    async fn register(&self, queue: &QueueName) -> Result<(), BrokerError> {
        let now = Instant::now();
        let is_fresh = |at: &Instant| now.duration_since(*at) < REGISTERED_FOR;
        if self.registered.lock().unwrap_or_else(PoisonError::into_inner).get(queue).is_some_and(is_fresh) {
            return Ok(());
        }
        let mut cmd = redis::cmd("SADD");
        cmd.arg(self.registry()).arg(queue.as_str());
        self.link.send(&cmd).await?;
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.clone(), now);
        Ok(())
    }

    /// Notes the queue's name and forgets old idempotency keys of one slot, the next one each time.
    pub(super) fn keep_common_house(&self, queue: &QueueName) {
        let (broker, queue) = (self.clone(), queue.clone());
        tokio::spawn(async move {
            let slot = broker.next_slot.fetch_add(1, Ordering::Relaxed) % SLOTS;
            let chores = async { tokio::join!(broker.register(&queue), broker.purge(slot)) };
            // What was not done now is done the next time.
            let _ = timeout(CHORES, chores).await;
        });
    }

    async fn purge(&self, slot: u8) -> Result<(), BrokerError> {
        let base = self.slot(slot);
        loop {
            match self.call(&script::PURGE, &base, &[self.now_arg()]).await? {
                Value::Int(gone) if gone < PURGED => return Ok(()),
                Value::Int(_) => {}
                _ => return Err(unexpected("number")),
            }
        }
    }
}
