//! A worker that stands still past its lease and then goes on: what it says is too late and changes nothing. And two
//! workers of the same name on the same machine do not get into each other's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job::JobState;
use mail::catcher::{Reaction, Step};
use queue::Broker;
use reqwest::StatusCode;
use serde_json::json;
use testkit::{Redis, Signal, wait_until};
use tokio::time::Instant;

use crate::load::{reckon, send_effects};
use crate::mailroom::{Mailroom, booking};
use crate::rig::{DRAIN, Rig, SOON, drained, job, jobs, reaches};
use crate::turn;

/// How long a relay thinks before it lets a mail be sent: long enough to stop who asked.
const THOUGHT: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_end_changes_nothing() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await.lease(Duration::from_secs(6));
    let broker = rig.broker();
    let mut first = rig.worker("first").await;
    let sleep = rig.job("debug.sleep", &json!({"ms": 7_000}));
    broker.enqueue(&[sleep.clone().into()]).await.unwrap();
    let began = reaches(&broker, sleep.id, JobState::Running, SOON).await;

    first.signal(Signal::Stop);
    let _second = rig.worker("second").await;
    let taken_over = testkit::wait_for("the second worker takes it over", SOON, async || {
        let job = job(&broker, sleep.id).await;
        (job.losses == 1 && job.state == JobState::Running).then_some(job)
    })
    .await;
    assert!(taken_over.started_at > began.started_at);
    // Its own sleep ended long ago by the time that it wakes.
    wait_until("the first one's seven seconds are over", SOON, async || {
        let now = broker.now().await.unwrap();
        now.duration_since(began.started_at.unwrap()) > Duration::from_secs(8).try_into().unwrap()
    })
    .await;
    first.signal(Signal::Cont);
    wait_until("the first one hears that it is late", SOON, async || {
        let log = first.log();
        log.contains("late ends") || log.contains("leases lost")
    })
    .await;
    let unmoved = job(&broker, sleep.id).await;
    assert_eq!((unmoved.state, unmoved.started_at), (JobState::Running, taken_over.started_at), "{unmoved:?}");
    let done = reaches(&broker, sleep.id, JobState::Completed, SOON).await;
    assert_eq!((done.attempt, done.losses, done.started_at), (1, 1, taken_over.started_at), "{done:?}");
    assert!(first.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stopped_in_the_middle_of_a_mail_does_not_send_it_after_another_did() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    let (mailroom, rig) = Mailroom::open(Rig::new(&redis.url()).await.lease(Duration::from_secs(2))).await;
    let (api, broker) = (rig.api().await, rig.broker());
    let (data, dots) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, written) = (Arc::clone(&data), Arc::clone(&dots));
    // The relay thinks for a moment before it lets the first two send; that is when their worker stops.
    mailroom.catcher.set_script(Some(Arc::new(move |step: &Step<'_>| match step {
        Step::Data if seen.fetch_add(1, Ordering::SeqCst) < 2 => Reaction::Delay(THOUGHT),
        Step::Dot { .. } => {
            written.fetch_add(1, Ordering::SeqCst);
            Reaction::Proceed
        }
        _ => Reaction::Proceed,
    })));
    let mut first = rig.worker("first").await;
    let answer = api.client.post("/v1/bookings/bk_1001/events", &booking()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    wait_until("both mails are at DATA", SOON, async || data.load(Ordering::SeqCst) == 2).await;
    first.signal(Signal::Stop);
    let stopped = Instant::now();

    let _second = rig.worker("second").await;
    wait_until("the second worker has sent both", SOON, async || mailroom.mails().len() == 2).await;
    drained(&broker, SOON).await;
    wait_until("the first one has its answers", SOON, async || stopped.elapsed() > THOUGHT).await;
    first.signal(Signal::Cont);
    wait_until("the first one lets go of its connections", SOON, async || {
        first.log().contains("late ends") || first.log().contains("leases lost")
    })
    .await;
    first.terminate(SOON).await;
    drained(&broker, SOON).await;
    assert_eq!(dots.load(Ordering::SeqCst), 2);
    mailroom.assert_one_each();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_of_the_same_name_share_the_work() {
    let _turn = turn::alone().await;
    let redis = Redis::with_aof().await;
    let rig = Rig::new(&redis.url()).await.lease(Duration::from_secs(300));
    let (api, broker) = (rig.api().await, rig.broker());
    let accepted = send_effects(&api.client, "twin", 2_000).await;
    // Same machine, same folder, same settings; only the process ids differ.
    let twins = [rig.worker("twin").await, rig.worker("twin").await];
    wait_until("all is done", DRAIN, async || jobs(&broker, JobState::Completed).await.len() >= accepted.len()).await;
    assert_eq!(reckon(&rig, &broker, &accepted).await, 0);
    for job in jobs(&broker, JobState::Completed).await {
        assert_eq!((job.attempt, job.losses), (1, 0), "{job:?}");
    }
    drop(twins);
}
