//! One booking, from the call to both mails: API and two workers as processes of their own, on Redis and Postgres, and one
//! worker is killed in the middle of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mail::catcher::{Reaction, Step};
use reqwest::StatusCode;
use testkit::{Database, Redis, wait_until};

use crate::mailroom::{Mailroom, booking};
use crate::rig::{Rig, SOON, drained};
use crate::turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_mails_arrive_once_although_the_worker_is_killed_while_it_sends() {
    let _turn = turn::beside_others().await;
    let (redis, database) = (Redis::with_aof().await, Database::create().await);
    let rig = Rig::on_postgres(&redis.url(), database.url()).await.lease(Duration::from_secs(2));
    let (mailroom, rig) = Mailroom::open(rig).await;
    let (api, broker) = (rig.api().await, rig.broker());

    // The relay keeps the first worker waiting in the middle of both dialogues.
    let (stalled, stall) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (seen, on) = (Arc::clone(&stalled), Arc::clone(&stall));
    mailroom.catcher.set_script(Some(Arc::new(move |step: &Step<'_>| match step {
        Step::Rcpt { .. } if on.load(Ordering::SeqCst) => {
            seen.fetch_add(1, Ordering::SeqCst);
            Reaction::Stall
        }
        _ => Reaction::Proceed,
    })));
    let mut first = rig.worker("first").await;
    let answer = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    wait_until("both mails are on their way", SOON, async || stalled.load(Ordering::SeqCst) == 2).await;

    // The two dialogues stay where they are; others do not come to that.
    stall.store(false, Ordering::SeqCst);
    let mut second = rig.worker("second").await;
    first.kill().await;
    wait_until("both mails are caught", SOON, async || mailroom.mails().len() == 2).await;
    drained(&broker, SOON).await;
    mailroom.assert_one_each();

    // The same call once more: nothing is done twice.
    let first = rig.worker("first-again").await;
    let again = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!((again.status, &again.body["duplicate"]), (StatusCode::OK, &true.into()), "{again:?}");
    assert_eq!(again.body["id"], answer.body["id"]);
    drained(&broker, SOON).await;
    mailroom.assert_one_each();

    let deliveries = api.client.get("/v1/deliveries?booking=bk_1001&state=sent").await;
    assert_eq!(deliveries.body["items"].as_array().map(Vec::len), Some(2), "{deliveries:?}");
    assert!(second.is_running());
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_whose_worker_is_killed_after_the_dot_is_not_sent_again() {
    let _turn = turn::beside_others().await;
    let (redis, database) = (Redis::with_aof().await, Database::create().await);
    let rig = Rig::on_postgres(&redis.url(), database.url()).await.lease(Duration::from_secs(2));
    let (mailroom, rig) = Mailroom::open(rig).await;
    let (api, broker) = (rig.api().await, rig.broker());
    let dots = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&dots);
    // The relay has the mails and says nothing.
    mailroom.catcher.set_script(Some(Arc::new(move |step: &Step<'_>| match step {
        Step::Dot { .. } => {
            seen.fetch_add(1, Ordering::SeqCst);
            Reaction::Stall
        }
        _ => Reaction::Proceed,
    })));
    let mut first = rig.worker("first").await;
    let answer = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    wait_until("both mails were written", SOON, async || dots.load(Ordering::SeqCst) == 2).await;
    first.kill().await;

    let _second = rig.worker("second").await;
    let unknown = async || {
        let answer = api.client.get("/v1/deliveries?booking=bk_1001&state=unknown").await;
        answer.body["items"].as_array().map_or(0, Vec::len)
    };
    wait_until("what became of them is unknown", SOON, async || unknown().await == 2).await;
    drained(&broker, SOON).await;
    assert_eq!(dots.load(Ordering::SeqCst), 2, "no mail is written twice");
}
