//! A job that ends every process that runs it, among good ones: it alone ends dead.

use std::time::Duration;

use job::JobState;
use queue::Broker;
use serde_json::json;
use testkit::{Process, Redis, wait_until};

use crate::load::send_effects;
use crate::rig::{DRAIN, Rig, count, job, jobs};
use crate::turn;

const GOOD: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_ends_dead_and_its_ten_thousand_neighbours_complete() {
    let _turn = turn::alone().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await.lease(Duration::from_secs(2));
    let (api, broker) = (rig.api().await, rig.broker());
    let mut accepted = send_effects(&api.client, "before", GOOD / 2).await;
    let answer = api.client.post("/v1/jobs", &json!({"kind": "debug.crash"})).await;
    let poison = answer.job();
    accepted.extend(send_effects(&api.client, "after", GOOD - GOOD / 2).await);

    let mut workers = vec![rig.worker("worker-0").await, rig.worker("worker-1").await];
    let mut crashes = 0;
    wait_until("the poison is dead and all others are done", DRAIN, async || {
        for worker in &mut workers {
            crashes += usize::from(start_again(&rig, worker, crashes).await);
        }
        let stats = broker.stats().await.unwrap();
        let ended = |state| stats.iter().map(|queue| queue.count(state)).sum::<u64>();
        ended(JobState::Dead) > 0 && ended(JobState::Completed) >= GOOD as u64
    })
    .await;

    assert_eq!(crashes, 3, "two losses among others, one alone");
    let dead = jobs(&broker, JobState::Dead).await;
    assert_eq!(dead.iter().map(|job| job.id).collect::<Vec<_>>(), [poison]);
    let error = &job(&broker, poison).await.errors.pop().unwrap().error;
    assert!(error.contains("crashed"), "{error}");
    assert_eq!(count(&broker, JobState::Completed).await, GOOD as u64);
    for job in &accepted {
        assert_eq!(rig.effect(&job.key).await.1, 1, "{job:?}");
    }
}

/// What a supervisor does.
async fn start_again(rig: &Rig, worker: &mut Process, crashes: usize) -> bool {
    if worker.is_running() {
        return false;
    }
    *worker = rig.worker(&format!("worker-after-crash-{crashes}")).await;
    true
}
