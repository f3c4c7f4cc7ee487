//! What the ledger says after a relay has answered anything at any step, what is tried again, and what the receiver got.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job::{Clock, JobId, JobState, ManualClock};
use mail::catcher::{CatcherOffers, Reaction, Step};
use mail::gate::Route;
use mail::zone::{DEV_DOMAIN, DnsName, RecordData, bounce_domain, ehlo_name};
use mail::{CatcherOptions, RecipientRule, RelayConfig, SendPhase, SmtpTransport, Timeouts};
use store::{AttemptOutcome, By, Category, Delivery, DeliveryState, DomainState, Moved};
use testkit::Hook;
use worker::Mailer;
use worker::gate::Cause;
use worker::mailer::Fallback;

use crate::domain::{LOOPBACK, gate_by};
use crate::mails::Post;
use crate::stage::{Stage, queue};

const PATIENCE: Duration = Duration::from_secs(60);
const PHASES: [SendPhase; 6] =
    [SendPhase::Connect, SendPhase::Ehlo, SendPhase::Mail, SendPhase::Rcpt, SendPhase::Data, SendPhase::Dot];

fn phase(step: &Step<'_>) -> SendPhase {
    match step {
        Step::Connect { .. } => SendPhase::Connect,
        Step::Ehlo { .. } => SendPhase::Ehlo,
        Step::Auth => SendPhase::Auth,
        Step::Mail { .. } => SendPhase::Mail,
        Step::Rcpt { .. } => SendPhase::Rcpt,
        Step::Data => SendPhase::Data,
        Step::Dot { .. } => SendPhase::Dot,
    }
}

fn reply(code: u16, text: &str) -> Reaction {
    Reaction::Reply(code, text.to_owned())
}

/// What a relay may do at a step.
fn answers() -> [Reaction; 9] {
    [
        reply(451, "4.3.0 not now"),
        reply(450, "4.7.1 come back later"),
        Reaction::ReplyThenClose(421, "4.3.2 going down".to_owned()),
        reply(550, "5.2.1 mailbox closed"),
        Reaction::ReplyThenClose(554, "5.7.1 not from you".to_owned()),
        reply(299, "what was that?"),
        Reaction::Close,
        Reaction::Stall,
        Reaction::AcceptThenClose,
    ]
}

fn asks_for_less(answer: &Reaction) -> bool {
    match answer {
        Reaction::Reply(code, text) | Reaction::ReplyThenClose(code, text) => *code == 421 || text.starts_with("4.7."),
        _ => false,
    }
}

/// What becomes of a mail to which a relay did that, and how many copies the receiver has then.
fn expected(at: SendPhase, answer: &Reaction, category: Category) -> (DeliveryState, u64) {
    let after_dot = at == SendPhase::Dot;
    let nobody_knows = match category {
        Category::Alert => DeliveryState::Deferred,
        _ => DeliveryState::Unknown,
    };
    match answer {
        Reaction::Reply(code, text) | Reaction::ReplyThenClose(code, text) => match code / 100 {
            // A policy against our MAIL is about our account: it has not heard whom the mail is for.
            5 if at == SendPhase::Mail && text.starts_with("5.7.") => (DeliveryState::Deferred, 0),
            4 => (DeliveryState::Deferred, 0),
            5 if at >= SendPhase::Mail => (DeliveryState::Failed, 0),
            5 => (DeliveryState::Deferred, 0),
            // No code of SMTP: no answer at all.
            _ if after_dot => (nobody_knows, 0),
            _ => (DeliveryState::Deferred, 0),
        },
        Reaction::AcceptThenClose if after_dot => (nobody_knows, 1),
        _ if after_dot => (nobody_knows, 0),
        _ => (DeliveryState::Deferred, 0),
    }
}

/// A post on a clock that stands, so that nothing is tried again by itself. Its relay has these offers.
async fn post(offers: CatcherOffers) -> Post {
    let options = CatcherOptions { offers, ..CatcherOptions::default() };
    Post::on(standing().await, options, hasty, RecipientRule::default()).await
}

/// A stage on a clock that stands.
async fn standing() -> Stage {
    Stage::at(&ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap())).await
}

/// Little patience, but more than a busy machine needs to answer, and a fresh connection for each mail.
pub fn hasty(relay: &mut RelayConfig) {
    let limit = Duration::from_secs(3);
    relay.timeouts = Timeouts { connect: limit, greeting: limit, command: limit, data: limit, body: limit, dot: limit };
    relay.max_messages_per_connection = 1;
}

/// Waits until no attempt has the mail.
pub async fn settled(post: &Post, mail: &Delivery) -> Delivery {
    testkit::wait_for("the attempt to end", PATIENCE, async || {
        let mail = post.delivery(mail.id).await;
        let waits = matches!(mail.state, DeliveryState::Queued | DeliveryState::Sending);
        (!waits).then_some(mail)
    })
    .await
}

/// Sends the mail again, as a person would; how it ends then.
pub async fn resend(post: &Post, mail: &Delivery) -> Delivery {
    let context = &post.stage.context;
    let (job_id, now) = (context.ids.next(&queue("emails")).uuid(), context.clock.now());
    let moved = context.store.release_delivery(mail.id, job_id, By::person(job_id, "ops"), now).await.unwrap();
    let Moved::Done(row) = moved else { panic!("{} cannot be sent again: {moved:?}", mail.state) };
    post.stage.enqueue(worker::intents::delivery(&row, now)).await;
    settled(post, mail).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_relay_does_at_any_step_the_ledger_knows_what_became_of_the_mail() {
    every_answer_at_every_step(post(CatcherOffers::default()).await, &[Category::Booking, Category::Alert]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_takes_one_command_at_a_time_is_understood_just_as_well() {
    let offers = CatcherOffers { pipelining: false, eight_bit: false, utf8: false };
    every_answer_at_every_step(post(offers).await, &[Category::Booking]).await;
}

async fn every_answer_at_every_step(post: Post, categories: &[Category]) {
    let runner = post.stage.runner(|_| {});
    let inbox = post.catcher.inbox();
    let mut cases = 0;
    for category in categories.iter().copied() {
        for at in PHASES {
            for answer in answers() {
                let case = format!("{category} {answer:?} at {at}");
                cases += 1;
                let react = answer.clone();
                post.script(move |step| if phase(step) == at { react.clone() } else { Reaction::Proceed });
                let before = inbox.received();
                let (state, copies) = expected(at, &answer, category);
                // A domain each: what one of them says about its pace must not slow the next.
                let mail = settled(&post, &post.send_to(&format!("zoe@d{cases}.example"), category).await).await;
                assert_eq!(mail.state, state, "{case}: {:?}", mail.last_error);
                testkit::wait_until(&case, PATIENCE, async || inbox.received() == before + copies).await;
                let (mail, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
                assert_eq!(attempts.len(), 1, "{case}");
                assert_eq!(attempts[0].phase.as_deref(), Some(at.as_str()), "{case}");
                assert_eq!(mail.next_attempt_at.is_some(), state == DeliveryState::Deferred, "{case}");
                if state == DeliveryState::Deferred {
                    // Another attempt comes by itself, after the first wait of the class.
                    let wait = mail.next_attempt_at.unwrap().duration_since(mail.touched_at).as_secs_f64();
                    let first = mail.class.wait(1, 0.0).as_secs_f64()..=mail.class.wait(1, 1.0).as_secs_f64() + 0.01;
                    assert!(first.contains(&wait), "{case}: {wait}");
                    post.stage.until(JobId::from_uuid(mail.job_id), JobState::Scheduled).await;
                } else {
                    post.stage.until(JobId::from_uuid(mail.job_id), JobState::Completed).await;
                }
                // A domain that asked for less is not asked again at once; that has a test of its own.
                if asks_for_less(&answer) && at >= SendPhase::Mail {
                    continue;
                }
                // Once the relay behaves, sending again brings one mail, with the same identity.
                post.catcher.set_script(None);
                let again = resend(&post, &mail).await;
                assert_eq!(again.state, DeliveryState::Sent, "{case}: {:?}", again.last_error);
                assert_eq!(inbox.received(), before + copies + 1, "{case}");
                assert_eq!(again.mail_date, mail.mail_date, "{case}");
                if mail.message_id.is_some() {
                    assert_eq!(again.message_id, mail.message_id, "{case}");
                }
            }
        }
    }
    assert_eq!(cases, 54 * categories.len());
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_recipient_touches_nobody_else() {
    let post = Post::open().await;
    post.script(|step| match step {
        Step::Rcpt { to } if to.starts_with("bad") => reply(550, "5.1.1 no such user"),
        _ => Reaction::Proceed,
    });
    let mut mails = Vec::new();
    for n in 0..20 {
        let name = if n % 2 == 0 { "bad" } else { "good" };
        mails.push(post.send_to(&format!("{name}{n}@example.com"), Category::Booking).await);
    }
    let runner = post.stage.runner(|_| {});
    for (n, mail) in mails.iter().enumerate() {
        let state = if n % 2 == 0 { DeliveryState::Failed } else { DeliveryState::Sent };
        assert_eq!(settled(&post, mail).await.state, state, "{}", mail.recipient);
    }
    let caught = post.catcher.inbox().list();
    assert!(caught.len() == 10 && caught.iter().all(|mail| mail.to.starts_with("good")), "{caught:?}");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_asks_for_less_is_slowed_down_and_no_other_is() {
    let post = Post::with(standing().await).await;
    let busy = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&busy);
    post.script(move |step| match step {
        Step::Rcpt { to } if to.ends_with("@slow.example") => {
            match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
                Ok(_) => reply(450, "4.7.1 too fast"),
                Err(_) => Reaction::Proceed,
            }
        }
        _ => Reaction::Proceed,
    });
    let runner = post.stage.runner(|_| {});
    let first = settled(&post, &post.send_to("a@slow.example", Category::Booking).await).await;
    assert_eq!(first.state, DeliveryState::Deferred);
    // The relay would take the next one; it waits all the same, and says why.
    let second = settled(&post, &post.send_to("b@SLOW.example", Category::Booking).await).await;
    assert_eq!(second.state, DeliveryState::Deferred);
    assert_eq!(second.last_error.as_deref(), Some("slow.example asked for a slower pace"));
    let other = settled(&post, &post.send_to("a@quick.example", Category::Booking).await).await;
    assert_eq!(other.state, DeliveryState::Sent);
    assert_eq!(runner.shut_down().await, 0);
}

const FIRST: &str = "first";
/// How the catcher of a post is called.
const SECOND: &str = "local";

/// What SPF must let in of a relay: this machine, which the zone lets in, or a name that it does not include.
fn route(relay: &str, is_let_in: bool) -> Route {
    let includes = if is_let_in { Vec::new() } else { vec!["spf.nobody.test".to_owned()] };
    let egress = if is_let_in { vec![LOOPBACK] } else { Vec::new() };
    Route { relay: relay.to_owned(), egress, includes, link: None }
}

/// A relay at which nobody listens.
fn nowhere() -> RelayConfig {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    RelayConfig { name: FIRST.to_owned(), ..RelayConfig::plain(nowhere, &ehlo_name(DEV_DOMAIN)) }
}

/// The same post with a second relay, which is the catcher; the first one is `first`. SPF lets them in, or not.
pub async fn with_second(post: &mut Post, first: RelayConfig, let_in: (bool, bool)) {
    let routes = vec![route(FIRST, let_in.0), route(SECOND, let_in.1)];
    let mailer = post.stage.context.mailer.take().unwrap();
    let Mailer { renderer, senders, recipients, transport, paces, .. } = Arc::into_inner(mailer).unwrap();
    let gate = gate_by(&post.dns, DEV_DOMAIN, &[("runner", &post.key)], routes);
    assert_eq!(transport.relay(), SECOND);
    let fallback = Some(Fallback::new(transport));
    let transport = SmtpTransport::new(RelayConfig { name: FIRST.to_owned(), ..first }).unwrap();
    post.stage.context.mailer =
        Some(Arc::new(Mailer { renderer, senders, gate, recipients, transport, fallback, paces }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_relay_takes_over_when_the_first_is_away() {
    let mut post = Post::open().await;
    with_second(&mut post, nowhere(), (true, true)).await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("zoe@example.com", Category::Booking).await).await;
    assert_eq!(mail.state, DeliveryState::Sent, "{:?}", mail.last_error);
    let (_, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
    let said = attempts[0].text.as_deref().unwrap();
    assert!(said.contains("before that first at connect"), "{said}");
    // The first one rests for a while: it is not even asked.
    let next = settled(&post, &post.send_to("max@example.com", Category::Booking).await).await;
    let (_, attempts) = post.stage.context.store.get_delivery(next.id).await.unwrap().unwrap();
    assert!(!attempts[0].text.as_deref().unwrap().contains("before that"), "{attempts:?}");
    assert_eq!(post.catcher.inbox().received(), 2);
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_second_relay_takes_over_after_the_dot_or_after_a_refusal_of_the_mail() {
    let first = Post::open().await;
    let cases = [
        (SendPhase::Dot, Reaction::Close, DeliveryState::Unknown, AttemptOutcome::Unknown),
        (SendPhase::Dot, Reaction::AcceptThenClose, DeliveryState::Unknown, AttemptOutcome::Unknown),
        (SendPhase::Dot, reply(451, "4.3.0 not now"), DeliveryState::Deferred, AttemptOutcome::Deferred),
        (SendPhase::Rcpt, reply(550, "5.1.1 no such user"), DeliveryState::Failed, AttemptOutcome::Failed),
    ];
    let mut second = Post::open().await;
    with_second(&mut second, RelayConfig::plain(first.catcher.addr(), &ehlo_name(DEV_DOMAIN)), (true, true)).await;
    let runner = second.stage.runner(|_| {});
    for (n, (at, reaction, state, outcome)) in cases.into_iter().enumerate() {
        let react = reaction.clone();
        first.script(move |step| if phase(step) == at { react.clone() } else { Reaction::Proceed });
        let mail = settled(&second, &second.send_to(&format!("zoe@d{n}.example"), Category::Booking).await).await;
        assert_eq!(mail.state, state, "{reaction:?} at {at}");
        let (_, attempts) = second.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
        assert_eq!(
            attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(),
            [outcome],
            "{reaction:?} at {at}"
        );
    }
    assert_eq!(second.catcher.inbox().received(), 0, "the second relay was never asked");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_relay_that_would_not_authenticate_gets_nothing_until_it_does() {
    let mut post = Post::open().await;
    with_second(&mut post, nowhere(), (true, false)).await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("zoe@example.com", Category::Booking).await).await;
    assert_eq!(mail.state, DeliveryState::Deferred);
    let why = mail.last_error.as_deref().unwrap();
    assert!(
        why.contains("the second relay local is not used") && why.contains("does not include spf.nobody.test"),
        "{why}"
    );
    assert_eq!((post.catcher.inbox().received(), post.catcher.connections()), (0, 0), "it was not even spoken to");
    let context = &post.stage.context;
    let stored = context.store.domain(DEV_DOMAIN).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.relays.len()), (DomainState::Verified, 1));
    assert_eq!((stored.relays[0].relay.as_str(), stored.relays[0].state), (SECOND, DomainState::Suspect));

    let bounce = bounce_domain(DEV_DOMAIN);
    let mut zone = post.dns.zone();
    zone.remove(&DnsName::parse(&bounce).unwrap(), |data| matches!(data, RecordData::Txt(_)));
    zone.add(&bounce, RecordData::Txt("v=spf1 ip4:127.0.0.0/8 include:spf.nobody.test -all".to_owned())).unwrap();
    zone.add("spf.nobody.test", RecordData::Txt("v=spf1 ip4:127.0.0.0/8 -all".to_owned())).unwrap();
    post.dns.set_zone(zone);
    let gate = Arc::clone(&context.mailer.as_ref().unwrap().gate);
    let checked = gate.check(context.means(), DEV_DOMAIN, Cause::Request, false).await.unwrap().unwrap();
    assert_eq!(checked.domain.relays[0].state, DomainState::Verified, "{:?}", checked.domain.relays);
    assert_eq!(resend(&post, &mail).await.state, DeliveryState::Sent);
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_the_second_relay_authenticates_mail_leaves_by_that_and_else_it_is_held() {
    let first = Post::open().await;
    let relay = || RelayConfig::plain(first.catcher.addr(), &ehlo_name(DEV_DOMAIN));
    let mut post = Post::open().await;
    with_second(&mut post, relay(), (false, true)).await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("zoe@example.com", Category::Booking).await).await;
    assert_eq!(mail.state, DeliveryState::Sent, "{:?}", mail.last_error);
    assert_eq!((first.catcher.inbox().received(), post.catcher.inbox().received()), (0, 1));
    assert_eq!(runner.shut_down().await, 0);

    let mut post = Post::open().await;
    with_second(&mut post, relay(), (false, false)).await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("zoe@example.com", Category::Booking).await).await;
    assert_eq!(mail.state, DeliveryState::Held);
    assert!(mail.last_error.as_deref().unwrap().contains("does not include spf.nobody.test"), "{:?}", mail.last_error);
    assert_eq!((first.catcher.inbox().received(), post.catcher.inbox().received()), (0, 0));
    assert_eq!(runner.shut_down().await, 0);
}

/// The offers of a relay that takes addresses in ASCII only.
fn ascii_only() -> CatcherOptions {
    CatcherOptions { offers: CatcherOffers { utf8: false, ..CatcherOffers::default() }, ..CatcherOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_beyond_ascii_is_sent_as_it_is_or_refused_with_the_reason() {
    let post = Post::open().await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("jürgen@example.com", Category::Booking).await).await;
    assert_eq!(mail.state, DeliveryState::Sent, "{:?}", mail.last_error);
    let caught = post.catcher.inbox().list().remove(0);
    assert_eq!((caught.to.as_str(), caught.dkim), ("jürgen@example.com", mail::Verdict::Pass));
    assert_eq!(runner.shut_down().await, 0);

    let post = Post::open_to(ascii_only(), |_| {}).await;
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("jürgen@example.com", Category::Booking).await).await;
    let (mail, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
    assert_eq!(mail.state, DeliveryState::Failed);
    assert_eq!((attempts[0].code, attempts[0].enhanced.as_deref()), (None, Some("5.6.7")));
    assert!(attempts[0].text.as_deref().unwrap().contains("does not offer SMTPUTF8"), "{attempts:?}");
    assert_eq!(post.catcher.inbox().received(), 0);
    let suppressed = post.stage.context.store.list_suppressions(&Default::default(), 10, None).await.unwrap().items;
    assert!(suppressed.is_empty(), "it says nothing of the person: {suppressed:?}");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_first_relay_cannot_carry_goes_by_the_second_and_all_else_by_the_first() {
    let first = Post::open_to(ascii_only(), |_| {}).await;
    let mut second = Post::open().await;
    with_second(&mut second, RelayConfig::plain(first.catcher.addr(), &ehlo_name(DEV_DOMAIN)), (true, true)).await;
    let runner = second.stage.runner(|_| {});
    for (to, counts) in [("jürgen@example.com", (0, 1)), ("zoe@example.com", (1, 1))] {
        let mail = settled(&second, &second.send_to(to, Category::Booking).await).await;
        assert_eq!(mail.state, DeliveryState::Sent, "{to}: {:?}", mail.last_error);
        assert_eq!((first.catcher.inbox().received(), second.catcher.inbox().received()), counts, "{to}");
    }
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_hear_that_no_second_relay_would_take_over() {
    let mut post = Post::open().await;
    with_second(&mut post, nowhere(), (true, false)).await;
    let kept = Hook::start().await;
    post.stage.tells(&kept, None);
    let context = &post.stage.context;
    let gate = Arc::clone(&context.mailer.as_ref().unwrap().gate);
    let check = async || gate.check(context.means(), DEV_DOMAIN, Cause::Request, false).await.unwrap().unwrap().domain;
    let first = check().await;
    assert_eq!(
        (first.state, first.relays[0].state, first.relays[0].told),
        (DomainState::Verified, DomainState::Suspect, false)
    );
    // It has been so for a while: the next bad answer confirms it.
    let mut failing = context.store.domain(DEV_DOMAIN).await.unwrap().unwrap();
    failing.relays[0].failing_since = Some(context.clock.now() - Duration::from_secs(60));
    assert!(context.store.save_domain(&failing, None, context.clock.now()).await.unwrap());
    let second = check().await;
    assert_eq!(
        (second.state, second.relays[0].state, second.relays[0].told),
        (DomainState::Verified, DomainState::Failed, true)
    );
    let runner = post.stage.runner(|settings| settings.queues.push(crate::stage::share("default")));
    let (_, body) = testkit::wait_for("the notice", PATIENCE, async || kept.taken().into_iter().next()).await;
    assert_eq!((&body["data"]["kind"], &body["data"]["severity"]), (&"domain.fallback_held".into(), &"warning".into()));
    assert_eq!(body["data"]["labels"], serde_json::json!({ "domain": DEV_DOMAIN, "relay": SECOND }));
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_whose_answer_is_lost_twice_is_not_sent_a_third_time() {
    let post = Post::with(standing().await).await;
    post.script(|step| match phase(step) {
        SendPhase::Dot => Reaction::AcceptThenClose,
        _ => Reaction::Proceed,
    });
    let runner = post.stage.runner(|_| {});
    let mail = settled(&post, &post.send_to("ops@example.com", Category::Alert).await).await;
    assert_eq!(mail.state, DeliveryState::Deferred, "{:?}", mail.last_error);
    let again = resend(&post, &mail).await;
    assert_eq!((again.state, post.catcher.inbox().received()), (DeliveryState::Unknown, 2), "{:?}", again.last_error);
    assert_eq!(runner.shut_down().await, 0);
}
