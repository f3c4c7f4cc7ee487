//! Render, build, sign, send, catch, judge.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use mail::{Locale, Verdict, when};

use crate::lab::{self, Lab};

#[tokio::test]
async fn a_mail_passes_spf_dkim_and_dmarc_through_real_dns_and_smtp() {
    let lab = Lab::new().await;
    let accepted = lab::send(&lab).await.unwrap();
    assert_eq!((accepted.code, accepted.enhanced.as_deref(), accepted.relay.as_str()), (250, Some("2.0.0"), "local"));
    lab.arrived(1).await;
    let mail = &lab.inbox.list()[0];
    assert_eq!((mail.spf, mail.dkim, mail.dmarc), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("bookings@postrider.test", "zoe@example.com"));
    assert_eq!(mail.subject, "Confirmed: Conversational German, level B1 with Jürgen Müller");
    assert_eq!(mail.received_at, lab::start());
    assert_eq!(mail.raw, lab::signed(), "the message arrives as it was sent");
    let unix = |text: Option<String>| text.unwrap().replace("\r\n", "\n").trim_end().to_owned();
    assert_eq!(unix(mail.text()), lab::content().text.trim_end());
    assert_eq!(unix(mail.html()), lab::content().html.trim_end());
    assert!(lab.dns.queries() >= 4, "the verdicts came from the name server");
}

#[tokio::test]
async fn the_mailbox_entry_is_the_json_of_the_contract() {
    let lab = Lab::new().await;
    lab::send(&lab).await.unwrap();
    let json = serde_json::to_value(&*lab.inbox.list()[0]).unwrap();
    insta::assert_json_snapshot!(json);
}

#[tokio::test]
async fn the_hook_runs_once_before_the_message_and_its_no_keeps_everything_back() {
    let lab = Lab::new().await;
    let transport = lab.transport();
    let calls = AtomicUsize::new(0);
    let hook = async || {
        calls.fetch_add(1, Ordering::Relaxed);
        assert_eq!(lab.inbox.received(), 0, "nothing is there yet");
        Err("the lease is lost")
    };
    let error = transport.send(&lab::envelope(), &lab::signed(), hook).await.unwrap_err();
    assert_eq!((error.kind, error.phase), (mail::SendErrorKind::Aborted, mail::SendPhase::Data));
    assert_eq!(error.text, "the lease is lost");
    assert!(!error.is_uncertain() && !error.is_transient() && !error.is_permanent());
    assert_eq!((calls.load(Ordering::Relaxed), transport.idle_connections()), (1, 0));

    transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
    lab.arrived(1).await;
    assert_eq!(lab.inbox.len(), 1, "the aborted one never arrived");
}

#[tokio::test]
async fn a_message_with_dots_in_every_awkward_place_arrives_unchanged() {
    let lab = Lab::new().await;
    let transport = lab.transport();
    let bodies = [".", "..", ".\r\n.", "a\r\n.\r\nb", "a\r\n..b\r\n.c\r\n", "", "\r\n", "\r\n\r\n", "x\r\n\r\n\r\n"];
    for (index, body) in bodies.iter().enumerate() {
        let body = body.strip_suffix("\r\n").unwrap_or(body);
        let message = format!("From: a@postrider.test\r\nSubject: dots\r\n\r\n{body}\r\n");
        transport.send(&lab::envelope(), message.as_bytes(), lab::yes).await.unwrap();
        lab.arrived(index as u64 + 1).await;
        assert_eq!(String::from_utf8_lossy(&lab.inbox.list()[0].raw), message, "body {body:?}");
    }
}

#[test]
fn any_lines_survive_the_stuffing_of_dots() {
    use proptest::prelude::*;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (lab, transport) = runtime.block_on(async {
        let lab = Lab::new().await;
        let transport = lab.transport();
        (lab, transport)
    });
    let lines = proptest::collection::vec("[.a\u{20}]{0,5}", 0..12);
    proptest!(ProptestConfig::with_cases(100), |(lines in lines)| {
        let message = format!("Subject: x\r\n\r\n{}\r\n", lines.join("\r\n"));
        runtime.block_on(transport.send(&lab::envelope(), message.as_bytes(), lab::yes)).unwrap();
        let caught = lab.inbox.list();
        prop_assert_eq!(String::from_utf8_lossy(&caught[0].raw), message);
    });
}

#[tokio::test]
async fn waiting_for_mails_ends_exactly_when_they_are_there() {
    let lab = Lab::new().await;
    let waiting = tokio::spawn({
        let inbox = lab.inbox.clone();
        async move {
            inbox.wait_for(3).await;
            inbox.len()
        }
    });
    let transport = lab.transport();
    for _ in 0..3 {
        transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
    }
    assert_eq!(tokio::time::timeout(lab::SOON, waiting).await.unwrap().unwrap(), 3);
    lab.inbox.clear();
    assert!(lab.inbox.is_empty() && lab.inbox.received() == 3);
}

#[tokio::test]
async fn times_in_a_mail_are_those_of_its_reader() {
    let start: Timestamp = "2026-11-24T16:00:00Z".parse().unwrap();
    let hour = Duration::from_secs(3600);
    assert!(
        when::describe(start, "America/New_York", hour, &Locale::english())
            .unwrap()
            .contains("11:00–12:00 (America/New_York, EST)")
    );
    assert!(
        when::describe(start, "Europe/Berlin", hour, &Locale::english())
            .unwrap()
            .contains("17:00–18:00 (Europe/Berlin, CET)")
    );
}
