//! Held mail after its domain was mended: all of it leaves by itself, however much it is and whoever died under way.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use job::JobState;
use mail::zone::DEV_DOMAIN;
use serde_json::json;
use store::{AttemptReport, Category, DeliveryState, Domain, DomainState, NewDelivery, StoreError};
use worker::Gate;
use worker::gate::{Cause, Released, watch};

use crate::mails::Post;
use crate::stage::{queue, share};

/// How many a call releases.
const AT_A_TIME: usize = 5_000;

/// Writes so many mails that are held since a while.
async fn hold(post: &Post, count: usize) {
    let context = &post.stage.context;
    let (store, now) = (&context.store, context.clock.now());
    let new = |n: usize| {
        let id = context.ids.next(&queue("emails")).uuid();
        let to = format!("p{n}@example.com");
        NewDelivery {
            data: json!({}),
            ..NewDelivery::new(id, id.to_string(), Category::Booking, "booking_confirmed_student", "bookings", &to)
        }
    };
    let written = store.insert_deliveries(&(0..count).map(new).collect::<Vec<_>>(), now).await.unwrap();
    let hold = async |(id, job_id)| {
        store.begin_sending(id, job_id, 7, now).await?;
        assert!(store.mark_held(id, 7, &AttemptReport::default(), now).await?);
        Ok::<_, StoreError>(())
    };
    let rows = stream::iter(written.iter().map(|mail| (mail.id, mail.job_id)));
    rows.map(hold).buffer_unordered(64).try_collect::<()>().await.unwrap();
}

async fn held(post: &Post) -> u64 {
    post.stage.context.store.held_counts().await.unwrap().values().sum()
}

fn gate(post: &Post) -> std::sync::Arc<Gate> {
    std::sync::Arc::clone(&post.stage.context.mailer.as_ref().unwrap().gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_check_releases_is_released_by_the_watch() {
    let post = Post::open().await;
    let (context, gate, count) = (&post.stage.context, gate(&post), AT_A_TIME + 700);
    hold(&post, count).await;
    let checked = gate.check(context.means(), DEV_DOMAIN, Cause::Due, false).await.unwrap().unwrap();
    assert_eq!((checked.domain.state, checked.released), (DomainState::Verified, AT_A_TIME));
    assert_eq!(held(&post).await, 700);
    let looked = watch::once(context, &gate, Cause::Due).await.unwrap();
    assert_eq!((looked.checks, looked.released, looked.more), (0, 700, false));
    assert_eq!(held(&post).await, 0);
    // All of them have their job.
    let waiting = post.stage.count("emails", JobState::Available).await;
    assert_eq!(waiting, count as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_died_before_it_released_leaves_it_to_its_repetition_and_to_the_watch() {
    let post = Post::open().await;
    let (context, gate) = (&post.stage.context, gate(&post));
    // It came as far as this: the domain is good, and due in an hour.
    gate.check(context.means(), DEV_DOMAIN, Cause::Due, false).await.unwrap();
    hold(&post, 20).await;
    let job = post.stage.envelope_in("default", "domains.check", json!({ "domain": DEV_DOMAIN, "cause": "due" }));
    let runner = post.stage.runner(|settings| settings.queues = vec![share("default")]);
    let id = post.stage.enqueue(job).await;
    post.stage.until(id, JobState::Completed).await;
    assert_eq!(held(&post).await, 0, "although it was checked just now");
    hold(&post, 20).await;
    testkit::wait_until("the watch to release what is held", Duration::from_secs(20), async || held(&post).await == 0)
        .await;
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_for_a_domain_that_is_not_good_and_what_is_held_again_waits_a_while() {
    let post = Post::open().await;
    let (context, gate) = (&post.stage.context, gate(&post));
    hold(&post, 3).await;
    assert_eq!(gate.release(context.means(), DEV_DOMAIN).await.unwrap(), Released::default(), "nobody has looked");
    let good = gate.check(context.means(), DEV_DOMAIN, Cause::Due, false).await.unwrap().unwrap();
    assert_eq!(good.released, 3);
    // A worker of another configuration holds one of them again.
    let mails = context.store.list_deliveries(&Default::default(), 10, None).await.unwrap().items;
    let mail = &mails[0];
    context.store.begin_sending(mail.id, mail.job_id, 8, context.clock.now()).await.unwrap();
    assert!(context.store.mark_held(mail.id, 8, &AttemptReport::default(), context.clock.now()).await.unwrap());
    assert_eq!(gate.release(context.means(), DEV_DOMAIN).await.unwrap(), Released::default());
    let bad = Domain { state: DomainState::Failed, ..context.store.domain(DEV_DOMAIN).await.unwrap().unwrap() };
    assert!(context.store.save_domain(&bad, None, context.clock.now()).await.unwrap());
    hold(&post, 2).await;
    assert_eq!(gate.release(context.means(), DEV_DOMAIN).await.unwrap(), Released::default());
    assert_eq!(held(&post).await, 3);
    assert!(matches!(post.delivery(mail.id).await.state, DeliveryState::Held));
}
