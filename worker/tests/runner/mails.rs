//! Mails on their way to a relay, while the store or the relay is in trouble.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job::{Clock, JobId, JobState};
use mail::catcher::{Reaction, Script, Step};
use mail::zone::{DEV_DOMAIN, bounce_domain, dev_zone, ehlo_name};
use mail::{
    Catcher, CatcherOptions, DkimKey, DkimSigner, DnsServer, EmailAddress, RecipientRule, RelayConfig, Renderer,
    SenderProfile, SmtpTransport, Verifier,
};
use serde_json::Value;
use store::{AttemptOutcome, By, Category, Delivery, DeliveryState, Moved, NewDelivery, Store, StoreConfig};
use testkit::Database;
use tokio::runtime::Handle;
use worker::Mailer;
use worker::mailer::Sender;
use worker::pace::Paces;

use crate::domain::gate;
use crate::stage::{Stage, queue};

const PATIENCE: Duration = Duration::from_secs(60);

/// A stage with a way out for mail.
pub struct Post {
    pub stage: Stage,
    pub catcher: Catcher,
    pub dns: DnsServer,
    pub key: DkimKey,
}

impl Post {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// The same with a relay that is spoken to in another way.
    pub async fn open_with(change: impl FnOnce(&mut RelayConfig)) -> Self {
        Self::open_to(CatcherOptions::default(), change).await
    }

    /// The same with a relay that offers other things.
    pub async fn open_to(options: CatcherOptions, change: impl FnOnce(&mut RelayConfig)) -> Self {
        Self::on(Stage::sqlite().await, options, change, RecipientRule::default()).await
    }

    /// The same on a stage that is there.
    pub async fn with(stage: Stage) -> Self {
        Self::on(stage, CatcherOptions::default(), |_| {}, RecipientRule::default()).await
    }

    /// The same in a test installation.
    async fn redirecting(to: &str) -> Self {
        let recipients = RecipientRule { redirect_to: Some(address(to)), ..RecipientRule::default() };
        Self::on(Stage::sqlite().await, CatcherOptions::default(), |_| {}, recipients).await
    }

    /// The same, with all of it as it is wanted.
    pub async fn on(
        mut stage: Stage,
        options: CatcherOptions,
        change: impl FnOnce(&mut RelayConfig),
        recipients: RecipientRule,
    ) -> Self {
        let key = DkimKey::generate().unwrap();
        let dns = DnsServer::start(dev_zone(DEV_DOMAIN, "runner", &key.public_txt()).unwrap()).await.unwrap();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let verifier = Verifier::new(dns.addr()).unwrap();
        let clock = Arc::clone(&stage.context.clock);
        let catcher = Catcher::start_with(loopback, verifier, clock, options).await.unwrap();
        let mut relay = RelayConfig::plain(catcher.addr(), &ehlo_name(DEV_DOMAIN));
        change(&mut relay);
        let mailer = Mailer {
            renderer: Arc::new(Renderer::new(None).unwrap()),
            senders: [("bookings".to_owned(), sender(&key, "runner"))].into(),
            gate: gate(&dns, DEV_DOMAIN, &[("runner", &key)]),
            recipients,
            transport: SmtpTransport::new(relay).unwrap(),
            fallback: None,
            paces: Paces::default(),
        };
        stage.context.mailer = Some(Arc::new(mailer));
        Self { stage, catcher, dns, key }
    }

    /// The same with the store in Postgres, over a single connection: who ends it is sure to hit the next statement.
    async fn open_on(database: &Database) -> Self {
        let mut post = Self::open().await;
        let config = StoreConfig { max_connections: 1, ..StoreConfig::new(database.url()) };
        post.stage.context.store = Store::open(&config).await.unwrap();
        post.stage.context.store.migrate().await.unwrap();
        post
    }

    pub fn script(&self, script: impl Fn(&Step<'_>) -> Reaction + Send + Sync + 'static) {
        let script: Script = Arc::new(script);
        self.catcher.set_script(Some(script));
    }

    /// Writes a mail and enqueues its job.
    async fn send(&self) -> Delivery {
        self.send_to("zoe.lindstrom@example.com", Category::Booking).await
    }

    /// The same to another person, of another kind.
    pub async fn send_to(&self, to: &str, category: Category) -> Delivery {
        self.send_with(to, category, |_| {}).await
    }

    /// The same with other data.
    pub async fn send_with(&self, to: &str, category: Category, change: impl FnOnce(&mut Value)) -> Delivery {
        let context = &self.stage.context;
        let id = context.ids.next(&queue("emails")).uuid();
        let sample = include_str!("../../../email_templates/booking_confirmed_student/sample.json");
        let template = "booking_confirmed_student";
        let mut data: Value = serde_json::from_str(sample).unwrap();
        change(&mut data);
        let new = NewDelivery { data, ..NewDelivery::new(id, id.to_string(), category, template, "bookings", to) };
        let now = context.clock.now();
        let written = context.store.insert_deliveries(&[new], now).await.unwrap();
        self.stage.enqueue(worker::intents::delivery(&written[0], now)).await;
        self.delivery(id).await
    }

    pub async fn delivery(&self, id: uuid::Uuid) -> Delivery {
        self.stage.context.store.get_delivery(id).await.unwrap().unwrap().0
    }

    /// Waits until so many mails are caught.
    pub async fn caught(&self, count: u64) {
        let caught = async || self.catcher.inbox().received() >= count;
        testkit::wait_until(&format!("{count} mails to be caught"), PATIENCE, caught).await;
    }

    /// Waits until the mail has ended, and tells how its attempts did.
    async fn ends(&self, mail: &Delivery) -> (DeliveryState, Vec<AttemptOutcome>) {
        self.stage.until(JobId::from_uuid(mail.job_id), JobState::Completed).await;
        let (mail, attempts) = self.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
        (mail.state, attempts.iter().map(|attempt| attempt.outcome).collect())
    }
}

/// The profile `bookings` of the development domain.
pub fn sender(key: &DkimKey, selector: &str) -> Sender {
    Sender {
        profile: SenderProfile {
            key: "bookings".to_owned(),
            address: address(&format!("bookings@{DEV_DOMAIN}")),
            display_name: None,
            reply_to: None,
            dkim_selector: selector.to_owned(),
        },
        category: Category::Booking,
        signer: Arc::new(DkimSigner::new(key, DEV_DOMAIN, selector).unwrap()),
        bounce: address(&format!("bounces@{}", bounce_domain(DEV_DOMAIN))),
    }
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Waits for something from within a step of the relay.
fn within_a_step<T>(something: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(something))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mail_whose_mark_fails_is_put_off_and_sent_once() {
    let database = Arc::new(Database::create().await);
    let post = Post::open_on(&database).await;
    let (times, store) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&database));
    let asked = Arc::clone(&times);
    post.script(move |step| {
        if matches!(step, Step::Data) && times.fetch_add(1, Ordering::SeqCst) == 0 {
            within_a_step(store.allow_connections(false));
        }
        Reaction::Proceed
    });
    let mail = post.send().await;
    let runner = post.stage.runner(|_| {});
    // Not until the mark has failed: whoever else asks the store meanwhile must not be the one to find it away.
    testkit::wait_until("the mail to be given up", PATIENCE, async || {
        asked.load(Ordering::SeqCst) == 1 && post.catcher.connections() == 0
    })
    .await;
    database.allow_connections(true).await;
    let ended = post.ends(&mail).await;
    assert_eq!(ended, (DeliveryState::Sent, vec![AttemptOutcome::Deferred, AttemptOutcome::Sent]));
    assert_eq!(post.catcher.inbox().len(), 1);
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_is_written_although_the_store_is_away_for_a_moment() {
    let database = Arc::new(Database::create().await);
    let post = Post::open_on(&database).await;
    let (asked, store) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&database));
    let count = Arc::clone(&asked);
    post.script(move |step| match step {
        Step::Rcpt { .. } => {
            count.fetch_add(1, Ordering::SeqCst);
            within_a_step(store.kill_connections());
            Reaction::Reply(550, "5.1.1 no such user".to_owned())
        }
        _ => Reaction::Proceed,
    });
    let mail = post.send().await;
    let runner = post.stage.runner(|_| {});
    assert_eq!(post.ends(&mail).await, (DeliveryState::Failed, vec![AttemptOutcome::Failed]));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the relay is asked once");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_put_off_waits_a_quarter_of_a_minute_and_its_job_names_nobody() {
    let post = Post::open().await;
    post.script(|step| match step {
        Step::Rcpt { to } => Reaction::Reply(450, format!("4.2.1 <{to}> is over its quota")),
        _ => Reaction::Proceed,
    });
    let mail = post.send().await;
    let runner = post.stage.runner(|_| {});
    let put_off = testkit::wait_for("the mail to be put off", PATIENCE, async || {
        let mail = post.delivery(mail.id).await;
        (mail.state == DeliveryState::Deferred).then_some(mail)
    })
    .await;
    let again = put_off.next_attempt_at.unwrap().duration_since(put_off.touched_at).as_secs_f64();
    assert!((12.0..=18.01).contains(&again), "{again}");
    let record = post.stage.until(JobId::from_uuid(mail.job_id), JobState::Scheduled).await;
    let reason = record.snoozed.unwrap();
    assert!(reason.contains("z***@example.com") && !reason.contains("lindstrom"), "{reason}");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_knows_no_such_address_is_believed_and_a_policy_says_nothing_of_a_person() {
    let post = Post::open().await;
    for (reply, suppressed) in [("5.7.26 not authenticated", 0), ("5.2.2 mailbox full", 0), ("5.1.1 no such user", 1)] {
        post.script(move |step| match step {
            Step::Rcpt { .. } => Reaction::Reply(550, reply.to_owned()),
            _ => Reaction::Proceed,
        });
        let mail = post.send().await;
        let runner = post.stage.runner(|_| {});
        assert_eq!(post.ends(&mail).await.0, DeliveryState::Failed, "{reply}");
        assert_eq!(runner.shut_down().await, 0);
        let listed = post.stage.context.store.list_suppressions(&Default::default(), 10, None).await.unwrap();
        assert_eq!(listed.items.len(), suppressed, "{reply}");
    }
    // The next one does not even go to the relay.
    post.script(|_| Reaction::Proceed);
    let mail = post.send().await;
    let runner = post.stage.runner(|_| {});
    assert_eq!(post.ends(&mail).await, (DeliveryState::Suppressed, vec![AttemptOutcome::Suppressed]));
    assert!(post.catcher.inbox().list().is_empty());
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_address_that_mail_is_redirected_to_says_nothing_of_the_recipient() {
    let post = Post::redirecting("staging@example.com").await;
    post.script(|step| match step {
        Step::Rcpt { to } if to.starts_with("staging@") => Reaction::Reply(550, "5.1.1 no such user".to_owned()),
        _ => Reaction::Proceed,
    });
    let mail = post.send().await;
    let runner = post.stage.runner(|_| {});
    assert_eq!(post.ends(&mail).await.0, DeliveryState::Failed);
    assert_eq!(runner.shut_down().await, 0);
    let listed = post.stage.context.store.list_suppressions(&Default::default(), 10, None).await.unwrap();
    assert!(listed.items.is_empty(), "{:?}", listed.items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_set_on_its_way_again_while_it_waited_goes_out_once() {
    let post = Post::open().await;
    let context = &post.stage.context;
    let mail = post.send().await;
    // Three jobs of one mail, due together: a worker leases them in one call, under one token.
    let mut jobs = vec![mail.job_id];
    for _ in 0..2 {
        let (job, note) = (context.ids.next(&queue("emails")).uuid(), context.ids.next(&queue("emails")).uuid());
        let now = context.clock.now();
        let Moved::Done(row) =
            context.store.release_delivery(mail.id, job, By::person(note, "ops"), now).await.unwrap()
        else {
            panic!("a mail that waits can be released");
        };
        post.stage.enqueue(worker::intents::delivery(&row, now)).await;
        jobs.push(job);
    }
    let runner = post.stage.runner(|_| {});
    for job in jobs {
        post.stage.until(JobId::from_uuid(job), JobState::Completed).await;
    }
    assert_eq!(runner.shut_down().await, 0);
    assert_eq!(post.catcher.inbox().list().len(), 1);
    let mail = post.delivery(mail.id).await;
    assert_eq!((mail.state, mail.attempts, mail.release), (DeliveryState::Sent, 1, 2));
}
