//! Connections: kept when they are clean, dropped when there is doubt, never more than allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mail::catcher::{Reaction, Step};
use mail::{CatcherOptions, Credentials, RelayConfig, Security, SendErrorKind, SendPhase, SmtpTransport, Timeouts};
use secrecy::SecretString;

use crate::lab::{self, Lab};

/// Counts connections and the most that there were before a DATA ended.
fn counting(lab: &Lab) -> Arc<AtomicUsize> {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    lab.script(move |step| {
        if matches!(step, Step::Connect { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    connections
}

async fn send(transport: &SmtpTransport) {
    transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let lab = Lab::new().await;
    let connections = counting(&lab);
    let transport = lab.transport();
    for _ in 0..20 {
        send(&transport).await;
    }
    assert_eq!((connections.load(Ordering::Relaxed), transport.idle_connections()), (1, 1));
    lab.arrived(20).await;
}

#[tokio::test]
async fn a_connection_is_replaced_after_its_number_of_messages() {
    let lab = Lab::new().await;
    let connections = counting(&lab);
    let transport = SmtpTransport::new(RelayConfig { max_messages_per_connection: 3, ..lab.relay() }).unwrap();
    for _ in 0..9 {
        send(&transport).await;
    }
    assert_eq!((connections.load(Ordering::Relaxed), transport.idle_connections()), (3, 0));
}

#[tokio::test]
async fn a_cancelled_send_drops_its_connection() {
    let lab = Lab::new().await;
    let transport = lab.transport();
    send(&transport).await;
    lab.script(|step| matches!(step, Step::Rcpt { .. }).then_some(Reaction::Stall));
    let cancelled =
        tokio::time::timeout(Duration::from_millis(50), transport.send(&lab::envelope(), &lab::signed(), lab::yes))
            .await;
    assert!(cancelled.is_err());
    assert_eq!(transport.idle_connections(), 0, "its RCPT was never answered");
    lab.catcher.set_script(None);
    send(&transport).await;
    lab.arrived(2).await;
}

#[tokio::test]
async fn a_connection_that_died_while_it_was_idle_is_replaced_silently() {
    let lab = Lab::with(CatcherOptions { idle_timeout: Duration::from_millis(40), ..CatcherOptions::default() }).await;
    let transport = lab.transport();
    let connections = counting(&lab);
    send(&transport).await;
    // The catcher says 421 and closes; the transport has not looked.
    while lab.catcher.connections() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(transport.idle_connections(), 1);
    send(&transport).await;
    assert_eq!((connections.load(Ordering::Relaxed), lab.inbox.received()), (2, 2));
}

#[tokio::test]
async fn the_limit_on_connections_holds_and_all_mails_arrive() {
    let lab = Lab::new().await;
    let connections = counting(&lab);
    let transport = SmtpTransport::new(RelayConfig { max_connections: 4, ..lab.relay() }).unwrap();
    let message = Arc::new(lab::signed());
    let sends = (0..60).map(|_| {
        let (transport, message) = (transport.clone(), Arc::clone(&message));
        tokio::spawn(async move { transport.send(&lab::envelope(), &message, lab::yes).await })
    });
    for sent in futures::future::join_all(sends).await {
        sent.unwrap().unwrap();
    }
    assert!(connections.load(Ordering::Relaxed) <= 4);
    lab.arrived(60).await;
    assert_eq!(transport.idle_connections(), connections.load(Ordering::Relaxed));
}

#[tokio::test]
async fn who_waits_for_a_connection_is_told_that_none_was_free_in_time() {
    let lab = Lab::new().await;
    let at_the_dot = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&at_the_dot);
    lab.script(move |step| {
        matches!(step, Step::Dot { .. }).then(|| {
            counter.fetch_add(1, Ordering::Relaxed);
            Reaction::Stall
        })
    });
    let limit = Duration::from_millis(250);
    let timeouts = Timeouts { connect: limit, greeting: limit, command: limit, data: limit, ..Timeouts::default() };
    let config = RelayConfig { max_connections: 1, timeouts, ..lab.relay() };
    let transport = SmtpTransport::new(config).unwrap();
    assert_eq!((timeouts.until_data(), transport.patience()), (limit * 12, limit * 24));
    // The relay filters the content of this one, and takes its time for it.
    let send =
        |transport: SmtpTransport| async move { transport.send(&lab::envelope(), &lab::signed(), lab::yes).await };
    let mut filtered = tokio::spawn(send(transport.clone()));
    while at_the_dot.load(Ordering::Relaxed) == 0 {
        // On a busy machine it may not get that far within the limit.
        if filtered.is_finished() {
            filtered = tokio::spawn(send(transport.clone()));
        }
        tokio::task::yield_now().await;
    }
    let error = send(transport).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (SendPhase::Connect, SendErrorKind::Timeout));
    assert!(error.is_about_the_relay() && error.text.contains("no connection"), "{error}");
    filtered.abort();
}

#[tokio::test]
async fn unused_connections_are_closed_after_their_time_and_at_shutdown() {
    let lab = Lab::new().await;
    let transport = SmtpTransport::new(RelayConfig { max_idle: Duration::from_millis(30), ..lab.relay() }).unwrap();
    send(&transport).await;
    while transport.idle_connections() > 0 || lab.catcher.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let transport = lab.transport();
    send(&transport).await;
    transport.close_idle().await;
    assert_eq!(transport.idle_connections(), 0);
}

fn with_login(lab: &Lab, password: &str) -> SmtpTransport {
    let credentials = Credentials { username: "postrider".to_owned(), password: SecretString::from(password) };
    SmtpTransport::new(RelayConfig { credentials: Some(credentials), ..lab.relay() }).unwrap()
}

#[tokio::test]
async fn a_relay_that_wants_a_password_gets_it() {
    let credentials = Some(("postrider".to_owned(), SecretString::from("päss word")));
    let lab = Lab::with(CatcherOptions { credentials, ..CatcherOptions::default() }).await;
    send(&with_login(&lab, "päss word")).await;
    let wrong = with_login(&lab, "guess").send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!((wrong.phase, wrong.kind, wrong.code), (SendPhase::Auth, SendErrorKind::Permanent, Some(535)));
    let none = lab.transport().send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!((none.phase, none.code), (SendPhase::Mail, Some(530)));
    assert!(!format!("{wrong:?} {:?}", with_login(&lab, "guess")).contains("guess"), "no password in what is logged");
}

#[test]
fn a_configuration_that_would_leak_or_cannot_work_is_refused() {
    let plain = RelayConfig::plain("192.0.2.1:25".parse().unwrap(), "mail.postrider.test");
    let credentials = Some(Credentials { username: "u".to_owned(), password: SecretString::from("p") });
    let refused = [
        RelayConfig { credentials: credentials.clone(), ..plain.clone() },
        RelayConfig { ehlo_name: "bad name".to_owned(), ..plain.clone() },
        RelayConfig { ehlo_name: "x\r\nMAIL FROM:<a@b.test>".to_owned(), ..plain.clone() },
        RelayConfig { max_connections: 0, ..plain.clone() },
        RelayConfig { security: Security::StartTls, roots: mail::TlsRoots::Pem(Vec::new()), ..plain.clone() },
    ];
    for config in refused {
        assert!(SmtpTransport::new(config.clone()).is_err(), "{config:?}");
    }
    assert!(SmtpTransport::new(RelayConfig { credentials, host: "127.0.0.1".to_owned(), ..plain }).is_ok());
}
