//! From rendered content to the bytes of one RFC 5322 message.
//!
//! 1. From is the sender profile's address and nothing else; To is exactly one mailbox.
//! 2. Everything that could differ between two attempts (Message-ID, Date, MIME boundary) is an input, so a retry, on
//!    another machine or a day later, makes the same bytes, and a receiver that got both can tell that they are one.
//! 3. The body is `multipart/alternative`, plain text first (RFC 2046 §5.1.4: the last part is the preferred one), both
//!    parts UTF-8 in quoted-printable: ASCII on the wire, no line over 76 octets, stable under DKIM.
//! 4. `Auto-Submitted: auto-generated` (RFC 3834 §5) keeps vacation responders quiet.

use std::fmt;

use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox as LettreMailbox, MultiPart, SinglePart};

use crate::address::{AddressError, EmailAddress, Mailbox};
use crate::render::Rendered;
use crate::sender::SenderProfile;

/// Why a message cannot be built. Always permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The subject has a line break or another control character.
    #[error("the subject has a control character")]
    Subject,
    /// The sender's display name cannot be written into a header.
    #[error("the sender's display name: {0}")]
    SenderName(#[from] AddressError),
    /// An address that this crate accepts but the message format does not carry.
    #[error("the {0} address cannot be written into a header")]
    Address(&'static str),
    /// Not `<left@right>` in plain ASCII (RFC 5322 §3.6.4).
    #[error("not a message id")]
    MessageId,
    /// The date is before 1970 or beyond the year 9999.
    #[error("the date is out of range")]
    Date,
    /// The boundary seed is empty.
    #[error("the boundary seed is empty")]
    Boundary,
}

/// The identity of a message, `<left@right>`, the same over all attempts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// The id of a delivery: `<delivery@domain>`. `domain` is the sender's.
    ///
    /// # Errors
    /// [`MessageError::MessageId`] if either side has anything but letters, digits, `.`, `-`, `_`.
    pub fn for_delivery(delivery_id: &str, domain: &str) -> Result<Self, MessageError> {
        Self::parse(&format!("<{delivery_id}@{domain}>"))
    }

    /// Parses `<left@right>`, brackets included.
    ///
    /// # Errors
    /// [`MessageError::MessageId`].
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or(MessageError::MessageId)?;
        let (left, right) = inner.split_once('@').ok_or(MessageError::MessageId)?;
        let plain =
            |side: &str| !side.is_empty() && side.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        if text.len() > 250 || !plain(left) || !plain(right) {
            return Err(MessageError::MessageId);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id with its brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that one message is made of.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Who sends; the From and Reply-To come from here.
    pub sender: &'a SenderProfile,
    /// The one recipient.
    pub to: &'a Mailbox,
    /// Subject, text and HTML.
    pub content: &'a Rendered,
    /// The message's identity, stable over retries.
    pub message_id: &'a MessageId,
    /// The Date header, stable over retries (whole seconds; the rest is dropped).
    pub date: Timestamp,
    /// What the MIME boundary is made of: the delivery id.
    pub boundary_seed: &'a str,
}

impl Draft<'_> {
    /// The message, with CRLF line ends, ready to be signed. The same draft always gives the same bytes.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn build(&self) -> Result<Vec<u8>, MessageError> {
        if self.content.subject.chars().any(char::is_control) {
            return Err(MessageError::Subject);
        }
        let seconds = u64::try_from(self.date.as_second()).map_err(|_| MessageError::Date)?;
        let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let from = self.sender.mailbox()?;

        let mut builder = lettre::Message::builder()
            .date(date)
            .from(header_mailbox(&from, "From")?)
            .to(header_mailbox(self.to, "To")?)
            .subject(self.content.subject.as_str())
            .message_id(Some(self.message_id.0.clone()));
        if let Some(reply_to) = &self.sender.reply_to {
            builder = builder.reply_to(header_mailbox(&Mailbox::from(reply_to.clone()), "Reply-To")?);
        }
        let builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        let body = MultiPart::alternative()
            .boundary(self.boundary()?)
            .singlepart(part(ContentType::TEXT_PLAIN, &self.content.text))
            .singlepart(part(ContentType::TEXT_HTML, &self.content.html));
        let message = builder.multipart(body).map_err(|_| MessageError::Address("envelope"))?;
        Ok(message.formatted())
    }

    /// `=_` cannot occur in quoted-printable text (RFC 2045 §6.7), so no body line can be mistaken for a boundary.
    fn boundary(&self) -> Result<String, MessageError> {
        let seed: String = self.boundary_seed.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        if seed.is_empty() {
            return Err(MessageError::Boundary);
        }
        Ok(format!("=_{seed}"))
    }
}

fn part(kind: ContentType, body: &str) -> SinglePart {
    SinglePart::builder().content_type(kind).header(ContentTransferEncoding::QuotedPrintable).body(body.to_owned())
}

fn header_mailbox(mailbox: &Mailbox, which: &'static str) -> Result<LettreMailbox, MessageError> {
    Ok(LettreMailbox::new(mailbox.name().map(str::to_owned), header_address(mailbox.address(), which)?))
}

fn header_address(address: &EmailAddress, which: &'static str) -> Result<lettre::Address, MessageError> {
    lettre::Address::new(address.local(), address.domain()).map_err(|_| MessageError::Address(which))
}

#[cfg(test)]
mod tests;
