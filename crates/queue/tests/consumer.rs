//! The consumer over a broker with which something is wrong for good: one end can never be written. Its neighbours are
//! written once, and work goes on.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use job::{Clock, Envelope, IdSource, JobId, JobState, Kind, QueueName, SystemClock};
use queue::consumer::{Consumer, ConsumerSettings, Observer, Share};
use queue::sqlite::SqliteBroker;
use queue::{Broker, BrokerError, Disposition, Enqueue, Exchange, Finish, Front, LeaseRequest, Maintained, Settings};
use serde_json::value::RawValue;
use testkit::wait_until;

const JOBS: usize = 40;
const SOON: Duration = Duration::from_secs(30);

/// A real queue that chokes on the end of one job.
struct Choking {
    inner: SqliteBroker,
    on: JobId,
    choked: AtomicUsize,
}

#[async_trait]
impl Front for Choking {
    fn behind(&self) -> &dyn Broker {
        &self.inner
    }

    async fn on_exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        if finishes.iter().any(|finish| finish.lease.id == self.on) {
            self.choked.fetch_add(1, Ordering::Relaxed);
            return Err(BrokerError::Corrupt("a script failed".to_owned()));
        }
        self.inner.exchange(queue, finishes, lease).await
    }

    async fn on_disown(&self, _: &QueueName, _: u64) -> Result<u32, BrokerError> {
        Err(BrokerError::Corrupt("a script failed".to_owned()))
    }
}

struct Nobody;

impl Observer for Nobody {
    fn maintained(&self, _: &QueueName, _: &Maintained) {}
    fn expired(&self, _: &QueueName, _: u32) {}
    fn reachable(&self, _: &QueueName, _: bool) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_can_never_be_written_holds_up_no_other() {
    let queue = QueueName::new("emails").unwrap();
    let ids = IdSource::new(Arc::new(SystemClock));
    let job = || {
        let args = RawValue::from_string("{}".into()).unwrap();
        Envelope::raw(ids.next(&queue), Kind::new("email.send").unwrap(), queue.clone(), args, SystemClock.now())
    };
    let jobs: Vec<Enqueue> = (0..JOBS).map(|_| job().into()).collect();
    let bad = jobs[JOBS / 2].envelope.id;
    let inner = SqliteBroker::open("sqlite::memory:", Settings::default()).await.unwrap();
    inner.enqueue(&jobs).await.unwrap();
    let broker = Arc::new(Choking { inner, on: bad, choked: AtomicUsize::new(0) });
    let settings = ConsumerSettings {
        queues: vec![Share { queue: queue.clone(), weight: 1, limit: None }],
        concurrency: JOBS,
        heartbeat: Duration::from_secs(5),
        worker: 7,
    };
    let consumer = Consumer::start(Arc::clone(&broker) as Arc<dyn Broker>, settings, Arc::new(Nobody));
    let (buffer, finisher) = (consumer.buffer(), consumer.finisher());
    let mut ran = HashSet::new();
    let mut run = async || {
        let held = poll_fn(|cx| buffer.poll_take(cx)).await;
        assert!(ran.insert(held.leased.lease.id), "none runs twice");
        let disposition = Disposition::Completed { result: None };
        let priority = held.leased.envelope.as_ref().unwrap().priority;
        finisher.finish(held.share, Finish { lease: held.leased.lease, disposition, priority, unique: None });
    };
    for _ in 0..JOBS {
        run().await;
    }
    wait_until("nothing is held any more", SOON, async || consumer.held() == 0).await;
    broker.inner.enqueue(&[job().into()]).await.unwrap();
    run().await;
    wait_until("work goes on", SOON, async || consumer.held() == 0).await;
    let stats = broker.inner.stats().await.unwrap();
    assert_eq!((stats[0].count(JobState::Completed), stats[0].count(JobState::Running)), (JOBS as u64, 1));
    assert_eq!(broker.get(bad).await.unwrap().unwrap().state, JobState::Running, "it is left to the reaper");
    assert!((1..=8).contains(&broker.choked.load(Ordering::Relaxed)), "{:?}", broker.choked);
    consumer.end().await;
}
