//! Redis fails in every way it can, under load. No worker ends, nothing that was answered 202 is lost, the API says 503
//! meanwhile, and work goes on as soon as Redis is back.

use std::time::Duration;

use job::JobState;
use queue::Broker;
use queue::redis::RedisBroker;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Process, Redis, wait_until};
use tokio::time::Instant;

use crate::load::{Load, reckon};
use crate::rig::{Api, DRAIN, Rig, SOON, drained, jobs, queue};
use crate::turn;

/// How soon work must go on; on a machine with nothing else to do it is a fraction of it.
const BACK_AT_WORK: Duration = Duration::from_secs(5);

/// API, two workers and a load, on a Redis to be disturbed.
struct Scene {
    redis: Redis,
    rig: Rig,
    broker: RedisBroker,
    api: Api,
    workers: [Process; 2],
    load: Load,
    probes: usize,
}

impl Scene {
    async fn open(settings: &[(&str, &str)]) -> Self {
        // `always`: with `everysec` Redis may answer before it writes while an fsync is under way, and a kill in that
        // moment loses what it answered.
        let redis = Redis::builder().set("appendonly", "yes").set("appendfsync", "always").start().await;
        let rig = Rig::new(&redis.url()).await.lease(Duration::from_secs(3));
        let rig = settings.iter().fold(rig, |rig, (key, value)| rig.set(key, value));
        let (api, broker) = (rig.api().await, rig.broker());
        let workers = [rig.worker("first").await, rig.worker("second").await];
        let load = Load::start(&api.client, 4, Duration::from_millis(10));
        load.goes_on(50).await;
        Self { redis, rig, broker, api, workers, load, probes: 0 }
    }

    /// Sends a job as soon as the API takes it and waits for its effect; says how long after `back` that was.
    async fn work_goes_on(&mut self, what: &str, back: Instant) {
        self.probes += 1;
        let key = format!("probe-{}", self.probes);
        let body = json!({"kind": "debug.effect", "args": {"key": key}, "priority": 0});
        wait_until("the API accepts jobs", SOON, async || {
            let answer = self.api.client.post("/v1/jobs", &body).await;
            if answer.status == StatusCode::ACCEPTED {
                return true;
            }
            answer.assert_unavailable();
            false
        })
        .await;
        let accepted = back.elapsed();
        wait_until("the job takes effect", SOON, async || self.rig.effect(&key).await.1 == 1).await;
        let took = back.elapsed();
        println!("{what}: accepted {accepted:?}, done {took:?} after Redis was back");
        assert!(took < BACK_AT_WORK, "{what}: work went on only {took:?} after Redis was back");
        self.nobody_ended();
    }

    fn nobody_ended(&mut self) {
        assert!(self.api.process.is_running(), "the API ended");
        for worker in &mut self.workers {
            assert!(worker.is_running(), "a worker ended:\n{}", worker.log());
        }
    }

    async fn close(mut self) {
        self.load.goes_on(50).await;
        self.nobody_ended();
        println!("{} accepted, {} refused", self.load.accepted(), self.load.refused());
        let accepted = self.load.stop().await;
        reckon(&self.rig, &self.broker, &accepted).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_restarted_and_killed_under_load() {
    let _turn = turn::alone().await;
    let mut scene = Scene::open(&[]).await;
    for round in 0..2 {
        scene.redis.shut_down().await;
        scene.api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
        let ready = scene.api.client.get("/readyz").await;
        ready.assert_unavailable();
        assert_eq!(ready.body["errors"][0]["field"], "queue", "{ready:?}");
        scene.redis.start_again().await;
        scene.work_goes_on(&format!("restart {round}"), Instant::now()).await;

        scene.redis.kill().await;
        scene.api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
        scene.redis.start_again().await;
        scene.work_goes_on(&format!("kill {round}"), Instant::now()).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_pauses_its_clients_for_five_seconds() {
    let _turn = turn::alone().await;
    let mut scene = Scene::open(&[("QUEUE__REDIS__RESPONSE_TIMEOUT", "1s")]).await;
    let pause = Duration::from_secs(5);
    let began = Instant::now();
    scene.redis.pause_clients(pause).await;
    scene.api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
    // Redis itself says when the pause is over: it answers again.
    wait_until("Redis answers", SOON, async || scene.redis.try_ask(&["PING"]).await.is_ok()).await;
    assert!(began.elapsed() >= Duration::from_secs(4), "it did not pause: {:?}", began.elapsed());
    scene.work_goes_on("CLIENT PAUSE", Instant::now()).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_killed_again_and_again() {
    let _turn = turn::alone().await;
    let mut scene = Scene::open(&[]).await;
    for _ in 0..30 {
        scene.redis.kill_connections().await;
        scene.redis.ask::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        scene.load.goes_on(10).await;
    }
    scene.work_goes_on("CLIENT KILL", Instant::now()).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_full_and_nothing_is_evicted() {
    let _turn = turn::alone().await;
    let redis = Redis::with_aof().await;
    // What is done is kept only briefly: finishing must make room.
    let rig = Rig::new(&redis.url()).await.set("QUEUE__RETENTION__COMPLETED_COUNT", "20");
    let (api, broker) = (rig.api().await, rig.broker());
    redis.config_set("maxmemory-policy", "noeviction").await;
    redis.config_set("maxmemory", &(redis.memory().await + 4_000_000).to_string()).await;

    let pad = "x".repeat(10_000);
    let batch: Vec<Value> = (0..50).map(|_| json!({"kind": "debug.noop", "args": {"pad": pad}})).collect();
    let mut accepted = 0;
    let refusal = testkit::wait_for("memory is full", SOON, async || {
        let answer = api.client.post("/v1/jobs/batch", &json!({ "jobs": batch })).await;
        if answer.status == StatusCode::OK {
            accepted += 50;
            return None;
        }
        Some(answer)
    })
    .await;
    refusal.assert_unavailable();
    assert!(accepted >= 100, "only {accepted} found room");
    let waiting = jobs(&broker, JobState::Available).await.len();
    assert!(waiting >= accepted, "{waiting} of {accepted} are there");

    // Leasing, finishing, pausing and cancelling go on with memory full.
    for path in ["/v1/queues/debug/pause", "/v1/queues/debug/resume"] {
        let answer = api.client.post(path, &json!({})).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    let mut worker = rig.worker("worker").await;
    drained(&broker, DRAIN).await;
    let stats = broker.stats().await.unwrap();
    let debug = stats.iter().find(|stats| stats.queue == queue("debug")).unwrap();
    assert_eq!(debug.count(JobState::Dead), 0);
    wait_until("there is room again", BACK_AT_WORK, async || {
        api.client.post("/v1/jobs", &json!({"kind": "debug.noop", "args": {"pad": pad}})).await.status
            == StatusCode::ACCEPTED
    })
    .await;
    drained(&broker, SOON).await;
    assert!(worker.is_running());
}
