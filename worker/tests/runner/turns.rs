//! A domain that asks for fewer mails while many of them wait for it: in which order they go, how often they are looked at,
//! what the ledger says of their waiting, and what a wait leaves of the curve of real refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job::{Clock, JobId, JobState, ManualClock};
use mail::catcher::{Reaction, Step};
use store::{AttemptOutcome, Category, Delivery, DeliveryState};
use worker::Runner;

use crate::mails::Post;
use crate::relays::settled;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);
const MAILS: usize = 40;

/// A post on a clock that is moved by hand, whose relay refuses the first `refused` mails as too many.
async fn post(clock: &ManualClock, refused: usize) -> Post {
    let post = Post::with(Stage::at(clock).await).await;
    let left = Arc::new(AtomicUsize::new(refused));
    post.script(move |step| match step {
        Step::Rcpt { .. } if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() => {
            Reaction::Reply(421, "4.7.0 too many".to_owned())
        }
        _ => Reaction::Proceed,
    });
    post
}

/// One mail at a time, so that they ask in the order in which they were enqueued.
fn runner(post: &Post) -> Runner {
    post.stage.runner(|settings| (settings.concurrency, settings.loops) = (1, 1))
}

/// Waits until the mail's next attempt is not before `now` any more, or it is sent, and its job knows.
async fn looked_at(post: &Post, mail: &Delivery) {
    let now = post.stage.context.clock.now();
    let mail = testkit::wait_for("the mail to be looked at", PATIENCE, async || {
        let mail = post.delivery(mail.id).await;
        let waits = mail.state == DeliveryState::Deferred && mail.next_attempt_at.is_some_and(|at| at > now);
        (waits || mail.state == DeliveryState::Sent).then_some(mail)
    })
    .await;
    let rests = if mail.state == DeliveryState::Sent { JobState::Completed } else { JobState::Scheduled };
    post.stage.until(JobId::from_uuid(mail.job_id), rests).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_mails_behind_one_slowed_domain_go_one_by_one_in_order_and_waiting_is_no_attempt() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let post = post(&clock, 1).await;
    let runner = runner(&post);
    let first = settled(&post, &post.send_to("first@slow.example", Category::Booking).await).await;
    assert_eq!((first.state, first.attempts), (DeliveryState::Deferred, 1));
    post.stage.until(JobId::from_uuid(first.job_id), JobState::Scheduled).await;

    let mut mails = Vec::new();
    for n in 0..MAILS {
        let mail = settled(&post, &post.send_to(&format!("m{n:02}@slow.example"), Category::Booking).await).await;
        assert_eq!((mail.state, mail.attempts), (DeliveryState::Deferred, 0), "its turn is no attempt");
        assert_eq!(mail.last_error.as_deref(), Some("slow.example asked for a slower pace"));
        post.stage.until(JobId::from_uuid(mail.job_id), JobState::Scheduled).await;
        mails.push(mail);
    }
    let due: Vec<_> = mails.iter().map(|mail| mail.next_attempt_at.unwrap()).collect();
    let apart: Vec<_> = due.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect();
    // One in two seconds; after a quiet minute one a second.
    assert!(apart.iter().all(|apart| (0.9..=2.1).contains(apart)), "each has a moment of its own: {apart:?}");

    let mut looks = 0;
    while post.catcher.inbox().received() < MAILS as u64 + 1 {
        clock.advance(Duration::from_secs(1));
        for mail in std::iter::once(&first).chain(&mails) {
            let now = post.stage.context.clock.now();
            let before = post.delivery(mail.id).await;
            if before.state == DeliveryState::Deferred && before.next_attempt_at.is_some_and(|at| at <= now) {
                looks += 1;
                looked_at(&post, mail).await;
            }
        }
    }
    let mut arrived: Vec<_> = post.catcher.inbox().list().into_iter().map(|mail| mail.to.clone()).collect();
    // Newest first; the one that was refused has the wait of its class, and then its turn.
    arrived.reverse();
    arrived.retain(|to| !to.starts_with("first"));
    assert!(arrived.len() == MAILS && arrived.is_sorted(), "{arrived:?}");
    assert!(looks <= 2 * MAILS, "{MAILS} mails were looked at {looks} times");
    let mut rows = 0;
    for mail in std::iter::once(&first).chain(&mails) {
        settled(&post, mail).await;
        let (_, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
        rows += attempts.len();
        assert_eq!(attempts.last().unwrap().outcome, AttemptOutcome::Sent);
    }
    assert_eq!(rows, MAILS + 2, "one a mail, and the refusal");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kept_a_mail_from_the_relay_does_not_make_its_first_refusal_wait_longer() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let post = post(&clock, 2).await;
    let runner = runner(&post);
    settled(&post, &post.send_to("first@slow.example", Category::Booking).await).await;
    let mail = settled(&post, &post.send_to("zoe@slow.example", Category::Booking).await).await;
    assert_eq!(mail.attempts, 0);
    // A template that is missing for a while, a store that is away: attempts, and none of them at a relay.
    let (store, id) = (&post.stage.context.store, mail.id);
    let report = store::AttemptReport::default();
    for n in 0..10 {
        let now = post.stage.context.clock.now();
        store.begin_sending(id, mail.job_id, 1_000 + n, now).await.unwrap();
        assert!(store.mark_deferred(id, 1_000 + n, &report, mail.next_attempt_at.unwrap(), now).await.unwrap());
    }
    post.stage.until(JobId::from_uuid(mail.job_id), JobState::Scheduled).await;
    clock.advance(Duration::from_secs(2));
    testkit::wait_for("the relay's refusal", PATIENCE, async || {
        let (_, attempts) = store.get_delivery(id).await.unwrap().unwrap();
        attempts.last().is_some_and(|last| last.code == Some(421)).then_some(())
    })
    .await;
    let refused = settled(&post, &mail).await;
    let wait = refused.next_attempt_at.unwrap().duration_since(refused.touched_at).as_secs_f64();
    assert!((12.0..=18.0).contains(&wait), "the first wait of its class, and not the last: {wait}");
    assert_eq!(runner.shut_down().await, 0);
}
