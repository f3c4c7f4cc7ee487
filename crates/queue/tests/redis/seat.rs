//! What every case needs: a broker at some server, and jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::QueueUrl;
use job::{Clock, Envelope, IdSource, JobState, Kind, QueueName, SystemClock};
use queue::redis::{RedisBroker, RedisSettings};
use queue::{Broker, BrokerError, Enqueue, Enqueued, LeaseRequest, Settings};
use serde_json::value::RawValue;

pub const SOON: Duration = Duration::from_secs(30);

pub struct Seat {
    pub broker: RedisBroker,
    pub queue: QueueName,
    ids: IdSource,
}

impl Seat {
    pub fn at(url: &str) -> Self {
        Self::with(url, RedisSettings::default(), Settings::default())
    }

    pub fn with(url: &str, redis: RedisSettings, settings: Settings) -> Self {
        let QueueUrl::Redis(url) = url.parse().unwrap() else { panic!("not a Redis URL") };
        let queue = QueueName::new("emails").unwrap();
        let mut queues = settings.queues.clone();
        if queues.is_empty() {
            queues.push(queue.clone());
        }
        // No lease runs out by itself here.
        let settings = Settings { queues, lease: Duration::from_secs(600), ..settings };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self { broker: RedisBroker::lazy(&url, redis, settings).unwrap(), queue, ids: IdSource::new(clock) }
    }

    pub fn job_in(&self, queue: &QueueName) -> Envelope {
        let args = RawValue::from_string("{}".into()).unwrap();
        Envelope::raw(self.ids.next(queue), Kind::new("email.send").unwrap(), queue.clone(), args, SystemClock.now())
    }

    pub fn job(&self) -> Envelope {
        self.job_in(&self.queue)
    }

    pub async fn put(&self) -> Result<Vec<Enqueued>, BrokerError> {
        self.broker.enqueue(&[self.job().into()]).await
    }

    pub async fn put_many(&self, n: usize) {
        let jobs: Vec<Enqueue> = (0..n).map(|_| self.job().into()).collect();
        assert_eq!(self.broker.enqueue(&jobs).await.unwrap(), vec![Enqueued::New; n]);
    }

    pub async fn count(&self, state: JobState) -> u64 {
        let stats = self.broker.stats().await.unwrap();
        stats.iter().find(|stats| stats.queue == self.queue).unwrap().count(state)
    }
}

/// A request for jobs under a token of its own.
pub fn request(max: usize) -> LeaseRequest {
    static TOKENS: AtomicU64 = AtomicU64::new(1);
    LeaseRequest { max, token: TOKENS.fetch_add(1, Ordering::Relaxed), worker: 1, idle: false }
}
