//! Sender profiles: the only addresses that a mail can come from.
//!
//! A profile is configured once (`alerts`, `hello`, `bookings`, `security`) and named by its key in jobs; there is no way
//! to write another From, so every mail that leaves comes from a domain whose SPF, DKIM and DMARC were set up for it.

use serde::{Deserialize, Serialize};

use crate::address::{AddressError, EmailAddress, Mailbox};

/// Whom a mail comes from and how it is treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderProfile {
    /// The name of the profile in the configuration and in jobs, as `bookings`.
    pub key: String,
    /// The From address; its domain signs.
    pub address: EmailAddress,
    /// The name before the address.
    pub display_name: Option<String>,
    /// Where answers go, if not to `address`.
    pub reply_to: Option<EmailAddress>,
    /// The DKIM selector whose key signs this profile's mail (`<selector>._domainkey.<domain>`).
    pub dkim_selector: String,
    /// How a mail of this profile is retried and what an unknown outcome means for it.
    pub class: MailClass,
}

impl SenderProfile {
    /// The From mailbox.
    ///
    /// # Errors
    /// The display name has a character that no header may carry.
    pub fn mailbox(&self) -> Result<Mailbox, AddressError> {
        Mailbox::new(self.display_name.as_deref(), self.address.clone())
    }
}

/// What kind of mail a profile sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailClass {
    /// One person waits for it and must not get it twice: confirmations, resets.
    Transactional,
    /// Twice is better than never: monitoring.
    Alert,
}

impl MailClass {
    /// Whether a mail whose outcome is unknown (the reply after the dot was lost) is sent again rather than held.
    #[must_use]
    pub fn resend_when_unknown(self) -> bool {
        match self {
            MailClass::Transactional => false,
            MailClass::Alert => true,
        }
    }
}
