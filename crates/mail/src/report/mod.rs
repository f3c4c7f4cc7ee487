//! What comes back: delivery status notifications (RFC 3464) and complaints (ARF, RFC 5965), read from the raw message.
//!
//! 1. The message is taken apart by mail-parser; what is looked for are parts of type `message/delivery-status` and
//!    `message/feedback-report`, and the original message or its header (RFC 3462).
//! 2. Their bodies are header-like groups of fields, read by `fields`.
//! 3. Nothing is believed here: the caller checks the addresses that the report came to for one of ours
//!    ([`crate::verp`]), and only then acts.

mod arf;
mod dsn;
mod fields;

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

pub use arf::Complaint;
pub use dsn::{Action, RecipientStatus, is_bad_address};

/// The most recipients of one report that are looked at.
const MOST: usize = 100;

/// A report about mail that was sent earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Addresses that may be the envelope sender of the original mail: where the report was sent to, and what it says
    /// itself.
    pub sent_to: Vec<String>,
    /// The Message-ID of the original, with its brackets.
    pub original_id: Option<String>,
    /// What it says.
    pub content: ReportContent,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportContent {
    /// How the mail fared, for each recipient.
    Status(Vec<RecipientStatus>),
    /// Somebody called it unwanted.
    Complaint(Complaint),
}

/// Why a message is no report. Permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Not a message at all.
    #[error("this is no mail message (RFC 5322)")]
    NotAMessage,
    /// A message, but neither of the two kinds.
    #[error("the message has no part of type message/delivery-status (RFC 3464) or message/feedback-report (RFC 5965)")]
    NoReport,
    /// The part is there, and names nobody.
    #[error("the report names no recipient")]
    NoRecipient,
}

/// Reads a report from a raw message.
///
/// # Errors
/// [`ReportError`].
pub fn read(raw: &[u8]) -> Result<Report, ReportError> {
    let message = MessageParser::default().parse(raw).ok_or(ReportError::NotAMessage)?;
    if message.headers().is_empty() {
        return Err(ReportError::NotAMessage);
    }
    let mut sent_to = received_for(&message);
    let original_id = original_id(&message);
    for part in &message.parts {
        let Some(kind) = part.content_type() else { continue };
        if !kind.ctype().eq_ignore_ascii_case("message") {
            continue;
        }
        let subtype = kind.subtype().unwrap_or_default().to_ascii_lowercase();
        let body = match &part.body {
            PartType::Text(text) => text.as_bytes().to_vec(),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.to_vec(),
            _ => continue,
        };
        let groups = fields::groups(&String::from_utf8_lossy(&body));
        match subtype.as_str() {
            // RFC 6533 names the second, for addresses beyond ASCII.
            "delivery-status" | "global-delivery-status" => {
                let recipients: Vec<_> = dsn::recipients(&groups).take(MOST).collect();
                if recipients.is_empty() {
                    return Err(ReportError::NoRecipient);
                }
                return Ok(Report { sent_to, original_id, content: ReportContent::Status(recipients) });
            }
            "feedback-report" => {
                let complaint = arf::complaint(&groups).ok_or(ReportError::NoReport)?;
                sent_to.extend(complaint.original_mail_from.iter().cloned());
                return Ok(Report { sent_to, original_id, content: ReportContent::Complaint(complaint) });
            }
            _ => {}
        }
    }
    Err(ReportError::NoReport)
}

/// The addresses that the message was for, as its header and the servers that took it say.
fn received_for(message: &Message<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(to) = message.to() {
        found.extend(to.iter().filter_map(|address| address.address()).map(str::to_owned));
    }
    for name in ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Failed-Recipients-For"] {
        found.extend(message.header_raw(name).map(|value| value.trim().to_owned()));
    }
    found
}

/// The Message-ID of the message within the message, or of its header where only that came back.
fn original_id(message: &Message<'_>) -> Option<String> {
    message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(original) => original.message_id().map(|id| format!("<{id}>")),
        PartType::Text(text) if is_headers(part) => {
            fields::groups(text).iter().find_map(|group| group.get("message-id").map(str::to_owned))
        }
        _ => None,
    })
}

fn is_headers(part: &mail_parser::MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("text")
            && kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case("rfc822-headers"))
    })
}

#[cfg(test)]
mod tests;
