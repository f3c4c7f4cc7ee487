//! Answers that do not come, and servers that are no longer who they were.

use std::time::Duration;

use job::JobState;
use queue::redis::RedisSettings;
use queue::{Broker, BrokerError, Settings};
use testkit::{Redis, wait_until};
use tokio::time::timeout;

use crate::proxy::Proxy;
use crate::seat::{SOON, Seat, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_given_up_leases_nothing_when_it_is_carried_out() {
    let mut redis = Redis::start().await;
    let short = RedisSettings { response_timeout: Duration::from_secs(3), ..RedisSettings::default() };
    let seat = Seat::with(&redis.url(), short, Settings::default());
    // The first answer tells what time it is there.
    seat.broker.exchange(&seat.queue, &[], Some(request(1))).await.unwrap();
    seat.put_many(1).await;
    let calls = |line: Option<String>| -> u64 {
        let line = line.expect("scripts were called");
        line.split(',').find_map(|part| part.strip_prefix("calls=")?.parse().ok()).unwrap()
    };
    let before = calls(redis.info("cmdstat_evalsha").await);
    redis.freeze();
    let given_up = seat.broker.exchange(&seat.queue, &[], Some(request(1))).await;
    assert!(matches!(given_up, Err(BrokerError::Unavailable(_))), "{given_up:?}");
    // Time passes by its clock while it stands: the call is too late for certain.
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.thaw();
    wait_until("the call is carried out", SOON, async || calls(redis.info("cmdstat_evalsha").await) > before).await;
    wait_until("it answers again", SOON, async || seat.broker.stats().await.is_ok()).await;
    assert_eq!((seat.count(JobState::Available).await, seat.count(JobState::Running).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_master_behind_one_address_is_left() {
    let (old, new) = (Redis::start().await, Redis::start().await);
    let follows = async |one: &Redis, other: &Redis| {
        one.ask::<()>(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await;
        wait_until("the replica follows", SOON, async || {
            one.info("master_link_status").await.as_deref() == Some("up")
                && other.info("connected_slaves").await.as_deref() == Some("1")
        })
        .await;
    };
    follows(&new, &old).await;
    let proxy = Proxy::to(old.port()).await;
    let acked = RedisSettings { min_replica_acks: 1, ack_timeout: Duration::from_secs(10), ..RedisSettings::default() };
    let seat = Seat::with(&format!("redis://127.0.0.1:{}/0", proxy.port), acked, Settings::default());
    seat.put_many(1).await;
    seat.broker.ping().await.unwrap();
    new.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    follows(&old, &new).await;
    let refused = seat.put().await;
    assert!(matches!(refused, Err(BrokerError::Unavailable(_))), "a replica takes no jobs: {refused:?}");
    assert!(seat.broker.ping().await.is_err(), "and is not ready for them");
    proxy.lead_to(new.port());
    wait_until("the new master takes jobs", SOON, async || seat.put().await.is_ok()).await;
    seat.broker.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_to_a_host_that_vanished_is_made_anew() {
    let redis = Redis::start().await;
    let proxy = Proxy::to(redis.port()).await;
    let seat = Seat::at(&format!("redis://127.0.0.1:{}/0", proxy.port));
    let queues = [seat.queue.clone()];
    wait_until("it listens", SOON, async || {
        seat.broker.wait(&queues, Duration::from_millis(100)).await;
        redis.info("pubsub_channels").await.as_deref() == Some("1")
    })
    .await;
    // What the subscription itself brought is heard.
    seat.broker.wait(&queues, Duration::from_secs(1)).await;
    proxy.silence();
    // Nobody enqueues: only a new subscription, which is good for one look, ends this wait.
    timeout(SOON, seat.broker.wait(&queues, SOON * 2)).await.expect("it is noticed");
}
