//! Redis forgets everything between the answer and the mail. The rows remember: the mail still comes, once.

use std::time::Duration;

use job::{Clock, SystemClock};
use queue::Broker;
use reqwest::StatusCode;
use store::{DeliveryFilter, DeliveryState};
use testkit::{Redis, wait_until};

use crate::mailroom::{Mailroom, booking};
use crate::rig::{Rig, SOON, drained, queue};
use crate::turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_whose_job_is_forgotten_is_still_mailed_once() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    let (mailroom, rig) = Mailroom::open(Rig::new(&redis.url()).await.set("WORKER__SWEEP_AFTER", "1s")).await;
    let (api, broker) = (rig.api().await, rig.broker());
    let answer = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    redis.flush().await;
    let _worker = rig.worker("worker").await;
    mailed_once(&mailroom, &rig, &broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_whose_jobs_are_forgotten_are_still_sent_once() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    let (mailroom, rig) = Mailroom::open(Rig::new(&redis.url()).await.set("WORKER__SWEEP_AFTER", "1s")).await;
    let (api, broker) = (rig.api().await, rig.broker());
    // The fan-out happens, the mails wait.
    broker.pause(&queue("emails")).await.unwrap();
    let (_first, _second) = (rig.worker("first").await, rig.worker("second").await);
    let answer = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    wait_until("both mails wait", SOON, async || states(&rig).await == [DeliveryState::Queued; 2]).await;
    assert!(mailroom.mails().is_empty());
    redis.flush().await;
    mailed_once(&mailroom, &rig, &broker).await;

    // The same event again finds all done.
    let answer = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!((answer.status, &answer.body["duplicate"]), (StatusCode::OK, &true.into()), "{answer:?}");
    drained(&broker, SOON).await;
    mailroom.assert_one_each();
}

/// Both mails arrive, and nothing is left that could make a third.
async fn mailed_once(mailroom: &Mailroom, rig: &Rig, broker: &dyn Broker) {
    wait_until("both mails are sent", SOON, async || states(rig).await == [DeliveryState::Sent; 2]).await;
    wait_until("no row waits for a job", SOON, async || {
        rig.store.stale_intents(Duration::ZERO, 10, SystemClock.now()).await.unwrap().is_empty()
    })
    .await;
    drained(broker, SOON).await;
    mailroom.assert_one_each();
}

async fn states(rig: &Rig) -> Vec<DeliveryState> {
    let page = rig.store.list_deliveries(&DeliveryFilter::default(), 10, None).await.unwrap();
    page.items.iter().map(|delivery| delivery.state).collect()
}
