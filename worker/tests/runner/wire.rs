//! What the ledger says of relays that cannot be logged in to, do not encrypt as they should, are slow, or break off in the
//! middle of a mail: rows of the answer table that no reply code stands for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use job::{JobId, JobState};
use mail::catcher::{CatcherTls, Reaction, Step};
use mail::zone::{DEV_DOMAIN, ehlo_name};
use mail::{CatcherOptions, Credentials, RelayConfig, Security, SmtpTransport, TlsRoots};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::SecretString;
use serde_json::json;
use store::{Attempt, AttemptOutcome, Category, Delivery, DeliveryState};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use worker::Mailer;

use crate::mails::Post;
use crate::relays::{hasty, resend, settled};
use crate::stage::queue;

/// Sends one mail to a domain of its own, and tells how its only attempt went.
async fn attempt(post: &Post, case: &str) -> (Delivery, Attempt) {
    let domain = format!("d{}.example", post.stage.context.ids.next(&queue("emails")).uuid().simple());
    let sent = post.send_to(&format!("zoe@{domain}"), Category::Booking).await;
    let mail = settled(post, &sent).await;
    let (mail, mut attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
    assert_eq!(attempts.len(), 1, "{case}");
    (mail, attempts.remove(0))
}

/// The mail is put off, and was so at this phase.
fn is_put_off(case: &str, (mail, attempt): &(Delivery, Attempt), phase: &str, code: Option<u16>) {
    assert_eq!(mail.state, DeliveryState::Deferred, "{case}: {attempt:?}");
    assert_eq!((attempt.phase.as_deref(), attempt.code), (Some(phase), code), "{case}: {attempt:?}");
    assert!(mail.next_attempt_at.is_some(), "{case}");
}

/// Speaks to another relay from now on.
fn speak_to(post: &mut Post, relay: RelayConfig) {
    let mailer = Arc::into_inner(post.stage.context.mailer.take().unwrap()).unwrap();
    post.stage.context.mailer = Some(Arc::new(Mailer { transport: SmtpTransport::new(relay).unwrap(), ..mailer }));
}

fn login(password: &str) -> Option<Credentials> {
    Some(Credentials { username: "postrider".to_owned(), password: SecretString::from(password.to_owned()) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_refuses_the_login_says_nothing_of_the_mail() {
    let options = || CatcherOptions {
        credentials: Some(("postrider".to_owned(), SecretString::from("right"))),
        ..CatcherOptions::default()
    };
    let said = |code, text: &str| Some(Reaction::Reply(code, text.to_owned()));
    for (case, password, reaction, code) in [
        ("a wrong password", Some("wrong"), None, Some(535)),
        ("not now", Some("right"), said(454, "4.7.0 temporary authentication failure"), Some(454)),
        ("too weak", Some("right"), said(534, "5.7.9 too weak"), Some(534)),
        ("it goes away", Some("right"), Some(Reaction::Close), None),
        ("it says nothing", Some("right"), Some(Reaction::Stall), None),
    ] {
        let post = Post::open_to(options(), |relay| {
            hasty(relay);
            relay.credentials = password.and_then(login);
        })
        .await;
        if let Some(reaction) = reaction {
            post.script(move |step| if matches!(step, Step::Auth) { reaction.clone() } else { Reaction::Proceed });
        }
        let runner = post.stage.runner(|_| {});
        let ended = attempt(&post, case).await;
        is_put_off(case, &ended, "auth", code);
        assert_eq!(post.catcher.inbox().received(), 0, "{case}");
        if password == Some("right") {
            post.catcher.set_script(None);
            assert_eq!(resend(&post, &ended.0).await.state, DeliveryState::Sent, "{case}");
        }
        assert_eq!(runner.shut_down().await, 0);
    }
    // Without a login: the relay says so only at MAIL (RFC 4954 §6).
    let post = Post::open_to(options(), hasty).await;
    let runner = post.stage.runner(|_| {});
    is_put_off("no login", &attempt(&post, "no login").await, "mail", Some(530));
    assert_eq!(runner.shut_down().await, 0);
}

/// A certificate for localhost: what a server needs, and what a client believes.
fn certificate() -> (Arc<ServerConfig>, Vec<u8>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), cert.pem().into_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_goes_encrypted_or_not_at_all() {
    let (config, believed) = certificate();
    let (_, other) = certificate();
    let offers = |implicit| Some(CatcherTls { config: Arc::clone(&config), implicit });
    for (case, tls, security, host, roots, ended) in [
        ("STARTTLS", offers(false), Security::StartTls, "localhost", &believed, None),
        ("TLS from the first byte", offers(true), Security::ImplicitTls, "localhost", &believed, None),
        ("nobody vouches for it", offers(false), Security::StartTls, "localhost", &other, Some("connect")),
        ("nor here", offers(true), Security::ImplicitTls, "localhost", &other, Some("connect")),
        ("another name", offers(true), Security::ImplicitTls, "127.0.0.1", &believed, Some("connect")),
        ("no STARTTLS", None, Security::StartTls, "localhost", &believed, Some("ehlo")),
        ("no TLS", None, Security::ImplicitTls, "localhost", &believed, Some("connect")),
    ] {
        let post = Post::open_to(CatcherOptions { tls, ..CatcherOptions::default() }, |relay| {
            (relay.host, relay.security) = (host.to_owned(), security);
            relay.roots = TlsRoots::Pem(roots.clone());
        })
        .await;
        let runner = post.stage.runner(|_| {});
        let got = attempt(&post, case).await;
        match ended {
            Some(phase) => is_put_off(case, &got, phase, None),
            None => assert_eq!(got.0.state, DeliveryState::Sent, "{case}: {:?}", got.1),
        }
        assert_eq!(post.catcher.inbox().received(), u64::from(ended.is_none()), "{case}");
        assert_eq!(runner.shut_down().await, 0);
    }
}

/// A relay that is served by hand, once.
async fn by_hand<F>(serve: impl FnOnce(BufReader<TcpStream>) -> F) -> (SocketAddr, impl Future<Output = F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (addr, async move { serve(BufReader::new(listener.accept().await.unwrap().0)).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_slipped_in_before_the_encryption_is_not_believed() {
    let (_, believed) = certificate();
    let (addr, relay) = by_hand(async |mut stream: BufReader<TcpStream>| {
        let mut line = String::new();
        stream.write_all(b"220 hello\r\n").await.unwrap();
        stream.read_line(&mut line).await.unwrap();
        stream.write_all(b"250-hello\r\n250 STARTTLS\r\n").await.unwrap();
        stream.read_line(&mut line).await.unwrap();
        stream.write_all(b"220 go ahead\r\n250 2.0.0 all of it is taken\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        rest
    })
    .await;
    let mut post = Post::open().await;
    let plain = RelayConfig::plain(addr, &ehlo_name(DEV_DOMAIN));
    let roots = TlsRoots::Pem(believed);
    speak_to(&mut post, RelayConfig { host: "localhost".to_owned(), security: Security::StartTls, roots, ..plain });
    let runner = post.stage.runner(|_| {});
    let (ended, said) = tokio::join!(attempt(&post, "slipped in"), relay);
    is_put_off("slipped in", &ended, "ehlo", None);
    assert!(ended.1.text.as_deref().unwrap().contains("said more after STARTTLS"), "{:?}", ended.1);
    assert_eq!(said, Vec::<u8>::new(), "not a byte after that");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_greeting_is_waited_for_and_one_that_does_not_come_is_not() {
    let post = Post::open_with(|relay| relay.timeouts.greeting = Duration::from_secs(10)).await;
    let greeting = |reaction: Reaction| {
        move |step: &Step<'_>| if matches!(step, Step::Connect { .. }) { reaction.clone() } else { Reaction::Proceed }
    };
    post.script(greeting(Reaction::Delay(Duration::from_millis(400))));
    let runner = post.stage.runner(|_| {});
    assert_eq!(attempt(&post, "slow").await.0.state, DeliveryState::Sent);
    assert_eq!(runner.shut_down().await, 0);

    let post = Post::open_with(hasty).await;
    let runner = post.stage.runner(|_| {});
    for (case, reaction, code) in [
        ("never", Reaction::Stall, None),
        ("busy", Reaction::ReplyThenClose(421, "4.3.2 too many connections".to_owned()), Some(421)),
        ("not for us", Reaction::ReplyThenClose(554, "5.7.1 no SMTP service here".to_owned()), Some(554)),
    ] {
        post.script(greeting(reaction));
        is_put_off(case, &attempt(&post, case).await, "connect", code);
    }
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn greylisting_is_a_wait_and_not_an_end() {
    let post = Post::open().await;
    post.script(|step| match step {
        Step::Rcpt { .. } => Reaction::Reply(450, "4.2.0 greylisted, come back in a minute".to_owned()),
        _ => Reaction::Proceed,
    });
    let runner = post.stage.runner(|_| {});
    let ended = attempt(&post, "greylisted").await;
    is_put_off("greylisted", &ended, "rcpt", Some(450));
    post.catcher.set_script(None);
    let mail = resend(&post, &ended.0).await;
    assert_eq!((mail.state, mail.attempts), (DeliveryState::Sent, 2));
    let (_, attempts) = post.stage.context.store.get_delivery(mail.id).await.unwrap().unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Deferred, AttemptOutcome::Sent]);
    assert_eq!(runner.shut_down().await, 0);
}

/// A relay that says 354 and reads no more than this of the mail, then is silent or goes away.
async fn breaks_off(mut stream: BufReader<TcpStream>, read: usize, close: bool) {
    let mut line = String::new();
    stream.write_all(b"220 hello\r\n").await.unwrap();
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        match line.get(..4).unwrap_or_default() {
            "DATA" => break,
            _ => stream.write_all(b"250 2.0.0 yes\r\n").await.unwrap(),
        }
    }
    stream.write_all(b"354 go on\r\n").await.unwrap();
    stream.read_exact(&mut vec![0; read]).await.unwrap();
    if !close {
        // Until the sender gives up.
        std::future::pending::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_breaks_off_before_its_last_byte_was_surely_not_taken() {
    for (case, close) in [("it goes away", true), ("it reads no further", false)] {
        let (addr, relay) = by_hand(move |stream| breaks_off(stream, 5_000, close)).await;
        let mut post = Post::open().await;
        let mut config = RelayConfig::plain(addr, &ehlo_name(DEV_DOMAIN));
        hasty(&mut config);
        speak_to(&mut post, config);
        let runner = post.stage.runner(|_| {});
        // More than any buffer between takes.
        let sent = post.send_with("zoe@example.com", Category::Booking, |data| {
            data["location"] = json!("a long way ".repeat(1_500_000));
        });
        let serving = tokio::spawn(relay);
        let sent = sent.await;
        // Its job is asked for, and not its row, which is as long as the mail.
        post.stage.until(JobId::from_uuid(sent.job_id), JobState::Scheduled).await;
        let (mail, attempts) = post.stage.context.store.get_delivery(sent.id).await.unwrap().unwrap();
        assert_eq!(mail.state, DeliveryState::Deferred, "{case}: {attempts:?}");
        assert_eq!(attempts[0].phase.as_deref(), Some("body"), "{case}: {attempts:?}");
        serving.abort();
        assert_eq!(runner.shut_down().await, 0);
    }
}
