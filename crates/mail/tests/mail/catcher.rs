//! The catcher's SMTP, spoken to by hand.

use std::time::Duration;

use mail::CatcherOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::lab::{Lab, SOON};

struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects and reads the greeting.
    async fn connect(lab: &Lab) -> Self {
        let mut client = Self::connect_silently(lab).await;
        assert_eq!(client.reply().await.0, 220);
        client
    }

    async fn connect_silently(lab: &Lab) -> Self {
        Self(BufReader::new(TcpStream::connect(lab.catcher.addr()).await.unwrap()))
    }

    async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).await.unwrap();
    }

    /// One reply: its code and its lines.
    async fn reply(&mut self) -> (u16, Vec<String>) {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            tokio::time::timeout(SOON, self.0.read_line(&mut line)).await.unwrap().unwrap();
            assert!(line.ends_with("\r\n"), "no whole reply: {line:?} after {lines:?}");
            let last = line.as_bytes()[3] == b' ';
            lines.push(line[4..].trim_end().to_owned());
            if last {
                return (line[..3].parse().unwrap(), lines);
            }
        }
    }

    /// Sends a command and gives the code of the reply.
    async fn say(&mut self, command: &str) -> u16 {
        self.write(format!("{command}\r\n")).await;
        self.reply().await.0
    }

    /// EHLO, MAIL, RCPT, DATA.
    async fn up_to_data(&mut self) {
        for (command, code) in [
            ("EHLO mail.postrider.test", 250),
            ("MAIL FROM:<a@postrider.test>", 250),
            ("RCPT TO:<b@example.com>", 250),
            ("DATA", 354),
        ] {
            assert_eq!(self.say(command).await, code, "{command}");
        }
    }

    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        // A reset is an end too.
        tokio::time::timeout(SOON, self.0.read_to_end(&mut rest)).await.unwrap().is_err() || rest.is_empty()
    }
}

#[tokio::test]
async fn a_session_goes_as_the_rfc_has_it() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    client.write("EHLO mail.postrider.test\r\n").await;
    let (code, offers) = client.reply().await;
    assert_eq!(code, 250);
    assert_eq!(offers[1..], ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 26214400", "ENHANCEDSTATUSCODES"]);
    assert_eq!(client.say("mail from:<A@Postrider.Test> size=100 body=8bitmime").await, 250);
    assert_eq!(client.say("RCPT TO:<b@example.com>").await, 250);
    assert_eq!(client.say("rcpt to:<c@example.com>").await, 250);
    assert_eq!(client.say("DATA").await, 354);
    assert_eq!(
        client.say("From: A <a@postrider.test>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n\r\n..one\r\ntwo\r\n.").await,
        250
    );
    let mail = &lab.inbox.list()[0];
    assert_eq!(mail.raw, b"From: A <a@postrider.test>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n\r\n.one\r\ntwo\r\n");
    assert_eq!(
        (mail.from.as_str(), mail.to.as_str(), mail.subject.as_str()),
        ("a@postrider.test", "b@example.com, c@example.com", "grün")
    );
    assert_eq!(mail.mail_from.as_deref(), Some("A@postrider.test"));
    assert_eq!((client.say("NOOP").await, client.say("VRFY b").await, client.say("HELP").await), (250, 252, 214));
    assert_eq!(client.say("QUIT").await, 221);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn helo_is_enough_and_an_empty_sender_is_a_bounce() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    for (command, code) in [
        ("HELO mail.postrider.test", 250),
        ("MAIL FROM:<>", 250),
        ("RCPT TO:<b@example.com>", 250),
        ("DATA", 354),
        (".", 250),
    ] {
        assert_eq!(client.say(command).await, code, "{command}");
    }
    let mail = &lab.inbox.list()[0];
    assert_eq!((mail.mail_from.as_deref(), mail.from.as_str(), mail.raw.len()), (None, "", 0));
}

#[tokio::test]
async fn commands_out_of_order_are_refused_and_change_nothing() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    assert_eq!(client.say("MAIL FROM:<a@postrider.test>").await, 503);
    assert_eq!(client.say("EHLO x.test").await, 250);
    assert_eq!(client.say("RCPT TO:<b@example.com>").await, 503);
    assert_eq!(client.say("DATA").await, 503);
    assert_eq!(client.say("MAIL FROM:<a@postrider.test>").await, 250);
    assert_eq!(client.say("MAIL FROM:<a@postrider.test>").await, 503);
    assert_eq!(client.say("DATA").await, 554, "no recipients");
    assert_eq!(client.say("RSET").await, 250);
    assert_eq!(client.say("RCPT TO:<b@example.com>").await, 503, "RSET has forgotten the sender");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_fitting_code() {
    let lab = Lab::new().await;
    let cases = [
        ("HELLO x", 500),
        ("", 500),
        ("EHLO", 501),
        ("EHLO a b", 501),
        ("DATA now", 501),
        ("EXPN x", 502),
        ("BDAT 3 LAST", 502),
        ("STARTTLS", 502),
        ("AUTH PLAIN", 502),
        ("MAIL", 501),
        ("MAIL FROM:a@b.test", 501),
        ("MAIL FROM:<a@b.test", 501),
        ("MAIL FROM:<a@b.test>x", 501),
        ("MAIL FROM:<nobody>", 553),
        ("MAIL FROM:<jürgen@b.test>", 553),
        ("MAIL FROM:<a@b.test> SMTPUTF8=1", 555),
        ("MAIL FROM:<a@b.test> BODY=BINARYMIME", 555),
        ("MAIL FROM:<a@b.test> SIZE=x", 501),
        ("MAIL FROM:<a@b.test> SIZE=99999999", 552),
        ("RCPT TO:<a@b.test> NOTIFY=NEVER", 555),
        ("RCPT TO:<>", 553),
        ("RCPT TO:<@relay.test:a@b.test>", 553),
    ];
    for (command, code) in cases {
        let mut client = Client::connect(&lab).await;
        client.say("EHLO x.test").await;
        assert_eq!(client.say(command).await, code, "{command}");
    }
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    let mail = "MAIL FROM:<a@postrider.test>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\n";
    client.write(format!("EHLO x.test\r\n{mail}{mail}QUIT\r\n")).await;
    let mut codes = Vec::new();
    for _ in 0..10 {
        codes.push(client.reply().await.0);
    }
    assert_eq!(codes, [250, 250, 250, 354, 250, 250, 250, 354, 250, 221]);
    assert_eq!(lab.inbox.len(), 2);
}

#[tokio::test]
async fn a_second_mail_cannot_be_smuggled_in_behind_a_false_end() {
    let lab = Lab::new().await;
    let second =
        "MAIL FROM:<boss@postrider.test>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: forged\r\n\r\nx\r\n.\r\n";
    for false_end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\r\n.\r\n"] {
        let mut client = Client::connect(&lab).await;
        client.up_to_data().await;
        client.write(format!("Subject: outer\r\n\r\nbody{false_end}{second}\r\n.\r\n")).await;
        assert_eq!(client.reply().await.0, 521, "{false_end:?}");
        assert!(client.is_closed().await, "{false_end:?}");
    }
    assert_eq!(lab.inbox.received(), 0, "neither the outer nor the inner mail was taken");
}

#[tokio::test]
async fn a_bare_line_end_in_a_command_ends_the_session() {
    let lab = Lab::new().await;
    for line in ["EHLO x.test\n", "EHLO x\r.test\r\n"] {
        let mut client = Client::connect(&lab).await;
        client.write(line).await;
        assert_eq!(client.reply().await.0, 521, "{line:?}");
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn long_lines_and_large_messages_are_refused_and_the_session_goes_on() {
    let lab = Lab::with(CatcherOptions { max_message: 4000, ..CatcherOptions::default() }).await;
    let mut client = Client::connect(&lab).await;
    client.up_to_data().await;
    client.write(format!("Subject: x\r\n\r\n{}\r\n.\r\n", "y".repeat(999))).await;
    assert_eq!(client.reply().await.0, 554, "a line of 1001 octets");
    client.up_to_data().await;
    client.write(format!("Subject: x\r\n\r\n{}.\r\n", format!("{}\r\n", "y".repeat(900)).repeat(5))).await;
    assert_eq!(client.reply().await.0, 552, "more than 4000 octets");
    client.up_to_data().await;
    client.write(format!("Subject: x\r\n\r\n{}\r\n.\r\n", "y".repeat(998))).await;
    assert_eq!(client.reply().await.0, 250, "exactly 1000 octets with CRLF");
    client.write(format!("NOOP {}\r\n", "z".repeat(20_000))).await;
    assert_eq!(client.reply().await.0, 500);
    assert_eq!(client.say("MAIL FROM:<a@postrider.test> SIZE=5000").await, 552);
    assert_eq!(lab.inbox.received(), 1);
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_back() {
    let lab = Lab::with(CatcherOptions { max_connections: 2, ..CatcherOptions::default() }).await;
    let _first = Client::connect(&lab).await;
    let second = Client::connect(&lab).await;
    let mut third = Client::connect_silently(&lab).await;
    assert_eq!(third.reply().await.0, 421);
    assert!(third.is_closed().await);
    let mut second = second;
    assert_eq!(second.say("QUIT").await, 221);
    assert!(second.is_closed().await);
    // The place is given back when the session's task ends, a moment after the client sees the close.
    let mut next = Client::connect_silently(&lab).await;
    while next.reply().await.0 == 421 {
        next = Client::connect_silently(&lab).await;
    }
    assert_eq!(next.say("NOOP").await, 250);
}

#[tokio::test]
async fn a_silent_client_is_sent_away() {
    let lab = Lab::with(CatcherOptions { idle_timeout: Duration::from_millis(50), ..CatcherOptions::default() }).await;
    let mut client = Client::connect(&lab).await;
    assert_eq!(client.reply().await.0, 421);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn too_many_errors_end_the_session() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    for _ in 0..20 {
        assert_eq!(client.say("WHAT").await, 500);
    }
    assert_eq!(client.reply().await.0, 421);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_message_leaves_nothing() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    client.up_to_data().await;
    client.write("Subject: half\r\n\r\nno end").await;
    drop(client);
    let mut other = Client::connect(&lab).await;
    other.up_to_data().await;
    other.write("Subject: whole\r\n\r\nx\r\n.\r\n").await;
    assert_eq!(other.reply().await.0, 250);
    assert_eq!(lab.inbox.list().iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(), ["whole"]);
}

#[tokio::test]
async fn the_ring_keeps_the_newest_by_number_and_by_size() {
    let lab = Lab::with(CatcherOptions { max_mails: 3, max_bytes: 2000, ..CatcherOptions::default() }).await;
    let mut client = Client::connect(&lab).await;
    let subjects = || lab.inbox.list().iter().map(|mail| mail.subject.clone()).collect::<Vec<_>>();
    for index in 0..5 {
        client.up_to_data().await;
        assert_eq!(client.say(&format!("Subject: {index}\r\n\r\nx\r\n.")).await, 250);
    }
    assert_eq!(subjects(), ["4", "3", "2"], "newest first");
    client.up_to_data().await;
    assert_eq!(
        client.say(&format!("Subject: big\r\n\r\n{}\r\n.", format!("{}\r\n", "y".repeat(900)).repeat(2))).await,
        250
    );
    assert_eq!(subjects(), ["big", "4", "3"]);
    client.up_to_data().await;
    assert_eq!(
        client.say(&format!("Subject: bigger\r\n\r\n{}\r\n.", format!("{}\r\n", "y".repeat(900)).repeat(2))).await,
        250
    );
    assert_eq!(subjects(), ["bigger"], "both together are over 2000 octets");
    let mail = &lab.inbox.list()[0];
    assert_eq!(lab.inbox.get(&mail.id).unwrap().subject, "bigger");
    assert!(lab.inbox.get("1").is_none() && lab.inbox.get("nonsense").is_none());
    assert_eq!(lab.inbox.received(), 7);
}

#[tokio::test]
async fn shutting_down_ends_every_session_and_frees_the_port() {
    let lab = Lab::new().await;
    let mut client = Client::connect(&lab).await;
    tokio::time::timeout(SOON, lab.catcher.shutdown()).await.unwrap();
    assert!(client.is_closed().await);
    assert!(TcpStream::connect(lab.catcher.addr()).await.is_err());
}
