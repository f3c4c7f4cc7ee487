//! Redis stands still for longer than a lease. What runs goes on running, once.

use std::time::Duration;

use job::JobState;
use queue::Broker;
use serde_json::json;
use testkit::{Redis, wait_until};

use crate::rig::{Rig, SOON, count, job, reaches};
use crate::turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_longer_than_the_lease_runs_nothing_again() {
    let _turn = turn::beside_others().await;
    let mut redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await.lease(Duration::from_secs(4)).set("WORKER__CONCURRENCY", "40");
    let broker = rig.broker();
    let (mut first, mut second) = (rig.worker("first").await, rig.worker("second").await);
    // Some end during the pause, some after it.
    let sleeps: Vec<_> = (0..40).map(|n| rig.job("debug.sleep", &json!({"ms": 5_000 + 250 * n}))).collect();
    let jobs: Vec<_> = sleeps.iter().cloned().map(Into::into).collect();
    broker.enqueue(&jobs).await.unwrap();
    wait_until("all run", SOON, async || count(&broker, JobState::Running).await == 40).await;

    redis.freeze();
    tokio::time::sleep(Duration::from_secs(7)).await;
    redis.thaw();

    for sleep in &sleeps {
        reaches(&broker, sleep.id, JobState::Completed, SOON).await;
        let job = job(&broker, sleep.id).await;
        assert_eq!((job.attempt, job.losses), (1, 0), "it ran again: {job:?}");
    }
    for worker in [&mut first, &mut second] {
        assert!(worker.is_running());
        assert!(!worker.log().contains("leases lost"), "{}", worker.log());
    }
}
