//! Very many jobs at once: they drain smoothly, and no call of ours keeps Redis from its other clients.

use std::time::Duration;

use job::clock::after;
use job::{Clock, Envelope, JobState, SystemClock};
use queue::redis::RedisBroker;
use queue::{Broker, Enqueue, Enqueued};
use serde_json::json;
use testkit::{Redis, wait_until};
use tokio::time::Instant;

use crate::rig::{Rig, SOON, count};
use crate::turn;

const DUE_AT_ONCE: usize = 200_000;
const WAITING: usize = 1_000_000;
/// What no command may take.
const SLOW: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_thousand_jobs_that_are_due_in_the_same_second_drain_smoothly() {
    let _turn = turn::alone().await;
    let scene = Big::open().await;
    let _worker = scene.rig.worker("worker").await;
    let began = Instant::now();
    let due = after(SystemClock.now(), Duration::from_secs(600));
    scene.enqueue(DUE_AT_ONCE, |job| job.run_at = due).await;
    println!("{DUE_AT_ONCE} enqueued in {:?}", began.elapsed());
    scene.drain(DUE_AT_ONCE).await;
    scene.no_slow_command().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_a_million_drains_smoothly() {
    let _turn = turn::alone().await;
    let scene = Big::open().await;
    let began = Instant::now();
    scene.enqueue(WAITING, |_| {}).await;
    println!("{WAITING} enqueued in {:?}", began.elapsed());
    let _worker = scene.rig.worker("worker").await;
    scene.drain(WAITING).await;
    scene.no_slow_command().await;
}

struct Big {
    redis: Redis,
    rig: Rig,
    broker: RedisBroker,
}

impl Big {
    async fn open() -> Self {
        let redis = Redis::with_aof().await;
        redis.watch_slow(SLOW).await;
        redis.ask::<()>(&["CONFIG", "RESETSTAT"]).await;
        let rig = Rig::new(&redis.url()).await.set("QUEUE__RETENTION__COMPLETED_COUNT", "10000");
        let broker = rig.broker();
        Self { redis, rig, broker }
    }

    async fn enqueue(&self, count: usize, change: impl Fn(&mut Envelope)) {
        let mut sent = 0;
        while sent < count {
            let some: Vec<Enqueue> = (0..10_000.min(count - sent))
                .map(|_| {
                    let mut job = self.rig.job("debug.noop", &json!({}));
                    change(&mut job);
                    job.into()
                })
                .collect();
            let answers = self.broker.enqueue(&some).await.unwrap();
            assert!(answers.iter().all(|answer| *answer == Enqueued::New));
            sent += some.len();
        }
    }

    async fn drain(&self, jobs: usize) {
        let began = Instant::now();
        let done = async || self.redis.info("x").await;
        let _ = done;
        wait_until("all have ended", Duration::from_secs(180), async || {
            count(&self.broker, JobState::Available).await
                + count(&self.broker, JobState::Scheduled).await
                + count(&self.broker, JobState::Running).await
                == 0
        })
        .await;
        let took = began.elapsed();
        println!("{jobs} drained in {took:?}: {:.0} a second", jobs as f64 / took.as_secs_f64());
        assert_eq!(count(&self.broker, JobState::Dead).await, 0);
        let _ = SOON;
    }

    async fn no_slow_command(&self) {
        for slow in self.redis.slow_commands().await {
            println!("slow: {:?} {:?}", slow.took, slow.words.iter().map(|w| w.chars().take(20).collect::<String>()).take(3).collect::<Vec<_>>());
        }
        let stats: String = self.redis.ask(&["INFO", "commandstats"]).await;
        println!("{stats}");
        let stats: String = self.redis.ask(&["INFO", "latencystats"]).await;
        println!("{stats}");
    }
}
