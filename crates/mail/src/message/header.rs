//! Header fields beside those that every message has, checked once.
//!
//! A field comes from us (`List-Unsubscribe`) or from a caller (`X-Order`). Its name must be one that the message does
//! not write itself; its value is one line of plain ASCII. So nobody adds a second From, a Bcc or a forged signature, and
//! no value starts a field of its own.

use std::fmt;

use lettre::message::header::{HeaderName, HeaderValue};

use super::MessageError;

/// Octets of a value. The field is folded at its blanks.
const MAX_VALUE: usize = 2000;
/// Octets of a word of a value: with the name before it the line stays below 998 (RFC 5322 §2.1.1).
const MAX_WORD: usize = 900;
/// Octets of a name.
const MAX_NAME: usize = 76;
/// Lines are folded near here (RFC 5322 §2.1.1).
const FOLD_AT: usize = 76;

/// Names that the message writes, or that only servers on its way may write.
const RESERVED: [&str; 19] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "auto-submitted",
    "received",
    "received-spf",
    "return-path",
    "delivered-to",
    "dkim-signature",
    "domainkey-signature",
    "authentication-results",
    "disposition-notification-to",
];
/// Families of such names.
const RESERVED_FAMILIES: [&str; 3] = ["content-", "arc-", "resent-"];

/// A further header field.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

impl Header {
    /// A field of this name and value; blanks around the value are dropped.
    ///
    /// # Errors
    /// [`MessageError::HeaderName`] for what is no field name (RFC 5322 §3.6.8), is longer than 76 octets or belongs to
    /// the message itself; [`MessageError::HeaderValue`] for controls, for anything but ASCII, and beyond 2000 octets or
    /// 900 without a blank.
    pub fn new(name: &str, value: &str) -> Result<Self, MessageError> {
        let lower = name.to_ascii_lowercase();
        let token =
            !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        let taken =
            RESERVED.contains(&lower.as_str()) || RESERVED_FAMILIES.iter().any(|family| lower.starts_with(family));
        if !token || taken {
            return Err(MessageError::HeaderName(name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()));
        }
        let value = value.trim_matches(' ');
        let plain = value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        let fits = value.len() <= MAX_VALUE && value.split(' ').all(|word| word.len() <= MAX_WORD);
        if value.is_empty() || !plain || !fits {
            return Err(MessageError::HeaderValue(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// The two fields of one-click unsubscribing (RFC 8058 §3): a `POST` to `url` takes the reader off the list.
    ///
    /// # Errors
    /// [`MessageError::HeaderValue`] if `url` is not an `https:` or `http:` URL of at most 900 visible ASCII characters
    /// without angle brackets. `http:` is for development; mailbox providers act on `https:` only.
    pub fn one_click_unsubscribe(url: &str) -> Result<[Self; 2], MessageError> {
        let name = "List-Unsubscribe";
        let web = url.starts_with("https://") || url.starts_with("http://");
        if !web || url.contains(['<', '>', ' ', ',']) {
            return Err(MessageError::HeaderValue(name.to_owned()));
        }
        Ok([Self::new(name, &format!("<{url}>"))?, Self::new("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")?])
    }

    /// The field's name, as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The field's value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Folded here and not by the builder, which would encode a word that it finds too long: an encoded URL is none.
    pub(super) fn to_lettre(&self) -> Result<HeaderValue, MessageError> {
        let name =
            HeaderName::new_from_ascii(self.name.clone()).map_err(|_| MessageError::HeaderName(self.name.clone()))?;
        let mut folded = String::with_capacity(self.value.len() + 8);
        let mut column = self.name.len() + 2;
        for (index, word) in self.value.split(' ').filter(|word| !word.is_empty()).enumerate() {
            if index > 0 {
                let fold = column + 1 + word.len() > FOLD_AT;
                folded.push_str(if fold { "\r\n " } else { " " });
                column = if fold { 1 } else { column + 1 };
            }
            folded.push_str(word);
            column += word.len();
        }
        Ok(HeaderValue::dangerous_new_pre_encoded(name, self.value.clone(), folded))
    }
}

impl fmt::Debug for Header {
    /// The value may be a link that acts: it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_the_messages_own_are_refused() {
        for name in ["From", "BCC", "sender", "Content-Type", "content-x", "DKIM-Signature", "ARC-Seal", "Resent-To"] {
            assert!(matches!(Header::new(name, "x"), Err(MessageError::HeaderName(_))), "{name}");
        }
        for name in ["", "A B", "A:", "Ä", "A\r\nBcc", "A\0", &"x".repeat(77)] {
            assert!(matches!(Header::new(name, "x"), Err(MessageError::HeaderName(_))), "{name:?}");
        }
        assert_eq!(Header::new("X-Order", " 17 ").unwrap().value(), "17");
    }

    #[test]
    fn values_are_one_line_of_ascii() {
        for value in ["", "  ", "a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b", "a\tb", "ä", &"x".repeat(901)] {
            assert!(matches!(Header::new("X-A", value), Err(MessageError::HeaderValue(_))), "{value:?}");
        }
    }

    #[test]
    fn unsubscribing_takes_a_web_address() {
        let [list, post] = Header::one_click_unsubscribe("https://mail.example.com/u/abc").unwrap();
        assert_eq!((list.name(), list.value()), ("List-Unsubscribe", "<https://mail.example.com/u/abc>"));
        assert_eq!((post.name(), post.value()), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        for url in
            ["mailto:a@b.example", "https://a.example/>,<http://b.example", "https://a.example/ b", "javascript:1"]
        {
            assert!(Header::one_click_unsubscribe(url).is_err(), "{url}");
        }
    }
}
