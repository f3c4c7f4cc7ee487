//! Sender profiles: the only addresses that a mail can come from.
//!
//! A profile is configured once (`alerts`, `hello`, `bookings`, `security`) and named by its key in jobs; there is no way
//! to write another From, so every mail that leaves comes from a domain whose SPF, DKIM and DMARC were set up for it.

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
