//! SPF (RFC 7208), evaluated as receivers do and counted as they count.
//!
//! 1. [`parse`] reads a record; a record with one bad term is bad altogether (§4.6).
//! 2. [`macros`] fill in addresses and names (§7).
//! 3. [`walk`] evaluates the record for one address and goes on to the end of every branch, so that the limits are judged
//!    by the worst that a receiver can meet: ten lookups, two of them void, ten mail exchangers (§4.6.4), no circles.
//!
//! What a receiver answers for an address is [`Walked::result`]; everything else is what it cost and what was met.

mod address;
mod macros;
mod parse;
mod walk;
mod walked;

pub use parse::Qualifier;
pub use walk::walk;
pub use walked::{Ending, Outcome, Walked};

/// Who is asked about: the connection that the mail would come over, and what it would say.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The address that connects.
    pub ip: std::net::IpAddr,
    /// The local part of MAIL FROM.
    pub local: &'a str,
    /// The domain of MAIL FROM, or the EHLO name.
    pub domain: &'a str,
    /// The EHLO name.
    pub helo: &'a str,
}
