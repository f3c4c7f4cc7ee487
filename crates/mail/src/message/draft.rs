//! What one message is made of, and the making of it.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, MessageBuilder, MultiPart, SinglePart};

use super::attachment::base64_part;
use super::people::people_field;
use super::{Attachment, Header, MessageError, MessageId, check_shape, quoted, words};
use crate::address::{EmailAddress, Mailbox};
use crate::calendar::Invite;
use crate::render::Rendered;
use crate::sender::SenderProfile;

/// Octets of a subject.
const MAX_SUBJECT: usize = 1000;
/// Octets of the boundary's own part.
const MAX_SEED: usize = 60;

/// Everything that one message is made of. [`Draft::new`] names what every message has; the rest is added:
/// `Draft { attachments: &files, ..Draft::new(…) }`.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Who sends; the From comes from here.
    pub sender: &'a SenderProfile,
    /// Who is shown in To; at least one. Usually the one that the envelope names, but a mail to several people shows all.
    pub to: &'a [Mailbox],
    /// Who is shown in Cc.
    pub cc: &'a [Mailbox],
    /// Where answers go; if empty, where the sender's profile says.
    pub reply_to: &'a [Mailbox],
    /// Subject, text and HTML. Without HTML the message has a text part only.
    pub content: &'a Rendered,
    /// The message's identity, stable over retries.
    pub message_id: &'a MessageId,
    /// The Date header and the invitation's DTSTAMP, stable over retries (whole seconds; the rest is dropped).
    pub date: Timestamp,
    /// What the MIME boundaries are made of: the delivery id.
    pub boundary_seed: &'a str,
    /// Further header fields.
    pub headers: &'a [Header],
    /// Files; those with a content id are shown in the HTML.
    pub attachments: &'a [Attachment],
    /// An entry for the reader's calendar.
    pub invite: Option<&'a Invite>,
    /// Whether the message goes out under SMTPUTF8 (RFC 6531), because its reader's address needs it. Without, addresses
    /// beyond ASCII are shown in a form that every server carries and nobody can answer to (RFC 6857 §3.1.8).
    pub utf8: bool,
}

impl<'a> Draft<'a> {
    /// A message with nothing but its text.
    #[must_use]
    pub fn new(
        sender: &'a SenderProfile,
        to: &'a [Mailbox],
        content: &'a Rendered,
        message_id: &'a MessageId,
        date: Timestamp,
        boundary_seed: &'a str,
    ) -> Self {
        Self {
            sender,
            to,
            cc: &[],
            reply_to: &[],
            content,
            message_id,
            date,
            boundary_seed,
            headers: &[],
            attachments: &[],
            invite: None,
            utf8: false,
        }
    }

    /// The message, with CRLF line ends, ready to be signed. The same draft always gives the same bytes.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn build(&self) -> Result<Vec<u8>, MessageError> {
        let text = body("text", &self.content.text)?;
        let html = body("HTML", &self.content.html)?;
        if self.content.text.trim().is_empty() {
            return Err(MessageError::NoText);
        }
        let builder = self.head()?;
        let message = match self.body(text, html)? {
            Content::One(part) => builder.singlepart(part),
            Content::Many(part) => builder.multipart(part),
        };
        let bytes = message.map_err(|_| MessageError::Address("envelope"))?.formatted();
        check_shape(&bytes)?;
        Ok(bytes)
    }

    fn head(&self) -> Result<MessageBuilder, MessageError> {
        let seconds = u64::try_from(self.date.as_second()).map_err(|_| MessageError::Date)?;
        if self.to.is_empty() {
            return Err(MessageError::NoRecipient);
        }
        let from = [self.sender.mailbox()?];
        let mut builder = self.people(lettre::Message::builder(), &from, "From")?;
        builder = builder.date(UNIX_EPOCH + Duration::from_secs(seconds));
        builder = self.people(builder, self.to, "To")?;
        builder = self.people(builder, self.cc, "Cc")?;
        builder = self.subject(builder)?.message_id(Some(self.message_id.as_str().to_owned()));
        let own = self.sender.reply_to.clone().map(Mailbox::from);
        let reply_to = if self.reply_to.is_empty() { own.as_slice() } else { self.reply_to };
        builder = self.people(builder, reply_to, "Reply-To")?;
        // The builder makes an envelope of what it can read in the header; that of this message is made elsewhere.
        let envelope = lettre::address::Envelope::new(None, vec![header_address(&self.sender.address, "From")?]);
        builder = builder.envelope(envelope.map_err(|_| MessageError::Address("envelope"))?);
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        for header in self.headers {
            builder = builder.raw_header(header.to_lettre()?);
        }
        Ok(builder)
    }

    /// A field of people, if there are any. An answer must reach its address from everywhere, so that is ASCII.
    fn people(
        &self,
        builder: MessageBuilder,
        people: &[Mailbox],
        name: &'static str,
    ) -> Result<MessageBuilder, MessageError> {
        if people.is_empty() {
            return Ok(builder);
        }
        let answers = name == "From" || name == "Reply-To";
        if answers && people.iter().any(|person| !person.address().is_ascii()) {
            return Err(MessageError::Address(name));
        }
        let written = people_field(people, self.utf8);
        let shown = people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let name = HeaderName::new_from_ascii_str(name);
        Ok(builder.raw_header(HeaderValue::dangerous_new_pre_encoded(name, shown, written)))
    }

    fn subject(&self, builder: MessageBuilder) -> Result<MessageBuilder, MessageError> {
        let subject = self.content.subject.as_str();
        if subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err(MessageError::Subject);
        }
        if !words::needs_care(subject) {
            return Ok(builder.subject(subject));
        }
        let name = HeaderName::new_from_ascii_str("Subject");
        let value = HeaderValue::dangerous_new_pre_encoded(name, subject.to_owned(), words::encoded(subject));
        Ok(builder.raw_header(value))
    }

    fn body(&self, text: Body, html: Body) -> Result<Content, MessageError> {
        let text = text_part(ContentType::TEXT_PLAIN, text);
        let invite = self.invite.map(|invite| Ok::<_, MessageError>((invite.method, invite.write(self.date)?)));
        let invite = invite.transpose()?;
        let (shown, attached): (Vec<_>, Vec<_>) =
            self.attachments.iter().partition(|file| file.content_id().is_some() && !html.is_empty());

        let mut parts = Vec::new();
        if !html.is_empty() {
            let html = text_part(ContentType::TEXT_HTML, html);
            parts.push(match shown.as_slice() {
                [] => Content::One(html),
                pictures => {
                    let related = MultiPart::related().boundary(self.boundary("r")?).singlepart(html);
                    Content::Many(add(related, pictures)?)
                }
            });
        }
        if let Some((method, ics)) = &invite {
            let kind = content_type(&format!("text/calendar; charset=utf-8; method={}", method.as_str()))?;
            parts.push(Content::One(base64_part(SinglePart::builder().content_type(kind), ics.clone().into_bytes())));
        }
        let mut content = Content::One(text);
        if !parts.is_empty() {
            let alternative = MultiPart::alternative().boundary(self.boundary("a")?).build();
            content = Content::Many(parts.into_iter().fold(content.within(alternative), |all, part| part.within(all)));
        }
        if invite.is_none() && attached.is_empty() {
            return Ok(content);
        }
        let mut mixed = content.within(MultiPart::mixed().boundary(self.boundary("m")?).build());
        if let Some((_, ics)) = invite {
            let kind = content_type("application/ics; name=\"invite.ics\"")?;
            let builder = SinglePart::builder().content_type(kind).header(ContentDisposition::attachment("invite.ics"));
            mixed = mixed.singlepart(base64_part(builder, ics.into_bytes()));
        }
        Ok(Content::Many(add(mixed, &attached)?))
    }

    /// `=_` cannot occur in quoted-printable (RFC 2045 §6.7) or base64 text, so no line can be mistaken for a boundary;
    /// the level stands before the seed, so none is the beginning of another.
    fn boundary(&self, level: &str) -> Result<String, MessageError> {
        let seed: String = self.boundary_seed.chars().filter(char::is_ascii_alphanumeric).take(MAX_SEED).collect();
        if seed.is_empty() {
            return Err(MessageError::Boundary);
        }
        Ok(format!("=_{level}{seed}"))
    }
}

/// One part or several.
enum Content {
    One(SinglePart),
    Many(MultiPart),
}

impl Content {
    fn within(self, outer: MultiPart) -> MultiPart {
        match self {
            Content::One(part) => outer.singlepart(part),
            Content::Many(parts) => outer.multipart(parts),
        }
    }
}

fn add(outer: MultiPart, files: &[&Attachment]) -> Result<MultiPart, MessageError> {
    files.iter().try_fold(outer, |outer, file| Ok(outer.singlepart(file.to_part()?)))
}

/// A text as it goes over the wire; what could not be shown is refused. Encoded here and not by the builder, which moves all
/// that follows at each line end.
fn body(which: &'static str, text: &str) -> Result<Body, MessageError> {
    let encoded = quoted::encode(text).map_err(|_| MessageError::Control(which))?;
    Ok(Body::dangerous_pre_encoded(encoded, ContentTransferEncoding::QuotedPrintable))
}

fn text_part(kind: ContentType, body: Body) -> SinglePart {
    SinglePart::builder().content_type(kind).header(ContentTransferEncoding::QuotedPrintable).body(body)
}

fn content_type(text: &str) -> Result<ContentType, MessageError> {
    ContentType::parse(text).map_err(|_| MessageError::Attachment("type"))
}

fn header_address(address: &EmailAddress, which: &'static str) -> Result<lettre::Address, MessageError> {
    if !address.is_ascii() {
        return Err(MessageError::Address(which));
    }
    lettre::Address::new(address.local(), address.domain()).map_err(|_| MessageError::Address(which))
}
