//! From rendered content to the bytes of one RFC 5322 message.
//!
//! 1. From is the sender profile's address and nothing else. To and Cc are what the reader is shown; the one mailbox that
//!    the mail goes to is the envelope's, and Bcc is never written.
//! 2. Everything that could differ between two attempts (Message-ID, Date, MIME boundaries) is an input, so a retry, on
//!    another machine or a day later, makes the same bytes, and a receiver that got both can tell that they are one.
//! 3. The body, plain text always first (RFC 2046 §5.1.4: the last part that a program can show is the preferred one):
//!
//!    ```text
//!    multipart/mixed                    if there are files or an invitation
//!      multipart/alternative
//!        text/plain                     always
//!        multipart/related              if pictures are shown in the HTML
//!          text/html
//!          image/png, Content-ID        …
//!        text/calendar; method=…        the invitation, for programs that show it in place
//!      application/ics                  the same, for those that take a file
//!      application/pdf                  …
//!    ```
//!
//!    Text and HTML are UTF-8 in quoted-printable, all else is base64: ASCII on the wire, no line over 76 octets, stable
//!    under DKIM whatever relays do to 8-bit text.
//! 4. `Auto-Submitted: auto-generated` (RFC 3834 §5) keeps vacation responders quiet.
//! 5. The finished bytes are looked at once more ([`check_shape`]): lines, line ends, and each field once.

mod attachment;
mod draft;
mod header;
mod id;
mod people;
mod quoted;
mod shape;
mod words;

pub use attachment::Attachment;
pub use draft::Draft;
pub use header::Header;
pub use id::MessageId;
pub use shape::{ShapeError, check_shape};
pub use words::ascii_words;

use crate::address::AddressError;
use crate::calendar::InviteError;

/// Why a message cannot be built. Always permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The subject has a line break or another control character, or more than 1000 octets.
    #[error("the subject has a control character or is too long")]
    Subject,
    /// The text part is empty: a mail that only HTML programs can read.
    #[error("there is no text part")]
    NoText,
    /// A CR without LF, a NUL or another control character in a part.
    #[error("the {0} has a control character")]
    Control(&'static str),
    /// The sender's display name cannot be written into a header.
    #[error("the sender's display name: {0}")]
    SenderName(#[from] AddressError),
    /// An address that this crate accepts but the message format does not carry there: beyond ASCII it stands in To and Cc
    /// only.
    #[error("the {0} address cannot be written into a header")]
    Address(&'static str),
    /// To is empty.
    #[error("there is no one in To")]
    NoRecipient,
    /// Not `<left@right>` in plain ASCII (RFC 5322 §3.6.4).
    #[error("not a message id")]
    MessageId,
    /// The date is before 1970 or beyond the year 9999.
    #[error("the date is out of range")]
    Date,
    /// The boundary seed is empty.
    #[error("the boundary seed is empty")]
    Boundary,
    /// No field name, or one that the message writes itself.
    #[error("{0:?} cannot be the name of a header field here")]
    HeaderName(String),
    /// A value that is no line of ASCII of bearable length.
    #[error("the value of the header field {0} has to be one line of ASCII")]
    HeaderValue(String),
    /// Part of an attachment cannot be written.
    #[error("the {0} of the attachment is not allowed")]
    Attachment(&'static str),
    /// The invitation cannot be written.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// What was built would not be taken; a fault of this crate.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

#[cfg(test)]
mod tests;
