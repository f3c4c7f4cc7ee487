//! A relay that takes longer than the job's own time limit: the ledger says what the relay did, and the second one is asked,
//! within one attempt.

use std::time::Duration;

use job::Clock;
use mail::catcher::{Reaction, Step};
use mail::zone::{DEV_DOMAIN, ehlo_name};
use mail::{RelayConfig, Timeouts};
use store::{AttemptOutcome, Category, Delivery, DeliveryState, NewDelivery};

use crate::mails::Post;
use crate::relays::{settled, with_second};
use crate::stage::queue;

/// A mail whose job gives an attempt no more than a tenth of a second.
async fn send_in_a_hurry(post: &Post) -> Delivery {
    let context = &post.stage.context;
    let (id, now) = (context.ids.next(&queue("emails")).uuid(), context.clock.now());
    let sample = include_str!("../../../email_templates/booking_confirmed_student/sample.json");
    let (template, to) = ("booking_confirmed_student", "zoe@example.com");
    let data = serde_json::from_str(sample).unwrap();
    let new = NewDelivery { data, ..NewDelivery::new(id, id.to_string(), Category::Booking, template, "bookings", to) };
    let written = context.store.insert_deliveries(&[new], now).await.unwrap();
    let mut envelope = worker::intents::delivery(&written[0], now);
    envelope.timeout = Duration::from_millis(100);
    post.stage.enqueue(envelope).await;
    post.delivery(id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_stalls_for_longer_than_its_job_may_take_is_named_and_the_second_gets_the_mail() {
    let first = Post::open().await;
    first.script(|step| match step {
        Step::Connect { .. } => Reaction::Stall,
        _ => Reaction::Proceed,
    });
    let mut post = Post::open().await;
    let timeouts = Timeouts { greeting: Duration::from_secs(1), ..Timeouts::default() };
    let slow = RelayConfig { timeouts, ..RelayConfig::plain(first.catcher.addr(), &ehlo_name(DEV_DOMAIN)) };
    with_second(&mut post, slow, (true, true)).await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &send_in_a_hurry(&post).await).await;
    assert_eq!((mail.state, mail.attempts), (DeliveryState::Sent, 1), "{:?}", mail.last_error);
    let (_, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
    assert_eq!((attempts.len(), attempts[0].outcome), (1, AttemptOutcome::Sent));
    let said = attempts[0].text.as_deref().unwrap();
    assert!(said.contains("before that first at connect: no answer in time"), "{said}");
    assert!(attempts[0].duration >= Duration::from_secs(1), "{attempts:?}");
    assert_eq!(runner.shut_down().await, 0);
}
