//! One person, by their address: everything that is kept of them, and taking it out.
//!
//! 1. `find`: the bookings that they are a party of (by the projection, and by the mails that they got) and their mails.
//! 2. `export`: all of it, for the person to read.
//! 3. `person`: the ids that the marketplace knows them by.
//! 4. `erase`: names, addresses and texts go; what remains is what the platform needs to stay right: idempotency keys (so
//!    that nothing is sent twice), states and times, and the keyed hash of an address that must not be written to.

mod erase;
mod export;
mod find;
mod person;
mod scrub;

pub use erase::Erased;
pub use export::{PersonExport, PersonMail};

/// What stands in place of an erased address. `.invalid` never resolves (RFC 2606 §2), and the e-mail job does not even try.
pub const ERASED_ADDRESS: &str = "erased@erased.invalid";

/// What stands in place of an erased name or id.
pub(crate) const ERASED: &str = "erased";
