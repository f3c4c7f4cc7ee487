//! Redis fails in every way it can, under load. No worker ends, nothing that was answered 202 is lost, the API says 503
//! meanwhile, and work goes on as soon as Redis is back.

use std::collections::HashSet;
use std::time::Duration;

use job::JobState;
use queue::Broker;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Redis, wait_until};
use tokio::time::Instant;

use crate::rig::{DRAIN, Rig, SOON, drained, jobs, queue, reaches};
use crate::scene::{BACK_AT_WORK, Scene};
use crate::turn;

/// `always`: with `everysec` Redis may answer before it writes while an fsync is under way, and a kill in that moment loses
/// what it answered.
async fn durable() -> Redis {
    Redis::builder().set("appendonly", "yes").set("appendfsync", "always").start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_restarted_and_killed_under_load() {
    let _turn = turn::alone().await;
    let mut redis = durable().await;
    let lease = Duration::from_secs(10);
    let mut scene = Scene::open(Rig::new(&redis.url()).await.lease(lease)).await;
    for round in 0..3 {
        scene.load.goes_on(200).await;
        redis.shut_down().await;
        scene.api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
        if round == 0 {
            // Longer than a lease: whoever is back first must not take it for lost.
            tokio::time::sleep(lease + Duration::from_secs(2)).await;
        }
        let ready = scene.api.client.get("/readyz").await;
        ready.assert_unavailable();
        assert_eq!(ready.body["errors"][0]["field"], "queue", "{ready:?}");
        redis.start_again().await;
        scene.work_goes_on(&format!("restart {round}"), Instant::now()).await;

        scene.load.goes_on(200).await;
        redis.kill().await;
        scene.api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
        redis.start_again().await;
        scene.work_goes_on(&format!("kill {round}"), Instant::now()).await;
    }
    assert_eq!(scene.close().await, 0, "no worker was lost: nothing may run twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_pauses_its_clients_for_five_seconds() {
    let _turn = turn::alone().await;
    let redis = durable().await;
    // A lease longer than the whole scene: a job that was handed out to nobody would be found out.
    let rig = Rig::new(&redis.url()).await.lease(Duration::from_secs(300));
    let mut scene = Scene::open(rig.set("QUEUE__REDIS__RESPONSE_TIMEOUT", "1s")).await;
    let pause = Duration::from_secs(5);
    let began = Instant::now();
    redis.pause_clients(pause).await;
    scene.api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
    // Redis itself says when the pause is over: it answers again.
    wait_until("Redis answers", SOON, async || redis.try_ask(&["PING"]).await.is_ok()).await;
    assert!(began.elapsed() >= Duration::from_secs(4), "it did not pause: {:?}", began.elapsed());
    scene.work_goes_on("CLIENT PAUSE", Instant::now()).await;
    assert_eq!(scene.close().await, 0, "no worker was lost: nothing may run twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_killed_again_and_again() {
    let _turn = turn::alone().await;
    let redis = durable().await;
    let mut scene = Scene::open(Rig::new(&redis.url()).await.lease(Duration::from_secs(60))).await;
    for _ in 0..30 {
        redis.kill_connections().await;
        redis.ask::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        scene.load.goes_on(10).await;
    }
    scene.work_goes_on("CLIENT KILL", Instant::now()).await;
    assert_eq!(scene.close().await, 0, "no worker was lost: nothing may run twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_full_and_nothing_is_evicted() {
    let _turn = turn::alone().await;
    let redis = Redis::with_aof().await;
    // A long history of what is done must not be what fills it.
    let rig = Rig::new(&redis.url()).await.set("QUEUE__RETENTION__COMPLETED_COUNT", "1000000");
    let (api, broker) = (rig.api().await, rig.broker());
    redis.config_set("maxmemory-policy", "noeviction").await;
    redis.config_set("maxmemory", &(redis.memory().await + 4_000_000).to_string()).await;

    // Long keys, of which the store will tell whether their jobs were done.
    let key = |n: usize| format!("full-{n:0195}");
    let mut keys = HashSet::new();
    let refusal = testkit::wait_for("memory is full", SOON, async || {
        let some: Vec<String> = (keys.len()..keys.len() + 200).map(key).collect();
        let batch: Vec<Value> = some.iter().map(|key| json!({"kind": "debug.effect", "args": {"key": key}})).collect();
        let answer = api.client.post("/v1/jobs/batch", &json!({ "jobs": batch })).await;
        if answer.status == StatusCode::OK {
            keys.extend(some);
            return None;
        }
        Some(answer)
    })
    .await;
    refusal.assert_unavailable();
    assert!(keys.len() >= 1_000, "only {} found room", keys.len());

    // Fuller than full: leasing, finishing, pausing and cancelling go on all the same.
    redis.config_set("maxmemory", &(redis.memory().await - 500_000).to_string()).await;
    let one = jobs(&broker, JobState::Available).await.remove(0);
    let args: Value = serde_json::from_str(one.envelope.as_ref().unwrap().args.get()).unwrap();
    assert!(keys.remove(args["key"].as_str().unwrap()), "{args}");
    let cancel = format!("/v1/jobs/{}/cancel", one.id);
    for path in ["/v1/queues/debug/pause", &cancel, "/v1/queues/debug/resume"] {
        let answer = api.client.post(path, &json!({})).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    let mut worker = rig.worker("worker").await;
    drained(&broker, DRAIN).await;
    let stats = broker.stats().await.unwrap();
    let debug = stats.iter().find(|stats| stats.queue == queue("debug")).unwrap();
    assert_eq!(debug.count(JobState::Dead), 0);
    // Their history made room for others long ago: that they were done is known from what they did.
    for key in &keys {
        assert_eq!(rig.effect(key).await, (1, 1), "{key} was accepted");
    }
    println!("{} jobs were accepted before the memory was full, and each of them was done once", keys.len());
    wait_until("there is room again", SOON, async || {
        let answer = api.client.post("/v1/jobs", &json!({"kind": "debug.effect", "args": {"key": "again"}})).await;
        answer.status == StatusCode::ACCEPTED
    })
    .await;
    drained(&broker, SOON).await;
    assert!(worker.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_comes_after_those_who_need_it() {
    let _turn = turn::alone().await;
    let mut redis = durable().await;
    let rig = Rig::new(&redis.url()).await;
    redis.kill().await;
    let mut worker = rig.worker("worker").await;
    let mut api = rig.api_that_is_up().await;
    api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
    redis.start_again().await;
    let back = Instant::now();
    let accepted = testkit::wait_for("the API accepts jobs", SOON, async || {
        let answer = api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await;
        (answer.status == StatusCode::ACCEPTED).then(|| answer.job())
    })
    .await;
    reaches(&rig.broker(), accepted, JobState::Completed, SOON).await;
    println!("done {:?} after Redis came", back.elapsed());
    assert!(back.elapsed() < BACK_AT_WORK, "{:?}", back.elapsed());
    assert!(worker.is_running() && api.process.is_running());
}
