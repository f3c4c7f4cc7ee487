//! Workers are killed again and again while they work. Every job that was accepted completes, with one effect.

use std::time::Duration;

use job::JobState;
use queue::Broker;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::{Redis, janitor, wait_until};

use crate::load::{reckon, send_effects};
use crate::rig::{Rig, SOON, count};
use crate::turn;

const WORKERS: usize = 3;
const KILLS: usize = 20;
const JOBS_A_KILL: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_finishes_although_workers_are_killed_again_and_again() {
    let _turn = turn::alone().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await;
    let broker = rig.broker();
    kill_again_and_again(rig, &broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_a_queue_in_an_sqlite_file() {
    let _turn = turn::alone().await;
    let file = janitor::scratch_dir("queue").join("queue.db");
    let rig = Rig::new(&format!("sqlite:{}", file.display())).await;
    let broker = rig.sqlite_broker().await;
    kill_again_and_again(rig, &broker).await;
}

async fn kill_again_and_again(rig: Rig, broker: &dyn Broker) {
    // Few jobs at a time: with many, a job would often be among the lost ones three times, and be taken for poison.
    let rig = rig.lease(Duration::from_secs(6)).set("WORKER__CONCURRENCY", "16");
    let api = rig.api().await;
    let mut workers = Vec::new();
    for n in 0..WORKERS {
        workers.push(rig.worker(&format!("worker-{n}")).await);
    }

    let seed = job::Chance::system().bits();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut accepted = Vec::new();
    for round in 0..KILLS {
        accepted.extend(send_effects(&api.client, &format!("kill-{round}"), JOBS_A_KILL).await);
        wait_until("jobs are running, or ran", SOON, async || {
            count(broker, JobState::Running).await > 0
                || count(broker, JobState::Completed).await >= accepted.len() as u64
        })
        .await;
        let n = (chance.next_u64() % WORKERS as u64) as usize;
        workers[n].kill().await;
        workers[n] = rig.worker(&format!("worker-{n}-{round}")).await;
    }
    reckon(&rig, broker, &accepted).await;
}
