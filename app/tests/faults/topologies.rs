//! Redis as it is run in earnest: behind Sentinels, as a Cluster, with TLS and a user.

use std::time::Duration;

use queue::redis::RedisSettings;
use serde_json::json;
use testkit::{Redis, RedisCluster, Sentinels, wait_until};
use tokio::time::Instant;

use crate::load::{reckon, send_effects};
use crate::rig::{Rig, SOON};
use crate::scene::Scene;
use crate::turn;

/// What the Sentinels need to notice that a master is gone and to agree on another, and then ours.
const FAILED_OVER: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_is_killed_and_the_sentinels_choose_another() {
    let _turn = turn::alone().await;
    let mut sentinels = Sentinels::start(2).await;
    // What is accepted is on a replica too: the new master has it.
    let rig = Rig::new(&sentinels.url()).await.lease(Duration::from_secs(3)).set("QUEUE__REDIS__MIN_REPLICA_ACKS", "1");
    let mut scene = Scene::open(rig).await;
    sentinels.kill_master().await;
    scene.work_goes_on_within("a killed master", Instant::now(), FAILED_OVER).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_hangs_and_the_sentinels_choose_another() {
    let _turn = turn::alone().await;
    let mut sentinels = Sentinels::start(2).await;
    let rig = Rig::new(&sentinels.url())
        .await
        .lease(Duration::from_secs(3))
        .set("QUEUE__REDIS__MIN_REPLICA_ACKS", "1")
        .set("QUEUE__REDIS__ACK_TIMEOUT", "500ms")
        .set("QUEUE__REDIS__RESPONSE_TIMEOUT", "1s");
    let mut scene = Scene::open(rig).await;
    let (old, _) = sentinels.freeze_master().await;
    scene.work_goes_on_within("a master that hangs", Instant::now(), FAILED_OVER).await;
    // It comes back, still believing that it is the master, until the Sentinels tell it otherwise.
    let old = sentinels.servers().iter_mut().find(|server| server.port() == old).unwrap();
    old.thaw();
    wait_until("the old master follows the new one", SOON, async || old.info("role").await.as_deref() == Some("slave"))
        .await;
    scene.work_goes_on("the return of the old master", Instant::now()).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_loses_a_node_and_gets_it_back() {
    let _turn = turn::alone().await;
    let mut cluster = RedisCluster::start(3).await;
    let rig = Rig::new(&cluster.url()).await.lease(Duration::from_secs(3));
    let mut scene = Scene::open(rig).await;
    for n in 0..3 {
        let node = &mut cluster.nodes()[n];
        node.shut_down().await;
        let refused = scene.load.refused();
        let touched = testkit::wait_for("calls are refused, or this node holds no queue", SOON, async || {
            (scene.load.refused() > refused).then_some(())
        });
        // A node that holds no queue is not missed.
        let _ = tokio::time::timeout(Duration::from_secs(3), touched).await;
        node.start_again().await;
        wait_until("the Cluster is whole", SOON, async || {
            let mut whole = true;
            for node in cluster.nodes().iter() {
                let info = node.try_ask(&["CLUSTER", "INFO"]).await;
                whole &= info.is_ok_and(|info| format!("{info:?}").contains("cluster_state:ok"));
            }
            whole
        })
        .await;
        scene.work_goes_on(&format!("node {n}"), Instant::now()).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_through_tls_as_a_user_of_its_own() {
    let _turn = turn::beside_others().await;
    let redis = Redis::builder().aof().tls().user("postrider", "S3cret").start().await;
    assert!(redis.url().starts_with("rediss://postrider:S3cret@"));
    let ca_file = redis.ca_file().unwrap().to_owned();
    let rig = Rig::new(&redis.url()).await.set("QUEUE__REDIS__CA_FILE", &ca_file.display().to_string());
    let broker =
        rig.broker_with(RedisSettings { ca: Some(std::fs::read(&ca_file).unwrap()), ..RedisSettings::default() });
    let api = rig.api().await;
    let _worker = rig.worker("worker").await;
    let accepted = send_effects(&api.client, "tls", 300).await;
    assert_eq!(reckon(&rig, &broker, &accepted).await, 0);

    // Neither a wrong password nor a certificate that nobody vouches for gets in.
    let stranger = Rig::new(&redis.url().replace("S3cret", "guess")).await;
    let stranger = stranger.set("QUEUE__REDIS__CA_FILE", &ca_file.display().to_string());
    let unverified = Rig::new(&redis.url()).await;
    for rig in [stranger, unverified] {
        let mut api = rig.api_that_is_up().await;
        api.client.get("/readyz").await.assert_unavailable();
        api.client.post("/v1/jobs", &json!({"kind": "debug.noop"})).await.assert_unavailable();
        assert!(!api.process.log().contains("S3cret"), "the password is in the log");
        assert!(api.process.is_running());
    }
}
