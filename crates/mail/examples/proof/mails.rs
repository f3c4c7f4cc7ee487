//! The mails: every template in every language that it is there in, and some that are harder than any template.

use jiff::Timestamp;
use mail::calendar::{Invite, Method, Person, uid};
use mail::zone::DEV_DOMAIN;
use mail::{
    Attachment, DkimSigner, Draft, EmailAddress, Header, Locale, Mailbox, MessageId, Rendered, Renderer, SenderProfile,
};

use super::Outcome;

/// Whom all mails are for.
pub const RECIPIENT: &str = "zoe@example.com";
/// Whom those are for that show an address beyond ASCII in their header.
pub const INTERNATIONAL: &str = "zoë@example.com";
/// When they were written.
const DATE: &str = "2026-11-23T08:00:00Z";

/// All mails by name, signed.
pub fn all(signer: &DkimSigner) -> Outcome<Vec<(String, Vec<u8>)>> {
    let date: Timestamp = DATE.parse()?;
    let mut mails = templates()?;
    mails.push(("everything".to_owned(), everything()?));
    mails.push(("text_only".to_owned(), text_only()?));
    mails.push(("eight_bit".to_owned(), eight_bit()));
    mails.push(("international".to_owned(), international(true)?));
    mails.push(("beside_international".to_owned(), international(false)?));
    let signed = mails.into_iter().map(|(name, message)| Ok((name, signer.sign(&message, date)?)));
    signed.collect()
}

fn templates() -> Outcome<Vec<(String, Vec<u8>)>> {
    let renderer = Renderer::new(None)?;
    let mut mails = Vec::new();
    for name in renderer.names() {
        for tag in renderer.locales(name) {
            let locale = Locale::parse(tag)?;
            let sample = renderer.sample(name, &locale).ok_or("a template has a sample")?;
            let content = renderer.render(name, &locale, sample)?;
            let invite = name.starts_with("booking_").then(|| invite(&content.subject, name)).transpose()?;
            let build = |draft: Draft<'_>| {
                Draft { attachments: renderer.pictures(name), invite: invite.as_ref(), ..draft }.build()
            };
            mails.push((format!("{name}.{tag}"), drafted(&content, build)?));
        }
    }
    Ok(mails)
}

/// Long lines, an emoji in the subject, accents in names, text beyond ASCII, several people, a file, pictures, an
/// invitation, and headers that are folded.
fn everything() -> Outcome<Vec<u8>> {
    let content = Rendered {
        subject: "🎓 Bestätigt: Deutsch für Fortgeschrittene mit Jürgen Müller-Lüdenscheidt, 日本語も少し, и немного по-русски 🎉"
            .to_owned(),
        text: format!("Grüße!\n.\n..\nFrom here on\n{}\n{}\n\t \n", "lang ".repeat(1000), "ü".repeat(3000)),
        html: format!("<p>Grüße!</p>\n<p>{}</p>\n<img src=\"cid:chart\" alt=\"Kurve\">\n", "é".repeat(5000)),
    };
    let files = [
        Attachment::inline("chart", "Kurve.png", "image/png", (0..=255).cycle().take(9000).collect())?,
        Attachment::new("Rechnung für Zoë 🎓.pdf", "application/pdf", b"%PDF-1.7\r\n.\r\nFrom \0\xff\n".repeat(300))?,
        Attachment::new("notes.txt", "text/plain; charset=utf-8", "naïve\n.\n".as_bytes().to_vec())?,
    ];
    let invite = invite(&content.subject, "everything")?;
    let headers = Header::one_click_unsubscribe(&format!("https://mail.example.com/u/{}", "a1B2".repeat(60)))?;
    let cc = [person(Some("O'Brien, Pat (she/her)"), "pat@example.com")?, person(Some("李雷"), "li@example.com")?];
    let reply_to = [person(Some("Büro"), "desk@postrider.test")?];
    drafted(&content, |draft| {
        Draft { cc: &cc, reply_to: &reply_to, headers: &headers, attachments: &files, invite: Some(&invite), ..draft }
            .build()
    })
}

/// To several people, of whom some have addresses beyond ASCII: the copy of one of them, or that of a reader beside them.
fn international(utf8: bool) -> Outcome<Vec<u8>> {
    let content = Rendered {
        subject: "Für alle".to_owned(),
        text: "Schöne Grüße\n".to_owned(),
        html: "<p>Schöne Grüße</p>\n".to_owned(),
    };
    let to = [person(Some("Zoë"), INTERNATIONAL)?, person(None, "jürgen@bücher.example")?];
    let cc = [person(Some("Pat"), "pat@example.com")?];
    drafted(&content, |draft| Draft { to: &to, cc: &cc, utf8, ..draft }.build())
}

fn text_only() -> Outcome<Vec<u8>> {
    let content =
        Rendered { subject: "Nur Text".to_owned(), text: "Schöne Grüße\n\n".to_owned(), html: String::new() };
    drafted(&content, |draft| draft.build())
}

/// Not as we write mails, but as they may be: text beyond ASCII as it stands, blanks at ends of lines, empty lines at the
/// end. The signature has to stand it.
fn eight_bit() -> Vec<u8> {
    let lines = [
        "From: Bookings <bookings@postrider.test>",
        "To: zoe@example.com",
        "Subject:   folded,",
        "\tand   spaced  ",
        "Date: Mon, 23 Nov 2026 08:00:00 +0000",
        "Message-ID: <eight.bit@postrider.test>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "Grüße  aus   Köln \t",
        ".",
        "",
        "日本語",
        "",
        "",
        "",
    ];
    lines.join("\r\n").into_bytes()
}

fn drafted<E>(content: &Rendered, build: impl Fn(Draft<'_>) -> Result<Vec<u8>, E>) -> Outcome<Vec<u8>>
where
    E: std::error::Error + 'static,
{
    let sender = SenderProfile {
        key: "bookings".to_owned(),
        address: EmailAddress::parse(&format!("bookings@{DEV_DOMAIN}"))?,
        display_name: Some("Café Bookings".to_owned()),
        reply_to: None,
        dkim_selector: super::SELECTOR.to_owned(),
    };
    let to = [person(Some("Zoë Fernández"), RECIPIENT)?];
    let id = MessageId::for_delivery("proof", DEV_DOMAIN)?;
    Ok(build(Draft::new(&sender, &to, content, &id, DATE.parse()?, "proof"))?)
}

fn person(name: Option<&str>, address: &str) -> Outcome<Mailbox> {
    Ok(Mailbox::new(name, EmailAddress::parse(address)?)?)
}

fn invite(summary: &str, name: &str) -> Outcome<Invite> {
    Ok(Invite {
        uid: uid("bk_1001", DEV_DOMAIN),
        sequence: 1,
        method: if name.contains("cancelled") { Method::Cancel } else { Method::Request },
        starts_at: "2026-11-24T16:00:00Z".parse()?,
        duration_minutes: 60,
        summary: summary.to_owned(),
        description: Some("Buchung bk_1001\nBitte das Buch mitbringen; danke, bis dann!".to_owned()),
        location: Some("Café am Markt, Schillerstraße 12, Berlin".to_owned()),
        url: Some("https://meet.example.com/l/7f3k-q2zd".to_owned()),
        organizer: Person {
            name: Some("Café Bookings".to_owned()),
            address: EmailAddress::parse(&format!("bookings@{DEV_DOMAIN}"))?,
        },
        attendees: vec![Person { name: Some("Zoë Fernández".to_owned()), address: EmailAddress::parse(RECIPIENT)? }],
    })
}
