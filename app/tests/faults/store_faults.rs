//! The store's connections are cut under load. A store that is away costs a job no attempt.

use std::time::Duration;

use job::JobState;
use testkit::{Database, Redis};

use crate::load::{reckon, send_effects};
use crate::rig::{Rig, drained, jobs};
use crate::turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_postgres_are_killed_again_and_again() {
    let _turn = turn::alone().await;
    let (redis, database) = (Redis::with_aof().await, Database::create().await);
    let rig = Rig::on_postgres(&redis.url(), database.url()).await.lease(Duration::from_secs(300));
    let (api, broker) = (rig.api().await, rig.broker());
    let mut workers = [rig.worker("first").await, rig.worker("second").await];
    let mut accepted = Vec::new();
    let mut killed = 0;
    for round in 0..15 {
        accepted.extend(send_effects(&api.client, &format!("cut-{round}"), 200).await);
        killed += database.kill_connections().await;
    }
    println!("{killed} connections were killed");
    assert!(killed >= 15, "{killed}");
    drained(&broker, crate::rig::DRAIN).await;
    reckon(&rig, &broker, &accepted).await;
    for job in jobs(&broker, JobState::Completed).await {
        assert_eq!((job.attempt, job.losses), (1, 0), "{job:?}");
    }
    assert!(workers.iter_mut().all(testkit::Process::is_running));
}
