//! Every way in which a relay can fail, at every step, and what the sender is told.

use std::time::Duration;

use mail::catcher::{Reaction, Step};
use mail::{CatcherOptions, SendError, SendErrorKind, SendPhase, SmtpTransport, Timeouts};

use crate::lab::{self, Lab};

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

/// Sends once over a fresh transport, to a relay that reacts so at `at`.
async fn failing(lab: &Lab, at: SendPhase, reaction: Reaction) -> SendError {
    let transport = if matches!(reaction, Reaction::Stall) { hasty(lab) } else { lab.transport() };
    lab.script(move |step| (phase(step) == at).then(|| reaction.clone()));
    let error = transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!(transport.idle_connections(), 0, "a connection that failed is not kept");
    assert_eq!(error.phase, at, "{error}");
    error
}

/// A transport whose limits are short, and longer than a busy machine takes to answer.
fn hasty(lab: &Lab) -> SmtpTransport {
    let limit = Duration::from_secs(2);
    let mut relay = lab.relay();
    relay.timeouts = Timeouts { connect: limit, greeting: limit, command: limit, data: limit, body: limit, dot: limit };
    SmtpTransport::new(relay).unwrap()
}

fn reply(code: u16, text: &str) -> Reaction {
    Reaction::Reply(code, text.to_owned())
}

#[tokio::test]
async fn a_temporary_refusal_at_any_step_is_transient() {
    let lab = Lab::new().await;
    for at in PHASES {
        let error = failing(&lab, at, reply(451, "4.7.1 greylisted, come back")).await;
        assert_eq!(error.kind, SendErrorKind::Transient, "{at}");
        assert_eq!(
            (error.code, error.enhanced.as_deref(), error.text.as_str()),
            (Some(451), Some("4.7.1"), "greylisted, come back"),
            "{at}"
        );
        assert!(error.is_transient() && !error.is_permanent() && !error.is_uncertain(), "{at}");
    }
    assert_eq!(lab.inbox.received(), 0);
}

#[tokio::test]
async fn a_permanent_refusal_is_permanent_once_it_is_about_the_mail() {
    let lab = Lab::new().await;
    for at in PHASES {
        let error = failing(&lab, at, reply(550, "5.1.1 no such user")).await;
        assert_eq!(error.kind, SendErrorKind::Permanent, "{at}");
        assert_eq!((error.code, error.enhanced.as_deref()), (Some(550), Some("5.1.1")), "{at}");
        // Before MAIL it is about the relay, and every mail would be lost with it.
        assert_eq!(error.is_permanent(), at >= SendPhase::Mail, "{at}");
        assert_eq!(error.is_transient(), at < SendPhase::Mail, "{at}");
        assert!(!error.is_uncertain(), "{at}");
    }
}

#[tokio::test]
async fn a_connection_that_closes_is_a_network_failure_and_uncertain_only_after_the_dot() {
    let lab = Lab::new().await;
    for at in PHASES {
        let error = failing(&lab, at, Reaction::Close).await;
        assert_eq!((error.kind, error.code), (SendErrorKind::Network, None), "{at}: {error}");
        assert_eq!(error.is_uncertain(), at == SendPhase::Dot, "{at}");
        assert_eq!(error.is_transient(), at != SendPhase::Dot, "{at}");
    }
    assert_eq!(lab.inbox.received(), 0);
}

#[tokio::test]
async fn silence_is_a_timeout_and_uncertain_only_after_the_dot() {
    let lab = Lab::new().await;
    for at in PHASES {
        let error = failing(&lab, at, Reaction::Stall).await;
        assert_eq!((error.kind, error.code), (SendErrorKind::Timeout, None), "{at}: {error}");
        assert_eq!(error.is_uncertain(), at == SendPhase::Dot, "{at}");
    }
    assert_eq!(lab.inbox.received(), 0);
}

#[tokio::test]
async fn a_mail_that_was_taken_without_a_word_is_uncertain_and_not_lost() {
    let lab = Lab::new().await;
    let error = failing(&lab, SendPhase::Dot, Reaction::AcceptThenClose).await;
    assert!(error.is_uncertain());
    lab.arrived(1).await;
}

#[tokio::test]
async fn the_hook_has_run_exactly_when_the_failure_is_after_the_354() {
    let lab = Lab::new().await;
    for at in PHASES {
        lab.script(move |step| (phase(step) == at).then(|| reply(450, "4.0.0 no")));
        let ran = std::sync::atomic::AtomicBool::new(false);
        let hook = async || {
            ran.store(true, std::sync::atomic::Ordering::Relaxed);
            lab::yes().await
        };
        lab.transport().send(&lab::envelope(), &lab::signed(), hook).await.unwrap_err();
        assert_eq!(ran.into_inner(), at == SendPhase::Dot, "{at}");
    }
}

/// More than the kernel's buffers take, so that writing has to wait for the relay to read.
fn large() -> Vec<u8> {
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    message.extend(format!("{}\r\n", "x".repeat(900)).repeat(20_000).into_bytes());
    message
}

#[tokio::test]
async fn a_failure_inside_the_body_is_certain_because_the_dot_was_never_written() {
    let lab = Lab::new().await;
    for (reaction, kind) in [
        (Reaction::ReplyThenStall(354, "go on".to_owned()), SendErrorKind::Timeout),
        (Reaction::ReplyThenClose(354, "go on".to_owned()), SendErrorKind::Network),
    ] {
        lab.script(move |step| matches!(step, Step::Data).then(|| reaction.clone()));
        let error = hasty(&lab).send(&lab::envelope(), &large(), lab::yes).await.unwrap_err();
        assert_eq!((error.phase, error.kind), (SendPhase::Body, kind), "{error}");
        assert!(!error.is_uncertain() && error.is_transient());
    }
}

#[tokio::test]
async fn an_answer_that_does_not_belong_there_is_a_protocol_failure() {
    let lab = Lab::new().await;
    for (at, code) in [(SendPhase::Mail, 354), (SendPhase::Rcpt, 354), (SendPhase::Data, 250)] {
        let error = failing(&lab, at, reply(code, "what?")).await;
        assert_eq!(error.kind, SendErrorKind::Protocol, "{at}");
        assert!(error.is_transient());
    }
    let error = failing(&lab, SendPhase::Dot, reply(354, "more?")).await;
    assert_eq!(error.kind, SendErrorKind::Protocol);
    assert!(error.is_uncertain(), "354 after the dot says neither yes nor no");
    let error = failing(&lab, SendPhase::Mail, reply(999, "?")).await;
    assert_eq!(error.kind, SendErrorKind::Protocol);
}

#[tokio::test]
async fn a_reply_of_many_lines_is_read_whole() {
    let lab = Lab::new().await;
    let error = failing(&lab, SendPhase::Rcpt, reply(550, "first\r\n550 5.9.9 second")).await;
    assert_eq!((error.code, error.text.as_str()), (Some(550), "first"), "two replies: only the first is the answer");
}

#[tokio::test]
async fn an_endless_reply_does_not_fill_the_memory() {
    let lab = Lab::new().await;
    let error = failing(&lab, SendPhase::Ehlo, reply(250, &"x".repeat(1 << 20))).await;
    assert!(matches!(error.kind, SendErrorKind::Network | SendErrorKind::Protocol), "{error}");
}

#[tokio::test]
async fn a_message_that_the_relay_cannot_carry_is_refused_before_it_is_sent() {
    let lab = Lab::with(CatcherOptions { max_message: 1000, ..CatcherOptions::default() }).await;
    let error = lab.transport().send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!((error.phase, error.kind, error.code), (SendPhase::Mail, SendErrorKind::Beyond, None));
    assert_eq!(
        (error.enhanced.as_deref(), error.is_permanent(), error.is_beyond_the_relay()),
        (Some("5.3.4"), true, true)
    );
    lab.transport().send(&lab::envelope(), "Subject: x\r\n\r\ngrün\r\n".as_bytes(), lab::yes).await.unwrap();
    assert_eq!(lab.inbox.received(), 1, "8BITMIME is offered, so eight bits are sent");
}

#[tokio::test]
async fn nobody_there_is_a_network_failure_of_connecting() {
    let lab = Lab::new().await;
    let transport = lab.transport();
    lab.catcher.shutdown().await;
    let error = transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (SendPhase::Connect, SendErrorKind::Network));
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_slow_relay_within_the_limits_is_waited_for() {
    let lab = Lab::new().await;
    lab.script(|_| Some(Reaction::Delay(Duration::from_millis(20))));
    hasty(&lab).send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
}

#[tokio::test]
async fn each_limit_counts_for_its_own_step_only() {
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
    let patient = Timeouts { connect: long, greeting: long, command: long, data: long, body: long, dot: long };
    let lab = Lab::new().await;
    for (at, timeouts) in [
        (SendPhase::Connect, Timeouts { greeting: short, ..patient }),
        (SendPhase::Ehlo, Timeouts { command: short, ..patient }),
        (SendPhase::Rcpt, Timeouts { command: short, ..patient }),
        (SendPhase::Data, Timeouts { data: short, ..patient }),
        (SendPhase::Dot, Timeouts { dot: short, ..patient }),
    ] {
        lab.script(move |step| (phase(step) == at).then_some(Reaction::Stall));
        let transport = SmtpTransport::new(mail::RelayConfig { timeouts, ..lab.relay() }).unwrap();
        let error = transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
        assert_eq!((error.phase, error.kind), (at, SendErrorKind::Timeout));
    }
    // A slow answer to the dot is not a slow body.
    lab.script(move |step| matches!(step, Step::Dot { .. }).then_some(Reaction::Delay(short * 2)));
    let timeouts = Timeouts { body: short, ..patient };
    let transport = SmtpTransport::new(mail::RelayConfig { timeouts, ..lab.relay() }).unwrap();
    transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
    transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
}
