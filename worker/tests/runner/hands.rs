//! How full a worker's hands are, and how it empties them: never more at a time than it may, and nothing left to its lease
//! by a shutdown that comes while jobs are on their way to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use job::{Attempt, Completed, Job, JobState, Outcome, QueueName};
use queue::{Broker, BrokerError, Exchange, Finish, Front, LeaseRequest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use worker::{Context, Registry};

use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Says how many of its kind run at the same time.
#[derive(Debug, Serialize, Deserialize)]
struct Overlap {}

impl Job for Overlap {
    const KIND: &'static str = "test.overlap";
    const QUEUE: &'static str = "debug";
    type Context = Context;

    async fn run(self, _: &Context, _: &Attempt) -> Outcome {
        MOST.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(Completed::default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_so_short_that_more_are_leased_ahead_run_no_more_at_a_time_than_allowed() {
    let stage = Stage::sqlite().await;
    const JOBS: u64 = 600;
    for _ in 0..JOBS {
        stage.enqueue(stage.envelope("test.overlap", json!({}))).await;
    }
    let registry = Registry::standard(true).with::<Overlap>();
    let runner = stage.runner_of(registry, |settings| (settings.concurrency, settings.loops) = (3, 2));
    testkit::wait_until("all to be done", PATIENCE, async || stage.count("debug", JobState::Completed).await == JOBS)
        .await;
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
    assert_eq!(runner.shut_down().await, 0);
}

/// A queue whose answers to an exchange are late: what it leased is leased, and the worker does not know yet.
struct Late {
    inner: Arc<dyn Broker>,
    answers: Semaphore,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_leased_while_a_shutdown_begins_is_given_back_uncharged() {
    let mut stage = Stage::sqlite().await;
    let late = Arc::new(Late { inner: Arc::clone(stage.broker()), answers: Semaphore::new(0) });
    stage.context.broker = late.clone();
    let id = stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": 60_000 }))).await;
    let runner = stage.runner(|_| {});
    testkit::wait_until("it is leased", PATIENCE, async || stage.record(id).await.state == JobState::Running).await;
    assert_eq!(runner.held(), 0, "the worker does not know of it");

    // The shutdown begins, and then the answer comes.
    let (left, ()) = tokio::join!(runner.shut_down(), async { late.answers.close() });
    let record = stage.record(id).await;
    assert_eq!((left, record.state, record.losses, record.attempt), (0, JobState::Available, 0, 0), "{record:?}");
}

#[async_trait]
impl Front for Late {
    fn behind(&self) -> &dyn Broker {
        self.inner.as_ref()
    }

    async fn on_exchange(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        let answer = self.inner.exchange(queue, finishes, lease).await;
        // Closed, it lets everybody pass.
        let _ = self.answers.acquire().await;
        answer
    }
}
