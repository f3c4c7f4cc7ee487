//! SIGTERM under load: the worker ends in time, and nothing waits for a lease to run out.

use std::time::Duration;

use job::JobState;
use queue::Broker;
use serde_json::json;
use testkit::{Redis, Signal, wait_until};
use tokio::time::Instant;

use crate::load::{reckon, send_effects};
use crate::rig::{Rig, SOON, count, job, jobs, reaches};
use crate::turn;

/// Longer than the whole test: whoever waits for a lease is found out.
const LEASE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_under_load_leaves_nothing_behind() {
    let _turn = turn::alone().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await.lease(LEASE);
    let (api, broker) = (rig.api().await, rig.broker());
    let mut accepted = send_effects(&api.client, "first", 3_000).await;
    let mut leaving = rig.worker("leaving").await;
    wait_until("it works", SOON, async || count(&broker, JobState::Completed).await > 100).await;
    let mut staying = rig.worker("staying").await;
    accepted.extend(send_effects(&api.client, "second", 1_000).await);

    let began = Instant::now();
    let status = leaving.terminate(Duration::from_secs(30)).await;
    println!("ended after {:?}", began.elapsed());
    assert_eq!(status.code(), Some(0), "{}", leaving.log());

    assert_eq!(reckon(&rig, &broker, &accepted).await, 0, "nothing was given back half done");
    for job in jobs(&broker, JobState::Completed).await {
        assert_eq!((job.attempt, job.losses), (1, 0), "{job:?}");
    }
    assert!(staying.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_still_runs_at_the_soft_deadline_goes_to_another_worker_uncharged() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url())
        .await
        .lease(LEASE)
        .set("WORKER__SHUTDOWN_SOFT", "1s")
        .set("WORKER__SHUTDOWN_HARD", "60s")
        .set("WORKER__CONCURRENCY", "4");
    let broker = rig.broker();
    // Four run, four wait in the worker or in the queue.
    let sleeps: Vec<_> = (0..8).map(|_| rig.job("debug.sleep", &json!({"ms": 2_500}))).collect();
    let jobs: Vec<_> = sleeps.iter().cloned().map(Into::into).collect();
    broker.enqueue(&jobs).await.unwrap();
    let mut leaving = rig.worker("leaving").await;
    wait_until("four run", SOON, async || count(&broker, JobState::Running).await >= 4).await;

    leaving.signal(Signal::Term);
    let _staying = rig.worker("staying").await;
    let status = leaving.wait(SOON).await;
    assert_eq!(status.code(), Some(0), "{}", leaving.log());
    for sleep in &sleeps {
        reaches(&broker, sleep.id, JobState::Completed, SOON).await;
        let job = job(&broker, sleep.id).await;
        assert_eq!((job.attempt, job.losses), (1, 0), "{job:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_redis_is_away_still_ends_in_time() {
    let _turn = turn::beside_others().await;
    for is_frozen in [false, true] {
        let mut redis = Redis::with_aof().await;
        let rig = Rig::new(&redis.url()).await.set("WORKER__SHUTDOWN_SOFT", "1s").set("WORKER__SHUTDOWN_HARD", "3s");
        let broker = rig.broker();
        let sleep = rig.job("debug.sleep", &json!({"ms": 60_000}));
        broker.enqueue(&[sleep.clone().into()]).await.unwrap();
        let mut worker = rig.worker("worker").await;
        reaches(&broker, sleep.id, JobState::Running, SOON).await;
        if is_frozen {
            redis.freeze();
        } else {
            redis.kill().await;
        }
        let began = Instant::now();
        let status = worker.terminate(Duration::from_secs(30)).await;
        println!("Redis frozen: {is_frozen}; ended after {:?} with {status}", began.elapsed());
        // It could not give its job back, and says so.
        assert_eq!(status.code(), Some(1), "{}", worker.log());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
