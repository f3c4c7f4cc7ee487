//! Mail that callers of the API give us to send: what was asked for, once, and a delivery for each recipient.
//!
//! 1. Accepting one writes it and its deliveries together, under the caller's idempotency key (`accept`).
//! 2. What it says is sealed before it comes here; the e-mail job reads it back (`read`).

mod accept;
mod read;

use serde::{Deserialize, Serialize};

pub use accept::{EmailAccepted, NewEmail};
pub use read::Email;

/// Whom an email goes to, as `Name <address>` or an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailRecipients {
    /// Shown in To.
    pub to: Vec<String>,
    /// Shown in Cc.
    #[serde(default)]
    pub cc: Vec<String>,
    /// Shown nowhere.
    #[serde(default)]
    pub bcc: Vec<String>,
}
