//! The entry for a calendar that travels with a booking's mail (RFC 5545, RFC 5546).
//!
//! - **One entry a booking.** The UID comes from the booking; what changes raises SEQUENCE. So a rescheduled lesson moves
//!   in the reader's calendar and a cancelled one leaves it, instead of standing there twice.
//! - **Times are UTC instants.** A lesson is one appointment, not a rule, so there is nothing for a VTIMEZONE to say; each
//!   program shows the instant in its owner's zone. Zone definitions are what programs disagree on: Outlook maps them by
//!   name to rules of its own, which may be older than ours.
//! - **It is settled.** Attendees are written as having accepted, without a request to answer: a booking is confirmed on
//!   the marketplace, and answers to the organizer's address would reach nobody.
//! - **Stable bytes.** DTSTAMP is an input, the properties have one order: a retry attaches the same file.
//!
//! Gmail and Outlook show an entry only to those who are named in it: name the reader as attendee, and usually nobody
//! else, for the file shows every attendee's address.

mod write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::EmailAddress;

/// The largest SEQUENCE (RFC 5545 §3.3.8).
const MAX_SEQUENCE: u32 = i32::MAX as u32;

/// Why an invitation cannot be written. Always permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// A field has a control character, is empty, or is too long.
    #[error("the invitation's {0} cannot be written")]
    Field(&'static str),
    /// The sequence is beyond 2³¹−1.
    #[error("the invitation's sequence is beyond 2147483647")]
    Sequence,
    /// The lesson has no length, or ends beyond the year 9999.
    #[error("the invitation's times are out of range")]
    Time,
}

/// What the reader's calendar does with the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Enter it, or bring it to this sequence.
    Request,
    /// Take it out.
    Cancel,
}

impl Method {
    /// The word of RFC 5546 §1.4.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Request => "REQUEST",
            Method::Cancel => "CANCEL",
        }
    }
}

/// A name and an address in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// What is shown; if absent, the address.
    pub name: Option<String>,
    /// Where they get mail. The organizer's should be the mail's From.
    pub address: EmailAddress,
}

/// An entry for a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The entry's identity, the same for a booking's whole life: see [`uid`].
    pub uid: String,
    /// Rises with every change that the reader is sent; 0 to 2³¹−1.
    pub sequence: u32,
    /// Enter or take out.
    pub method: Method,
    /// When it begins.
    pub starts_at: Timestamp,
    /// How long it takes, at least a minute.
    pub duration_minutes: u32,
    /// One line, as `Conversational German with Jürgen Müller`.
    pub summary: String,
    /// Any number of lines.
    pub description: Option<String>,
    /// Where, as people say it.
    pub location: Option<String>,
    /// Where, on the web: `https:` or `http:`.
    pub url: Option<String>,
    /// Whom it is from.
    pub organizer: Person,
    /// Who takes part: the reader.
    pub attendees: Vec<Person>,
}

impl Invite {
    /// The entry as an `.ics` file with CRLF line ends. `stamp` becomes DTSTAMP (whole seconds); the same input gives the
    /// same bytes.
    ///
    /// # Errors
    /// [`InviteError`].
    pub fn write(&self, stamp: Timestamp) -> Result<String, InviteError> {
        write::write(self, stamp)
    }
}

/// The UID of a booking's entry, made of its id and the domain that sends (RFC 7986 §5.3 asks for one that is unique in
/// the world).
#[must_use]
pub fn uid(booking_id: &str, domain: &str) -> String {
    format!("booking-{booking_id}@{domain}")
}

#[cfg(test)]
mod tests;
