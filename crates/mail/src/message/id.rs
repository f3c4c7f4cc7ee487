//! The identity of a message (RFC 5322 §3.6.4).

use std::fmt;

use super::MessageError;

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
