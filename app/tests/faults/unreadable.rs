//! Jobs that this release cannot run: of an unknown kind, in a newer wire form, broken, with arguments that no longer parse.
//! Those that another release may know wait their grace; the others are dead at once. Their neighbours notice nothing.

use std::time::Duration;

use job::{JobId, JobState, wire};
use queue::Broker;
use serde_json::json;
use testkit::Redis;
use tokio::time::Instant;

use crate::load::send_effects;
use crate::rig::{Rig, SOON, queue, reaches};
use crate::turn;

const GRACE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_run_is_told_apart_and_harms_nobody() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await.set("QUEUE__UNKNOWN_GRACE", "2s");
    let (api, broker) = (rig.api().await, rig.broker());

    let mut accepted = send_effects(&api.client, "before", 100).await;
    let unknown = rig.job("debug.from_tomorrow", &json!({"x": 1}));
    let misfit = rig.job("debug.sleep", &json!({"milliseconds": 5}));
    broker.enqueue(&[unknown.clone().into(), misfit.clone().into()]).await.unwrap();
    let good = wire::encode(&rig.job("debug.noop", &json!({})));
    let newer = plant(&rig, &redis, &[&[9], &good[1..]].concat()).await;
    let cut = plant(&rig, &redis, &good[..50]).await;
    let noise = plant(&rig, &redis, &[1, 0xff, 0xff, 0xfe, 7, 7, 7]).await;
    let empty = plant(&rig, &redis, b"").await;
    let not_json = plant(&rig, &redis, &[&good[..], b"}}}"].concat()).await;
    let not_utf8 = plant(&rig, &redis, &[&good[..], b"\xff\xfe"].concat()).await;
    accepted.extend(send_effects(&api.client, "after", 100).await);

    let began = Instant::now();
    let mut worker = rig.worker("worker").await;
    let died = async |id: JobId, reason: &str| {
        let job = reaches(&broker, id, JobState::Dead, SOON).await;
        let error = &job.errors.last().unwrap().error;
        assert!(error.contains(reason), "{error:?} does not say {reason:?}");
        job
    };
    for (id, reason) in [
        (cut, "broken envelope"),
        (noise, "broken envelope"),
        (empty, "broken envelope"),
        (not_json, "broken envelope"),
        (not_utf8, "not UTF-8"),
        (misfit.id, "no longer parse"),
    ] {
        let job = died(id, reason).await;
        assert_eq!((job.attempt, &job.snoozed), (1, &None), "dead at once, without a grace: {job:?}");
    }
    for (id, reason) in [(unknown.id, "debug.from_tomorrow"), (newer, "version 9")] {
        died(id, reason).await;
        assert!(began.elapsed() >= GRACE, "it waits its grace: {:?}", began.elapsed());
    }

    // A dead one can be looked at like any other.
    for id in [unknown.id, newer, cut, noise, empty] {
        let seen = api.client.get(&format!("/v1/jobs/{id}")).await;
        assert_eq!((seen.status.as_u16(), &seen.body["state"]), (200, &"dead".into()), "{seen:?}");
    }
    let seen = api.client.get("/v1/jobs?state=dead").await;
    assert_eq!(seen.body["items"].as_array().map(Vec::len), Some(8), "{seen:?}");

    for id in [unknown.id, misfit.id, newer, cut, noise, empty, not_json, not_utf8] {
        assert_eq!(broker.get(id).await.unwrap().unwrap().losses, 0);
    }
    for job in &accepted {
        reaches(&broker, job.id, JobState::Completed, SOON).await;
        assert_eq!(rig.effect(&job.key).await, (1, 1));
    }
    assert!(worker.is_running());
    let more = send_effects(&api.client, "later", 10).await;
    for job in &more {
        reaches(&broker, job.id, JobState::Completed, SOON).await;
    }
}

/// Puts bytes where an available job has its record, as a foreign hand would.
async fn plant(rig: &Rig, redis: &Redis, bytes: &[u8]) -> JobId {
    let debug = queue("debug");
    let id = rig.ids.next(&debug);
    let base = rig.broker().base(&debug);
    let now = rig.broker().now().await.unwrap().as_millisecond();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = testkit::connection(&client).await.unwrap();
    redis::pipe()
        .hset(format!("{base}j"), id.as_bytes(), bytes)
        .zadd(format!("{base}a"), id.as_bytes(), 5 * (1_i64 << 44) + now)
        .exec_async(&mut connection)
        .await
        .unwrap();
    id
}
