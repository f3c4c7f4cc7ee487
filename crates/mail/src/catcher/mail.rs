//! One caught mail, with what a mailbox page shows of it.

use std::fmt;

use jiff::Timestamp;
use mail_parser::{Address, MessageParser};
use serde::Serialize;

use crate::verify::{Verdict, Verdicts};

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
