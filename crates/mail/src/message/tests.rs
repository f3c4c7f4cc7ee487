//! What a built message looks like on the wire.

use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;

use super::*;
use crate::address::{EmailAddress, Mailbox};
use crate::calendar::{Invite, Method, Person};
use crate::render::Rendered;
use crate::sender::SenderProfile;

fn sender() -> SenderProfile {
    SenderProfile {
        key: "bookings".to_owned(),
        address: EmailAddress::parse("bookings@postrider.test").unwrap(),
        display_name: Some("Café Bookings".to_owned()),
        reply_to: Some(EmailAddress::parse("help@postrider.test").unwrap()),
        dkim_selector: "dev".to_owned(),
    }
}

fn content() -> Rendered {
    Rendered {
        subject: "Confirmed: Conversational German with Jürgen Müller".to_owned(),
        text: format!("Hi Zoë,\n.\n.starts with a dot\nFrom here on\n{}\n", "long ".repeat(400)),
        html: format!("<p>Zoë</p>{}", "x".repeat(3000)),
    }
}

fn build_to(name: Option<&str>, address: &str, content: &Rendered) -> Result<Vec<u8>, MessageError> {
    let to = Mailbox::new(name, EmailAddress::parse(address).unwrap()).unwrap();
    let message_id = MessageId::for_delivery("dlv_0195", "postrider.test").unwrap();
    let date = "2026-11-23T08:00:00.123Z".parse().unwrap();
    Draft::new(&sender(), &[to], content, &message_id, date, "dlv_0195").build()
}

fn built() -> Vec<u8> {
    build_to(Some("Zoë Fernández, MA"), "zoe@example.com", &content()).unwrap()
}

#[test]
fn the_headers_are_complete_and_read_back_as_given() {
    let bytes = built();
    let head = String::from_utf8(bytes.clone()).unwrap();
    insta::assert_snapshot!(head.split("\r\n\r\n").next().unwrap().replace("\r\n", "\n"));
    let message = MessageParser::default().parse(&bytes).unwrap();
    let from = message.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("Café Bookings"), Some("bookings@postrider.test")));
    let to = message.to().unwrap().first().unwrap();
    assert_eq!((to.name(), to.address()), (Some("Zoë Fernández, MA"), Some("zoe@example.com")));
    assert_eq!(message.subject(), Some("Confirmed: Conversational German with Jürgen Müller"));
    assert_eq!(message.message_id(), Some("dlv_0195@postrider.test"));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2026-11-23T08:00:00Z");
}

#[test]
fn both_parts_read_back_as_given() {
    let bytes = built();
    let message = MessageParser::default().parse(&bytes).unwrap();
    let unix = |text: String| text.replace("\r\n", "\n").trim_end().to_owned();
    assert_eq!(unix(message.body_text(0).unwrap().into_owned()), content().text.trim_end());
    assert_eq!(unix(message.body_html(0).unwrap().into_owned()), content().html);
    assert_eq!((message.text_body_count(), message.html_body_count()), (1, 1));
}

#[test]
fn the_same_draft_gives_the_same_bytes() {
    assert_eq!(built(), built());
}

#[test]
fn lines_end_with_crlf_and_are_short_and_ascii() {
    let bytes = built();
    assert!(bytes.is_ascii() && bytes.ends_with(b"\r\n"));
    for (index, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        assert_eq!(bytes[index - 1], b'\r', "a bare LF at {index}");
    }
    assert!(bytes.split(|b| *b == b'\n').all(|line| line.len() <= 998));
}

#[test]
fn a_name_or_subject_cannot_bring_a_header_of_its_own() {
    let subject = Rendered { subject: "a\r\nBcc: x@example.com".to_owned(), ..content() };
    assert_eq!(build_to(None, "zoe@example.com", &subject), Err(MessageError::Subject));
    let mut bad_sender = sender();
    bad_sender.display_name = Some("a\nb".to_owned());
    let to = Mailbox::from(EmailAddress::parse("zoe@example.com").unwrap());
    let id = MessageId::for_delivery("a", "postrider.test").unwrap();
    let content = content();
    let to = [to];
    let draft = Draft::new(&bad_sender, &to, &content, &id, Timestamp::UNIX_EPOCH, "a");
    assert!(matches!(draft.build(), Err(MessageError::SenderName(_))));
}

#[test]
fn awkward_names_and_addresses_survive() {
    for name in [
        "\"Quote\" <x@y.example>",
        "Back\\slash",
        "a@b.example",
        "(comment)",
        "李雷",
        "=?utf-8?q?x?=",
        &"é".repeat(120),
    ] {
        let bytes = build_to(Some(name), "zoe@example.com", &content()).unwrap();
        let message = MessageParser::default().parse(&bytes).unwrap();
        let to = message.to().unwrap().first().unwrap();
        assert_eq!((to.name(), to.address()), (Some(name), Some("zoe@example.com")), "{name}");
    }
    for address in ["o'brien+x@example.com", "info@Bücher.example", "a/b=c@example.com"] {
        assert!(build_to(None, address, &content()).is_ok(), "{address}");
    }
}

/// A full stop is no part of an atom (RFC 5322 §3.2.3): strict readers refuse a field with a bare one.
#[test]
fn a_name_with_full_stops_is_quoted() {
    for name in [".hidden", "J. R. Ewing", "Dr. Who", "...", "a..b"] {
        let bytes = build_to(Some(name), "zoe@example.com", &content()).unwrap();
        let head = String::from_utf8(bytes).unwrap();
        let to = head.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
        assert_eq!(to, format!("\"{name}\" <zoe@example.com>"));
    }
}

#[test]
fn a_message_id_is_one_plain_token() {
    assert_eq!(MessageId::for_delivery("dlv_1", "a.example").unwrap().as_str(), "<dlv_1@a.example>");
    for bad in ["dlv_1@a.example", "<a b@c.example>", "<a@b>c>", "<@b.example>", "<a\r\n@b.example>", "<a@b@c>"] {
        assert_eq!(MessageId::parse(bad), Err(MessageError::MessageId), "{bad}");
    }
}

/// A message with everything that a message can have.
fn full() -> Vec<u8> {
    let person = |text: &str, name: &str| Mailbox::new(Some(name), EmailAddress::parse(text).unwrap()).unwrap();
    let message_id = MessageId::for_delivery("dlv_0195", "postrider.test").unwrap();
    let content = content();
    let sender = sender();
    let to = [person("zoe@example.com", "Zoë"), person("li@example.com", "李雷")];
    let cc = [person("pat@example.com", "O'Brien, Pat")];
    let reply_to = [person("desk@postrider.test", "Desk")];
    let headers = Header::one_click_unsubscribe(&format!("https://postrider.test/u/{}", "t".repeat(300))).unwrap();
    let files = [
        Attachment::inline("chart-1", "chart.png", "image/png", vec![0x89, b'P', b'N', b'G', 0]).unwrap(),
        Attachment::new("Rechnung für Zoë 🎓.pdf", "application/pdf", b"--=_adlv0195\r\n.\r\n".to_vec()).unwrap(),
    ];
    let invite = invite();
    let draft = Draft {
        cc: &cc,
        reply_to: &reply_to,
        headers: &headers,
        attachments: &files,
        invite: Some(&invite),
        ..Draft::new(&sender, &to, &content, &message_id, "2026-11-23T08:00:00Z".parse().unwrap(), "dlv_0195")
    };
    draft.build().unwrap()
}

fn invite() -> Invite {
    Invite {
        uid: "booking-bk_1@postrider.test".to_owned(),
        sequence: 0,
        method: Method::Request,
        starts_at: "2026-11-24T16:00:00Z".parse().unwrap(),
        duration_minutes: 60,
        summary: "German".to_owned(),
        description: None,
        location: None,
        url: None,
        organizer: Person { name: None, address: EmailAddress::parse("bookings@postrider.test").unwrap() },
        attendees: vec![Person { name: None, address: EmailAddress::parse("zoe@example.com").unwrap() }],
    }
}

#[test]
fn everything_that_a_message_can_have_stands_in_its_place() {
    let bytes = full();
    let lines = String::from_utf8(bytes.clone()).unwrap();
    // The frame: headers of every level, without what they enclose.
    let frame: Vec<&str> =
        lines.lines().filter(|line| line.starts_with("--=_") || line.starts_with("Content-")).collect();
    insta::assert_snapshot!(frame.join("\n"));

    let message = MessageParser::default().parse(&bytes).unwrap();
    let names = |list: Option<&mail_parser::Address<'_>>| {
        list.unwrap().iter().map(|a| a.name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(message.to()), ["Zoë", "李雷"]);
    assert_eq!(names(message.cc()), ["O'Brien, Pat"]);
    assert_eq!(names(message.reply_to()), ["Desk"]);
    assert!(message.bcc().is_none());
    let list = message.header_raw("List-Unsubscribe").unwrap();
    assert_eq!(list.trim(), format!("<https://postrider.test/u/{}>", "t".repeat(300)));
    let ics = invite().write("2026-11-23T08:00:00Z".parse().unwrap()).unwrap();
    let files: Vec<_> = message.attachments().map(|part| (part.attachment_name(), part.contents().to_vec())).collect();
    assert!(files.contains(&(Some("invite.ics"), ics.clone().into_bytes())), "{files:?}");
    assert!(files.contains(&(Some("Rechnung für Zoë 🎓.pdf"), b"--=_adlv0195\r\n.\r\n".to_vec())), "{files:?}");
    let calendar = message.parts.iter().find(|part| part.is_content_type("text", "calendar")).unwrap();
    assert_eq!(calendar.content_type().unwrap().attribute("method"), Some("REQUEST"));
    assert_eq!(calendar.text_contents(), Some(ics.as_str()));
    let picture = message.parts.iter().find(|part| part.content_id() == Some("chart-1")).unwrap();
    assert_eq!(picture.contents(), [0x89, b'P', b'N', b'G', 0]);
}

#[test]
fn a_message_with_everything_is_ascii_with_short_lines_and_stable() {
    let bytes = full();
    assert!(bytes.is_ascii());
    assert_eq!(check_shape(&bytes), Ok(()));
    assert_eq!(bytes, full());
}

#[test]
fn without_html_there_is_one_text_part_and_without_text_no_message() {
    let plain = Rendered { html: String::new(), ..content() };
    let bytes = build_to(None, "zoe@example.com", &plain).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!((message.parts.len(), message.content_type().unwrap().subtype()), (1, Some("plain")));
    let mute = Rendered { text: " \n".to_owned(), ..content() };
    assert_eq!(build_to(None, "zoe@example.com", &mute), Err(MessageError::NoText));
}

#[test]
fn bare_line_ends_and_nul_in_a_part_are_refused_and_crlf_is_not() {
    for (text, html, wrong) in [("a\rb", "x", "text"), ("a", "x\0", "HTML"), ("a\u{7}", "x", "text")] {
        let content = Rendered { subject: "x".to_owned(), text: text.to_owned(), html: html.to_owned() };
        assert_eq!(build_to(None, "zoe@example.com", &content), Err(MessageError::Control(wrong)));
    }
    let content = Rendered { subject: "x".to_owned(), text: "a\r\nb\n".to_owned(), html: "<p>\r\n</p>".to_owned() };
    assert!(build_to(None, "zoe@example.com", &content).is_ok());
}

#[test]
fn subjects_that_look_encoded_or_never_pause_are_read_as_written() {
    for subject in
        ["=?utf-8?q?=0D=0ABcc:_x@y.example?=", &"x".repeat(1000), &"é".repeat(500), "🎓 done 🎉", "a  b", "Σ  A"]
    {
        let content = Rendered { subject: subject.to_owned(), ..content() };
        let bytes = build_to(None, "zoe@example.com", &content).unwrap();
        assert_eq!(MessageParser::default().parse(&bytes).unwrap().subject(), Some(subject));
    }
    let endless = Rendered { subject: "x".repeat(1001), ..content() };
    assert_eq!(build_to(None, "zoe@example.com", &endless), Err(MessageError::Subject));
}

proptest! {
    #[test]
    fn whatever_it_says_a_message_has_its_shape_and_says_it(
        subject in "\\PC{1,120}", name in "\\PC{0,60}", text in "[\\PC\n\t]{1,200}", html in "\\PC{0,200}"
    ) {
        let content = Rendered { subject: subject.clone(), text: format!("x{text}"), html };
        let Ok(to) = Mailbox::new(Some(&name), EmailAddress::parse("zoe@example.com").unwrap()) else { return Ok(()) };
        let message_id = MessageId::for_delivery("a", "postrider.test").unwrap();
        let to = [to];
        let bytes = Draft::new(&sender(), &to, &content, &message_id, Timestamp::UNIX_EPOCH, "a").build().unwrap();
        prop_assert_eq!(check_shape(&bytes), Ok(()));
        let message = MessageParser::default().parse(&bytes).unwrap();
        prop_assert_eq!(message.subject().map(str::trim), Some(subject.trim()));
        prop_assert_eq!(message.to().unwrap().first().unwrap().name(), to[0].name());
        prop_assert_eq!(message.bcc().is_none(), true);
    }
}
