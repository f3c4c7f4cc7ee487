//! A worker whose configuration or release lacks what a mail needs: nothing that was accepted fails for that.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use job::{Clock, JobId, JobState};
use mail::zone::{DEV_DOMAIN, ehlo_name};
use mail::{RecipientRule, RelayConfig, Renderer, SmtpTransport};
use serde_json::{Value, json};
use store::{AttemptOutcome, Category, Delivery, DeliveryState, NewDelivery};
use testkit::Hook;
use worker::Mailer;
use worker::gate::{Cause, watch};
use worker::lacking::Lacking;
use worker::mailer::Sender;
use worker::pace::Paces;

use crate::domain::gate;
use crate::mails::{Post, sender};
use crate::stage::{queue, share};

const PATIENCE: Duration = Duration::from_secs(60);
/// So short that a case does not wait long, so long that a mail comes round in it.
const GRACE: Duration = Duration::from_millis(400);
/// A template that no release has.
const TEMPLATE: &str = "lesson_rated";

/// A post whose operators have a webhook.
async fn open() -> (Post, Hook) {
    let mut post = Post::open().await;
    post.stage.context.lacking = Arc::new(Lacking::new(GRACE));
    let notices = Hook::start().await;
    post.stage.tells(&notices, None);
    (post, notices)
}

/// From now on workers have these senders, and these templates.
fn equip(post: &mut Post, senders: HashMap<String, Sender>, templates: Option<PathBuf>) {
    let renderer = Arc::new(Renderer::new(templates.as_deref()).unwrap());
    let gate = gate(&post.dns, DEV_DOMAIN, &[("runner", &post.key)]);
    let gate = Arc::into_inner(gate).unwrap().equipped(senders.keys().map(String::as_str), renderer.names());
    let relay = RelayConfig::plain(post.catcher.addr(), &ehlo_name(DEV_DOMAIN));
    post.stage.context.mailer = Some(Arc::new(Mailer {
        renderer,
        senders,
        gate: Arc::new(gate),
        recipients: RecipientRule::default(),
        transport: SmtpTransport::new(relay).unwrap(),
        fallback: None,
        paces: Paces::default(),
    }));
}

fn bookings(post: &Post) -> HashMap<String, Sender> {
    [("bookings".to_owned(), sender(&post.key, "runner"))].into()
}

/// A folder with the template.
fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("postrider-lacking-{}", std::process::id()));
    std::fs::create_dir_all(folder.join(TEMPLATE)).unwrap();
    for (file, text) in [
        ("subject.txt.hbs", "Rated by {{name}}"),
        ("body.txt.hbs", "Rated by {{name}}"),
        ("head.html.hbs", "<h1 class=\"title\">Rated</h1>"),
        ("body.html.hbs", "<p>Rated by {{name}}</p>"),
        ("preview.txt.hbs", "Rated"),
        ("sample.json", "{\n  \"name\": \"Ann\"\n}"),
    ] {
        std::fs::write(folder.join(TEMPLATE).join(file), text).unwrap();
    }
    folder
}

/// A mail of the template.
async fn send(post: &Post, to: &str) -> Delivery {
    let context = &post.stage.context;
    let (id, now) = (context.ids.next(&queue("emails")).uuid(), context.clock.now());
    let new = NewDelivery {
        data: json!({ "name": "Bo" }),
        ..NewDelivery::new(id, id.to_string(), Category::Booking, TEMPLATE, "bookings", to)
    };
    let written = context.store.insert_deliveries(&[new], now).await.unwrap();
    post.stage.enqueue(worker::intents::delivery(&written[0], now)).await;
    post.delivery(id).await
}

async fn until(post: &Post, mail: &Delivery, state: DeliveryState) -> Delivery {
    testkit::wait_for(&format!("the mail to be {state}"), PATIENCE, async || {
        let mail = post.delivery(mail.id).await;
        (mail.state == state).then_some(mail)
    })
    .await
}

/// The first `n` things that the operators were told: whether it was raised, and what.
async fn told(notices: &Hook, n: usize) -> Vec<(bool, String, Value)> {
    testkit::wait_for(&format!("{n} notices"), PATIENCE, async || {
        let told = notices.taken();
        (told.len() >= n).then(|| {
            let one = |(_, body): &(String, Value)| {
                let (raised, data) = (body["type"] == "notice.raised", &body["data"]);
                (raised, data["kind"].as_str().unwrap().to_owned(), data["labels"].clone())
            };
            told.iter().map(one).collect()
        })
    })
    .await
}

/// The mail waited, and was then held for this.
async fn was_held(post: &Post, mail: &Delivery, why: &str) {
    let held = until(post, mail, DeliveryState::Held).await;
    assert_eq!(held.last_error.as_deref(), Some(why));
    post.stage.until(JobId::from_uuid(mail.job_id), JobState::Completed).await;
    let (_, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
    let (last, before) = attempts.split_last().unwrap();
    assert_eq!(last.outcome, AttemptOutcome::Held);
    assert!(!before.is_empty() && before.iter().all(|a| a.outcome == AttemptOutcome::Deferred), "{before:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_of_a_template_that_this_worker_lacks_waits_is_held_and_leaves_when_one_has_it() {
    let (mut post, notices) = open().await;
    let senders = bookings(&post);
    equip(&mut post, senders, None);
    let (one, two) = (send(&post, "zoe@one.example").await, send(&post, "max@two.example").await);
    let runner = post.stage.runner(|settings| settings.queues.push(share("default")));
    for mail in [&one, &two] {
        was_held(&post, mail, "this worker has no template \"lesson_rated\"").await;
    }
    let labels = json!({ "template": TEMPLATE });
    let kind = "mail.template_missing".to_owned();
    assert_eq!(told(&notices, 1).await, [(true, kind.clone(), labels.clone())], "once, not for each mail");
    // A good check of the domain leaves alone what would only be held again.
    let context = &post.stage.context;
    let gate = Arc::clone(&context.mailer.as_ref().unwrap().gate);
    let checked = gate.check(context.means(), DEV_DOMAIN, Cause::Request, false).await.unwrap().unwrap();
    assert_eq!(checked.released, 0);
    drop(gate);
    assert_eq!(runner.shut_down().await, 0);

    let (senders, templates) = (bookings(&post), folder());
    equip(&mut post, senders, Some(templates.clone()));
    let runner = post.stage.runner(|settings| settings.queues.push(share("default")));
    for mail in [&one, &two] {
        assert_eq!(until(&post, mail, DeliveryState::Sent).await.release, 1, "its worker released it when it started");
    }
    assert_eq!(told(&notices, 2).await[1..], [(false, kind, labels)]);
    assert_eq!(post.catcher.inbox().received(), 2);
    assert_eq!(runner.shut_down().await, 0);
    std::fs::remove_dir_all(templates).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_of_a_sender_that_this_worker_lacks_is_sent_by_the_next_that_has_it() {
    let (mut post, notices) = open().await;
    post.stage.context.lacking = Arc::new(Lacking::new(Duration::from_secs(20)));
    equip(&mut post, HashMap::new(), None);
    let early = post.send_to("zoe@one.example", Category::Booking).await;
    let runner = post.stage.runner(|_| {});
    let waits = until(&post, &early, DeliveryState::Deferred).await;
    assert_eq!(
        waits.last_error.as_deref(),
        Some("this worker has no sender \"bookings\" with a key that signs for it")
    );
    assert_eq!(runner.shut_down().await, 0);
    // The rolling deploy comes to this worker.
    let senders = bookings(&post);
    equip(&mut post, senders, None);
    let runner = post.stage.runner(|_| {});
    assert_eq!(until(&post, &early, DeliveryState::Sent).await.release, 0);
    assert_eq!(runner.shut_down().await, 0);
    assert!(notices.taken().is_empty(), "nobody is told of what looked after itself");

    // A configuration that stays wrong.
    post.stage.context.lacking = Arc::new(Lacking::new(GRACE));
    equip(&mut post, HashMap::new(), None);
    let late = post.send_to("max@two.example", Category::Booking).await;
    let runner = post.stage.runner(|settings| settings.queues.push(share("default")));
    was_held(&post, &late, "this worker has no sender \"bookings\" with a key that signs for it").await;
    let labels = json!({ "sender": "bookings" });
    assert_eq!(told(&notices, 1).await, [(true, "mail.sender_missing".to_owned(), labels.clone())]);
    assert_eq!(runner.shut_down().await, 0);
    let senders = bookings(&post);
    equip(&mut post, senders, None);
    let context = &post.stage.context;
    let gate = Arc::clone(&context.mailer.as_ref().unwrap().gate);
    watch::once(context, &gate, Cause::Start).await.unwrap();
    drop(gate);
    let runner = post.stage.runner(|settings| settings.queues.push(share("default")));
    assert_eq!(until(&post, &late, DeliveryState::Sent).await.release, 1);
    assert!(!told(&notices, 2).await[1].0, "and then that it is over");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grace_does_not_outlast_the_mail() {
    let (mut post, _) = open().await;
    post.stage.context.lacking = Arc::new(Lacking::new(Duration::from_hours(1)));
    let senders = bookings(&post);
    equip(&mut post, senders, None);
    let context = &post.stage.context;
    let (id, now) = (context.ids.next(&queue("emails")).uuid(), context.clock.now());
    let new = NewDelivery {
        deadline: Some(job::clock::after(now, GRACE)),
        data: json!({}),
        ..NewDelivery::new(id, id.to_string(), Category::Booking, TEMPLATE, "bookings", "zoe@example.com")
    };
    let written = context.store.insert_deliveries(&[new], now).await.unwrap();
    let runner = post.stage.runner(|_| {});
    post.stage.enqueue(worker::intents::delivery(&written[0], now)).await;
    let mail = testkit::wait_for("the mail to end", PATIENCE, async || {
        let mail = post.delivery(id).await;
        (!matches!(mail.state, DeliveryState::Queued | DeliveryState::Sending | DeliveryState::Deferred))
            .then_some(mail)
    })
    .await;
    assert!(matches!(mail.state, DeliveryState::Held | DeliveryState::Expired), "{mail:?}");
    assert_eq!(runner.shut_down().await, 0);
}
