//! What a built message looks like on the wire.

use mail_parser::MessageParser;

use super::*;

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
    let draft = Draft { sender: &sender(), to: &to, content, message_id: &message_id, date, boundary_seed: "dlv_0195" };
    draft.build()
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
    let draft = Draft {
        sender: &bad_sender,
        to: &to,
        content: &content,
        message_id: &id,
        date: Timestamp::UNIX_EPOCH,
        boundary_seed: "a",
    };
    assert!(matches!(draft.build(), Err(MessageError::SenderName(_))));
}

#[test]
fn awkward_names_and_addresses_survive() {
    for name in ["\"Quote\" <x@y.example>", "Back\\slash", "a@b.example", "(comment)", "李雷", &"é".repeat(120)] {
        let bytes = build_to(Some(name), "zoe@example.com", &content()).unwrap();
        let message = MessageParser::default().parse(&bytes).unwrap();
        let to = message.to().unwrap().first().unwrap();
        assert_eq!((to.name(), to.address()), (Some(name), Some("zoe@example.com")), "{name}");
    }
    for address in ["o'brien+x@example.com", "info@Bücher.example", "a/b=c@example.com"] {
        assert!(build_to(None, address, &content()).is_ok(), "{address}");
    }
}

#[test]
fn a_message_id_is_one_plain_token() {
    assert_eq!(MessageId::for_delivery("dlv_1", "a.example").unwrap().as_str(), "<dlv_1@a.example>");
    for bad in ["dlv_1@a.example", "<a b@c.example>", "<a@b>c>", "<@b.example>", "<a\r\n@b.example>", "<a@b@c>"] {
        assert_eq!(MessageId::parse(bad), Err(MessageError::MessageId), "{bad}");
    }
}
