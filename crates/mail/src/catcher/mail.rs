//! One caught mail, with what a mailbox page shows of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mail_parser::{Address, MessageParser, MimeHeaders as _};
use serde::Serialize;

use crate::verify::{Verdict, Verdicts};

/// Subtypes of `image/` that are shown.
const PICTURES: [&str; 4] = ["png", "jpeg", "gif", "webp"];

/// A mail as it came in, and what was thought of it. As JSON it is an item of `GET /mailbox/messages`.
#[derive(Clone, Serialize)]
pub struct CaughtMail {
    /// Rises with every mail; unique while the catcher runs.
    pub id: String,
    /// The address in the From header; the MAIL FROM address if there is none.
    pub from: String,
    /// Whom it was delivered to (RCPT TO); several are separated by a comma.
    pub to: String,
    /// Decoded.
    pub subject: String,
    /// When the dot came.
    pub received_at: Timestamp,
    /// RFC 7208.
    pub spf: Verdict,
    /// RFC 6376.
    pub dkim: Verdict,
    /// RFC 9989.
    pub dmarc: Verdict,
    /// The reverse path; `None` for `<>`.
    #[serde(skip)]
    pub mail_from: Option<String>,
    /// The forward paths.
    #[serde(skip)]
    pub rcpt_to: Vec<String>,
    /// The message as received, dots unstuffed, nothing added.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

impl CaughtMail {
    /// The mail gets its id from the inbox.
    pub(super) fn new(
        raw: Vec<u8>,
        mail_from: Option<String>,
        rcpt_to: Vec<String>,
        received_at: Timestamp,
        verdicts: Verdicts,
    ) -> Self {
        let parsed = MessageParser::default().parse(&raw);
        let header_from = parsed
            .as_ref()
            .and_then(|message| message.from())
            .and_then(Address::first)
            .and_then(|from| from.address())
            .map(str::to_owned);
        let subject = parsed.as_ref().and_then(|message| message.subject()).unwrap_or_default().to_owned();
        Self {
            id: String::new(),
            from: header_from.or_else(|| mail_from.clone()).unwrap_or_default(),
            to: rcpt_to.join(", "),
            subject,
            received_at,
            spf: verdicts.spf,
            dkim: verdicts.dkim,
            dmarc: verdicts.dmarc,
            mail_from,
            rcpt_to,
            raw,
        }
    }

    /// The first HTML part, decoded.
    #[must_use]
    pub fn html(&self) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        let part = message.html_part(0).filter(|part| part.is_text_html())?;
        part.text_contents().map(str::to_owned)
    }

    /// The same with the pictures that travel with it (`cid:`, RFC 2392) as `data:` URLs, for a browser that may load
    /// nothing. Of pictures only PNG, JPEG, GIF and WebP: they cannot hold anything that acts.
    #[must_use]
    pub fn html_with_pictures(&self) -> Option<String> {
        let mut html = self.html()?;
        let message = MessageParser::default().parse(&self.raw)?;
        for part in &message.parts {
            let Some(id) = part.content_id().filter(|id| html.contains(*id)) else { continue };
            let kind = part.content_type().filter(|kind| kind.ctype().eq_ignore_ascii_case("image"));
            let subtype = kind.and_then(|kind| kind.subtype()).unwrap_or_default().to_ascii_lowercase();
            if PICTURES.contains(&subtype.as_str()) {
                let data = format!("data:image/{subtype};base64,{}", STANDARD.encode(part.contents()));
                for quote in ['"', '\''] {
                    html = html.replace(&format!("{quote}cid:{id}{quote}"), &format!("{quote}{data}{quote}"));
                }
            }
        }
        Some(html)
    }

    /// The first plain text part, decoded.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        let part = message.text_part(0).filter(|part| part.is_text() && !part.is_text_html())?;
        part.text_contents().map(str::to_owned)
    }
}

impl fmt::Debug for CaughtMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, subject, spf, dkim, dmarc, raw, .. } = self;
        write!(
            f,
            "CaughtMail {{ id: {id}, subject: {subject:?}, spf: {spf}, dkim: {dkim}, dmarc: {dmarc}, octets: {} }}",
            raw.len()
        )
    }
}
