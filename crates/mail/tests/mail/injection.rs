//! Nothing that stands in a field, a name or an address becomes a header, a part or markup.

use mail::calendar::{Invite, Method, Person};
use mail::{Draft, EmailAddress, Header, Locale, Mailbox, MessageId, RenderError, Rendered, Renderer};
use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::{Value, json};

use crate::lab;

/// What somebody might write into a form. `x` before and after shows whether a part of it was cut off.
const HOSTILE: [&str; 14] = [
    "x\r\nBcc: victim@example.com\r\nx",
    "x\nBcc: victim@example.com\nx",
    "x\rBcc: victim@example.com\rx",
    "x\r\n\r\n<script>alert(1)</script>",
    "x\r\n.\r\nMAIL FROM:<victim@example.com>\r\nx",
    "x\r\n--=_aproof\r\nContent-Type: text/html\r\n\r\n<b>x",
    "x\0x",
    "x\u{85}x\u{2028}x",
    "x{{recipient.name}}{{{x}}}{{> body.txt}}{{word title}}x",
    "x<script>alert(1)</script><img src=https://example.com/x.png>x",
    "x\"><a href='javascript:alert(1)'>x</a><!--x",
    "=?utf-8?q?x=0D=0ABcc:_victim@example.com?=",
    "x\u{202E}moc.elpmaxe@mitciv\u{202C}x",
    "x\u{7}\u{1b}[31mx",
];

fn renderer() -> &'static Renderer {
    static RENDERER: std::sync::LazyLock<Renderer> = std::sync::LazyLock::new(|| Renderer::new(None).unwrap());
    &RENDERER
}

/// Paths of all texts.
fn texts(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| texts(value, &format!("{path}/{field}"), into))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| texts(item, &format!("{path}/{index}"), into));
        }
        Value::String(_) => into.push(path.to_owned()),
        _ => {}
    }
}

fn built(content: &Rendered, pictures: &[mail::Attachment]) -> Result<Vec<u8>, mail::MessageError> {
    let to = [Mailbox::new(Some("Zoë"), lab::address("zoe@example.com")).unwrap()];
    let id = MessageId::for_delivery("proof", "postrider.test").unwrap();
    let sender = lab::sender();
    Draft { attachments: pictures, ..Draft::new(&sender, &to, content, &id, lab::start(), "proof") }.build()
}

/// Names of all header fields, at any depth, in order.
fn fields(message: &[u8]) -> Vec<String> {
    let parsed = MessageParser::default().parse(message).unwrap();
    let of_parts = parsed.parts.iter().flat_map(|part| part.headers.iter());
    of_parts.map(|header| header.name.as_str().to_owned()).collect()
}

#[test]
fn no_field_of_any_template_adds_a_header_a_part_or_markup() {
    let (mut refused, mut written) = (0, 0);
    for name in renderer().names() {
        for tag in renderer().locales(name) {
            let locale = Locale::parse(tag).unwrap();
            let sample = renderer().sample(name, &locale).unwrap();
            let good = renderer().render(name, &locale, sample).unwrap();
            let expected = fields(&built(&good, renderer().pictures(name)).unwrap());
            let elements = good.html.matches('<').count();
            let mut paths = Vec::new();
            texts(sample, "", &mut paths);
            for (path, hostile) in paths.iter().flat_map(|path| HOSTILE.map(|hostile| (path, hostile))) {
                let mut data = sample.clone();
                *data.pointer_mut(path).unwrap() = json!(hostile);
                let content = match renderer().render(name, &locale, &data) {
                    Ok(content) => content,
                    Err(RenderError::SubjectLineBreak { .. }) => {
                        refused += 1;
                        continue;
                    }
                    Err(error) => panic!("{name}{path} with {hostile:?}: {error}"),
                };
                let Ok(message) = built(&content, renderer().pictures(name)) else {
                    refused += 1;
                    continue;
                };
                written += 1;
                assert_eq!(fields(&message), expected, "{name}{path} with {hostile:?}");
                assert_eq!(mail::message::check_shape(&message), Ok(()), "{name}{path} with {hostile:?}");
                // A severity or a verdict that is none of the known ones is shown another way.
                let branches = ["severity", "verdict", "cancelled_by"].iter().any(|end| path.ends_with(end))
                    || (name.starts_with("alert_") && path == "/reason");
                if !branches {
                    assert_eq!(content.html.matches('<').count(), elements, "{name}{path} with {hostile:?}");
                }
                assert!(!content.html.contains("<script") && !content.html.contains("<b>x"), "{name}{path}");
            }
        }
    }
    assert!(refused > 500 && written > 1000, "{refused} refused, {written} written");
}

#[test]
fn a_subject_is_read_as_it_was_written() {
    let name = "booking_confirmed_student";
    let mut data = renderer().sample(name, &Locale::english()).unwrap().clone();
    for hostile in HOSTILE.iter().filter(|text| !text.chars().any(char::is_control)) {
        data["service"] = json!(hostile);
        let content = renderer().render(name, &Locale::english(), &data).unwrap();
        let message = built(&content, &[]).unwrap();
        let subject = MessageParser::default().parse(&message).unwrap().subject().unwrap().to_owned();
        assert_eq!(subject, format!("Confirmed: {hostile} with Jürgen Müller"));
    }
}

#[test]
fn no_address_and_no_name_adds_a_header() {
    for hostile in HOSTILE {
        for address in [format!("{hostile}@example.com"), format!("zoe@{hostile}"), hostile.to_owned()] {
            assert!(EmailAddress::parse(&address).is_err(), "{address:?}");
        }
        let Ok(to) = Mailbox::new(Some(hostile), lab::address("zoe@example.com")) else { continue };
        assert!(!hostile.contains(['\r', '\n', '\0']), "{hostile:?} was taken for a name");
        let id = MessageId::for_delivery("proof", "postrider.test").unwrap();
        let (sender, content, people) = (lab::sender(), lab::content(), [to.clone()]);
        let draft = Draft {
            cc: &people,
            reply_to: &people,
            ..Draft::new(&sender, &people, &content, &id, lab::start(), "proof")
        };
        let message = draft.build().unwrap();
        let parsed = MessageParser::default().parse(&message).unwrap();
        for list in [parsed.to(), parsed.cc(), parsed.reply_to()] {
            let all: Vec<_> = list.unwrap().iter().map(|one| (one.name(), one.address())).collect();
            assert_eq!(all, [(to.name(), Some("zoe@example.com"))], "{hostile:?}");
        }
        assert!(parsed.bcc().is_none(), "{hostile:?}");
    }
}

#[test]
fn no_header_of_ours_carries_another() {
    for hostile in HOSTILE {
        assert!(Header::new(hostile, "x").is_err(), "{hostile:?} as a name");
        assert!(Header::one_click_unsubscribe(hostile).is_err(), "{hostile:?} as a link");
        if hostile.chars().any(char::is_control) || !hostile.is_ascii() {
            assert!(Header::new("X-Order", hostile).is_err(), "{hostile:?} as a value");
        }
        let attached = mail::Attachment::new(hostile, "text/plain", vec![]);
        assert!(attached.is_err() || !hostile.contains(['\r', '\n', '\0', '"']), "{hostile:?} as a file name");
        assert!(mail::Attachment::new("a", hostile, vec![]).is_err(), "{hostile:?} as a type");
    }
}

#[test]
fn no_text_of_an_invitation_adds_a_property() {
    let person = || Person { name: Some("Zoë".to_owned()), address: lab::address("zoe@example.com") };
    let invite = |text: &str| Invite {
        uid: "booking-1@postrider.test".to_owned(),
        sequence: 0,
        method: Method::Request,
        starts_at: lab::start(),
        duration_minutes: 60,
        summary: text.to_owned(),
        description: Some(text.to_owned()),
        location: Some(text.to_owned()),
        url: None,
        organizer: person(),
        attendees: vec![Person { name: Some(text.to_owned()), ..person() }],
    };
    let lines = |ics: &str| {
        ics.replace("\r\n ", "")
            .split("\r\n")
            .map(|l| l.split([':', ';']).next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let expected = lines(&invite("x").write(lab::start()).unwrap());
    for hostile in HOSTILE {
        let Ok(ics) = invite(hostile).write(lab::start()) else {
            assert!(hostile.chars().any(char::is_control), "{hostile:?} was refused");
            continue;
        };
        assert_eq!(lines(&ics), expected, "{hostile:?}");
    }
}

#[test]
fn a_picture_stays_where_the_html_shows_it() {
    let sample = renderer().sample("search_report", &Locale::english()).unwrap();
    let content = renderer().render("search_report", &Locale::english(), sample).unwrap();
    let message = built(&content, renderer().pictures("search_report")).unwrap();
    let parsed = MessageParser::default().parse(&message).unwrap();
    let picture = parsed.parts.iter().find(|part| part.content_id().is_some()).unwrap();
    assert!(content.html.contains(&format!("cid:{}", picture.content_id().unwrap())));
    assert!(picture.contents().starts_with(b"\x89PNG"));
}
