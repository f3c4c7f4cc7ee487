//! A mailbox: an address and, perhaps, the name that the reader sees before it.
//!
//! The name may be in any script; it is written into headers as an RFC 2047 encoded word where it is not plain ASCII.
//! Controls and bidirectional overrides are refused: the first inject headers, the second make a name read as something
//! that it is not.

use std::fmt;
use std::str::FromStr;

use super::unseen::is_bidi_control;
use super::{AddressError, EmailAddress};

/// Octets; a name that needs more is no name, and header lines stay far below their limit.
const MAX_NAME: usize = 256;

/// A name and an address, safe to put into a From or To header.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: EmailAddress,
}

impl Mailbox {
    /// A mailbox; a name that is empty or all blanks counts as none.
    ///
    /// # Errors
    /// [`AddressError::Control`] for CR, LF, NUL, other controls and bidirectional overrides, [`AddressError::TooLong`]
    /// beyond 256 octets.
    pub fn new(name: Option<&str>, address: EmailAddress) -> Result<Self, AddressError> {
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        if let Some(name) = name {
            if let Some(c) = name.chars().find(|c| c.is_control() || is_bidi_control(*c)) {
                return Err(AddressError::Control(u32::from(c)));
            }
            if name.len() > MAX_NAME {
                return Err(AddressError::TooLong { part: "name", limit: MAX_NAME });
            }
        }
        Ok(Self { name: name.map(str::to_owned), address })
    }

    /// The name, trimmed; never empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }
}

impl From<EmailAddress> for Mailbox {
    fn from(address: EmailAddress) -> Self {
        Self { name: None, address }
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    /// Reads `address`, `Name <address>` or `"Name" <address>` (RFC 5322 §3.4, without comments and groups).
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let Some((name, address)) = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) else {
            return EmailAddress::parse(text).map(Self::from);
        };
        let name = name.trim();
        let quoted = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let name = match quoted {
            // A quoted pair is its second character (RFC 5322 §3.2.4).
            Some(quoted) => {
                let mut plain = String::with_capacity(quoted.len());
                let mut chars = quoted.chars();
                while let Some(c) = chars.next() {
                    plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
                }
                plain
            }
            None => name.to_owned(),
        };
        Self::new(Some(&name), EmailAddress::parse(address.trim())?)
    }
}

impl fmt::Display for Mailbox {
    /// The form that [`Mailbox::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => write!(f, "{}", self.address),
            Some(name) => {
                write!(f, "\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), self.address)
            }
        }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.address.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> EmailAddress {
        EmailAddress::parse("zoe@example.com").unwrap()
    }

    #[test]
    fn a_mailbox_is_read_as_people_write_it_and_reads_back_as_it_is_shown() {
        for (text, name) in [
            ("zoe@example.com", None),
            (" <zoe@example.com> ", None),
            ("Zoë Fernández <zoe@example.com>", Some("Zoë Fernández")),
            ("\"O'Brien, \\\"Pat\\\"\" <zoe@example.com>", Some("O'Brien, \"Pat\"")),
        ] {
            let mailbox: Mailbox = text.parse().unwrap();
            assert_eq!((mailbox.name(), mailbox.address()), (name, &address()), "{text}");
            assert_eq!(mailbox.to_string().parse::<Mailbox>().unwrap(), mailbox, "{text}");
        }
        for bad in
            ["", "Zoë", "Zoë <>", "Zoë zoe@example.com", "a\r\nBcc: b@c.example <zoe@example.com>", "<a@b.example> x"]
        {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_in_any_script_are_kept() {
        for name in ["Zoë Fernández", "Łukasz", "李雷", "O'Brien, Pat (she/her)", "\"quoted\""] {
            assert_eq!(Mailbox::new(Some(name), address()).unwrap().name(), Some(name));
        }
        assert_eq!(Mailbox::new(Some("  "), address()).unwrap().name(), None);
    }

    #[test]
    fn names_that_could_start_a_header_or_turn_the_text_around_are_refused() {
        for name in ["Zoë\r\nBcc: a@b.example", "a\nb", "a\rb", "a\0b", "a\u{202E}b", "a\u{2028}b"] {
            assert!(matches!(Mailbox::new(Some(name), address()), Err(AddressError::Control(_))), "{name:?}");
        }
    }
}
