//! What the ledger says after a relay has answered anything at any step, what is tried again, and what the receiver got.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job::{Clock, JobId, JobState};
use mail::catcher::{Reaction, Step};
use mail::zone::{DEV_DOMAIN, ehlo_name};
use mail::{RelayConfig, SendPhase, SmtpTransport, Timeouts};
use store::{AttemptOutcome, By, Category, Delivery, DeliveryState, Moved};
use worker::Mailer;
use worker::mailer::Fallback;

use crate::mails::Post;
use crate::stage::queue;

const PATIENCE: Duration = Duration::from_secs(20);
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
        Reaction::Reply(code, _) | Reaction::ReplyThenClose(code, _) => match code / 100 {
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

/// The same, and a fresh connection for each mail, and little patience.
async fn post() -> Post {
    Post::open_with(|relay| {
        let limit = Duration::from_millis(250);
        relay.timeouts =
            Timeouts { connect: limit, greeting: limit, command: limit, data: limit, body: limit, dot: limit };
        relay.max_messages_per_connection = 1;
    })
    .await
}

/// Waits until no attempt has the mail.
async fn settled(post: &Post, mail: &Delivery) -> Delivery {
    testkit::wait_for("the attempt to end", PATIENCE, async || {
        let mail = post.delivery(mail.id).await;
        let waits = matches!(mail.state, DeliveryState::Queued | DeliveryState::Sending);
        (!waits).then_some(mail)
    })
    .await
}

/// Sends the mail again, as a person would; how it ends then.
async fn resend(post: &Post, mail: &Delivery) -> Delivery {
    let context = &post.stage.context;
    let (job_id, now) = (context.ids.next(&queue("emails")).uuid(), context.clock.now());
    let moved = context.store.release_delivery(mail.id, job_id, By::person(job_id, "ops"), now).await.unwrap();
    let Moved::Done(row) = moved else { panic!("{} cannot be sent again: {moved:?}", mail.state) };
    post.stage.enqueue(worker::intents::delivery(&row, now)).await;
    settled(post, mail).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_relay_does_at_any_step_the_ledger_knows_what_became_of_the_mail() {
    let post = post().await;
    let runner = post.stage.runner(|_| {});
    let inbox = post.catcher.inbox();
    let mut cases = 0;
    for category in [Category::Booking, Category::Alert] {
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
    assert_eq!(cases, 108);
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
    let post = Post::open().await;
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

/// The same post with a second relay, which is the catcher; the first one listens nowhere any more, or is `first`.
async fn with_second(post: &mut Post, first: RelayConfig) {
    let mailer = post.stage.context.mailer.take().unwrap();
    let Mailer { renderer, senders, gate, recipients, transport, paces, .. } = Arc::into_inner(mailer).unwrap();
    let fallback = Some(Fallback::new(transport));
    let transport = SmtpTransport::new(first).unwrap();
    post.stage.context.mailer =
        Some(Arc::new(Mailer { renderer, senders, gate, recipients, transport, fallback, paces }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_relay_takes_over_when_the_first_is_away() {
    let mut post = Post::open().await;
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let first = RelayConfig { name: "first".to_owned(), ..RelayConfig::plain(nowhere, &ehlo_name(DEV_DOMAIN)) };
    with_second(&mut post, first).await;
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
    with_second(&mut second, RelayConfig::plain(first.catcher.addr(), &ehlo_name(DEV_DOMAIN))).await;
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
