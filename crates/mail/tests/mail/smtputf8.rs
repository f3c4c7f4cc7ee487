//! Addresses beyond ASCII (RFC 6531): carried as they are where the relay takes them, and never in another form.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mail::catcher::{CatcherOffers, Step};
use mail::{CatcherOptions, DkimSigner, Draft, Envelope, Mailbox, MessageId, SendErrorKind, SendPhase, Verdict};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::lab::{self, Lab, SELECTOR};

const READER: &str = "jürgen@example.com";

fn to(addresses: &[&str]) -> Vec<Mailbox> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

/// A signed mail to these people, to be sent to the first of them.
fn signed(people: &[&str]) -> (Envelope, Vec<u8>) {
    let people = to(people);
    let first = people[0].address().clone();
    let id = MessageId::for_delivery("dlv1", "postrider.test").unwrap();
    let (sender, content) = (lab::sender(), lab::content());
    let plain = Draft::new(&sender, &people, &content, &id, lab::start(), "dlv1");
    let message = Draft { utf8: !first.is_ascii(), ..plain }.build().unwrap();
    let signer = DkimSigner::new(lab::key(), "postrider.test", SELECTOR).unwrap();
    (Envelope { to: first, ..lab::envelope() }, signer.sign(&message, lab::start()).unwrap())
}

fn without_utf8() -> CatcherOptions {
    CatcherOptions { offers: CatcherOffers { utf8: false, ..CatcherOffers::default() }, ..CatcherOptions::default() }
}

#[tokio::test]
async fn an_address_beyond_ascii_arrives_as_it_is_and_the_mail_verifies() {
    for pipelining in [true, false] {
        let offers = CatcherOffers { pipelining, ..CatcherOffers::default() };
        let lab = Lab::with(CatcherOptions { offers, ..CatcherOptions::default() }).await;
        let (envelope, message) = signed(&["Jürgen <ju\u{308}rgen@Example.com>", "zoe@example.com"]);
        lab.transport().send(&envelope, &message, lab::yes).await.unwrap();
        let caught = lab.inbox.list().remove(0);
        assert_eq!((caught.to.as_str(), caught.rcpt_to.as_slice()), (READER, &[READER.to_owned()][..]));
        assert_eq!((caught.spf, caught.dkim, caught.dmarc), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
        let head = String::from_utf8(caught.raw.clone()).unwrap();
        let head = head.split("\r\n\r\n").next().unwrap();
        assert!(head.contains(&format!("<{READER}>")), "{head}");
    }
}

#[tokio::test]
async fn a_relay_that_does_not_take_it_is_not_asked_and_the_reason_is_told() {
    let lab = Lab::with(without_utf8()).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    lab.script(move |step| {
        if matches!(step, Step::Mail { .. } | Step::Rcpt { .. }) {
            notes.lock().unwrap().push(format!("{step:?}"));
        }
        None
    });
    let (envelope, message) = signed(&[READER]);
    let error = lab.transport().send(&envelope, &message, lab::yes).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (SendPhase::Mail, SendErrorKind::Beyond));
    assert_eq!((error.code, error.enhanced.as_deref()), (None, Some("5.6.7")));
    assert!(error.is_permanent() && error.text.contains("SMTPUTF8"), "{error}");
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new(), "nothing was said of anybody");
    assert_eq!(lab.inbox.received(), 0);
}

#[tokio::test]
async fn a_reader_in_ascii_gets_their_copy_whoever_else_was_written_to() {
    let lab = Lab::with(without_utf8()).await;
    let (envelope, message) = signed(&["zoe@example.com", "Jürgen <jürgen@example.com>", "用户@例子.广告"]);
    assert!(message.is_ascii());
    lab.transport().send(&envelope, &message, lab::yes).await.unwrap();
    let caught = lab.inbox.list().remove(0);
    assert_eq!((caught.dkim, caught.to.as_str()), (Verdict::Pass, "zoe@example.com"));
}

#[test]
fn where_an_answer_must_be_possible_such_an_address_is_refused() {
    let (people, answers) = (to(&[READER]), to(&[READER]));
    let id = MessageId::for_delivery("dlv1", "postrider.test").unwrap();
    let (sender, content) = (lab::sender(), lab::content());
    let draft = Draft { reply_to: &answers, ..Draft::new(&sender, &people, &content, &id, lab::start(), "dlv1") };
    assert!(draft.build().is_err());
}

/// Says these lines to a catcher; the codes that it answers with.
async fn codes(addr: SocketAddr, lines: &[&str]) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(addr).await.unwrap());
    let mut codes = Vec::new();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    for said in lines {
        stream.write_all(format!("{said}\r\n").as_bytes()).await.unwrap();
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        codes.push(line.split(' ').take(2).collect::<Vec<_>>().join(" "));
    }
    codes
}

#[tokio::test]
async fn the_catcher_takes_what_rfc_6531_allows_and_nothing_else() {
    let from = "MAIL FROM:<a@postrider.test>";
    let utf8 = format!("{from} SMTPUTF8");
    let (rcpt, message) = (format!("RCPT TO:<{READER}>"), format!("To: {READER}\r\n\r\nx\r\n."));
    let lab = Lab::new().await;
    let said =
        codes(lab.catcher.addr(), &["EHLO x.test", from, &rcpt, "RCPT TO:<zoe@example.com>", "DATA", &message]).await;
    assert_eq!(said[1..], ["250 2.1.0", "553 5.6.7", "250 2.1.5", "354 go", "554 5.6.7"]);
    let said = codes(lab.catcher.addr(), &["EHLO x.test", &utf8, &rcpt, "DATA", &message]).await;
    assert_eq!(said[1..4], ["250 2.1.0", "250 2.1.5", "354 go"]);
    assert!(said[4].starts_with("250"), "{said:?}");
    let said =
        codes(lab.catcher.addr(), &["EHLO x.test", &format!("MAIL FROM:<{READER}>"), &format!("{utf8}=1")]).await;
    assert_eq!(said[1..], ["553 5.6.7", "555 5.5.4"]);
    let plain = Lab::with(without_utf8()).await;
    assert_eq!(codes(plain.catcher.addr(), &["EHLO x.test", &utf8]).await[1..], ["555 5.5.4"]);
}
