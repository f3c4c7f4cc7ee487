//! Waiting for work. These cases measure real time: what must be prompt has seconds to spare before it fails.

use std::sync::Arc;
use std::time::Duration;

use queue::{Broker, Disposition};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::stage::*;

const LONG: Duration = Duration::from_secs(60);
const PROMPT: Duration = Duration::from_secs(10);

/// Waits on another handle, as another worker would: it asked before and found nothing.
async fn waiter(s: &Stage) -> JoinHandle<()> {
    let broker: Arc<dyn Broker> = s.handle().await;
    let queues = [s.other.clone(), s.queue.clone()];
    // The first wait of a process may end early, while it begins to listen.
    broker.wait(&queues, Duration::from_millis(300)).await;
    for queue in &queues {
        assert!(broker.exchange(queue, &[], Some(s.request(1))).await.unwrap().leased.is_empty());
    }
    tokio::spawn(async move { broker.wait(&queues, LONG).await })
}

async fn ends_promptly(waiter: JoinHandle<()>) {
    timeout(PROMPT, waiter).await.expect("the wait ends promptly").unwrap();
}

pub async fn a_wait_ends_when_another_handle_enqueues(s: &Stage) {
    let waiter = waiter(s).await;
    s.put(s.job()).await;
    ends_promptly(waiter).await;
}

pub async fn a_wait_ends_when_a_job_is_given_back(s: &Stage) {
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    let waiter = waiter(s).await;
    s.finish(&leased, Disposition::Release).await;
    ends_promptly(waiter).await;
}

pub async fn a_wait_ends_when_a_queue_is_resumed(s: &Stage) {
    s.broker.pause(&s.queue).await.unwrap();
    s.put(s.job()).await;
    let waiter = waiter(s).await;
    s.broker.resume(&s.queue).await.unwrap();
    ends_promptly(waiter).await;
}

pub async fn a_wait_ends_by_itself(s: &Stage) {
    let start = Instant::now();
    s.broker.wait(std::slice::from_ref(&s.queue), Duration::from_millis(50)).await;
    assert!(start.elapsed() < PROMPT);
}

pub async fn a_healthy_broker_answers_a_ping(s: &Stage) {
    s.broker.ping().await.unwrap();
    assert_eq!(s.broker.now().await.unwrap(), job::Clock::now(&s.clock));
}
