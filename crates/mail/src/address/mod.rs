//! Addresses that are parsed once, at the edge, and never checked again.
//!
//! [`EmailAddress`] is what a mail is sent to or from; [`Mailbox`] adds the name that a person reads. Both refuse
//! everything with which a client could write a header of its own (CR, LF, NUL and other controls), and neither prints
//! itself in clear through `Debug`, so that a stray log line does not carry a person's address.

mod email;
mod mailbox;
mod unseen;

pub use email::EmailAddress;
pub use mailbox::Mailbox;

/// Why a text is not an address. Always permanent: the same text fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing, or nothing on one side of the `@`.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// No `@` at all.
    #[error("there is no @")]
    NoAt,
    /// Longer than the protocol carries.
    #[error("the {part} is longer than {limit} octets")]
    TooLong {
        /// `address`, `local part`, `domain`, `label` or `name`.
        part: &'static str,
        /// The limit, in octets.
        limit: usize,
    },
    /// CR, LF, NUL or another control character: these end a line or a command in SMTP and in a header.
    #[error("a control character (U+{0:04X}) is not allowed")]
    Control(u32),
    /// A character that RFC 5321 does not allow there.
    #[error("{found:?} is not allowed in the {part}")]
    Character {
        /// `local part` or `domain`.
        part: &'static str,
        /// The character.
        found: char,
    },
    /// The local part is a quoted string: legal, but no person has one, and few relays take it.
    #[error("a quoted local part is not supported")]
    Quoted,
    /// The domain is no domain name, or only one label (RFC 5321 §2.3.5 wants a fully qualified one).
    #[error("the domain is not a fully qualified domain name")]
    Domain,
    /// An address literal (`[192.0.2.1]`): legal, but no person has one.
    #[error("an address literal is not supported")]
    Literal,
}
