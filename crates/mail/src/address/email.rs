//! One e-mail address: `local@domain`, in the form in which SMTP carries it.
//!
//! 1. Controls are refused before anything else: CR and LF are how headers and commands are injected.
//! 2. The last `@` splits; the local part is a dot-atom (RFC 5321 §4.1.2), at most 64 octets. A quoted string is refused:
//!    mailboxes of that form exist in test suites only, and hardly a relay on the way takes them.
//! 3. Beyond ASCII it may have what can be seen (RFC 6531 §3.3), brought into NFC (RFC 6532 §3.1), so that one mailbox is one
//!    text. Such an address needs a relay that offers SMTPUTF8: [`EmailAddress::is_ascii`].
//! 4. The domain goes through IDNA (RFC 5891): `Müller.example` is kept as `xn--mller-kva.example`, in lower case.
//! 5. The whole is at most 254 octets (RFC 5321 §4.5.3.1.3 allows a path of 256 with its brackets).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::AddressError;
use super::unseen::is_unseen;

const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 253;
const MAX_LABEL: usize = 63;

/// An address that SMTP can carry as it stands. Equality is by octets of the local part (it is case-sensitive, RFC 5321
/// §2.4) and by the lower-case ASCII form of the domain.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    text: String,
    at: usize,
}

impl EmailAddress {
    /// Parses `local@domain`. No display name, no angle brackets, no surrounding blanks.
    ///
    /// # Errors
    /// [`AddressError`], naming what is wrong; the address itself is never in the message.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        refuse_controls(text)?;
        if text.is_empty() {
            return Err(AddressError::Empty("address"));
        }
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoAt)?;
        let local = if local.is_ascii() { Cow::Borrowed(local) } else { Cow::Owned(local.nfc().collect()) };
        check_local(&local)?;
        let domain = ascii_domain(domain)?;
        let text = format!("{local}@{domain}");
        if text.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong { part: "address", limit: MAX_ADDRESS });
        }
        Ok(Self { at: local.len(), text })
    }

    /// The whole address; its domain in lower case and, where it was international, as punycode.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether every relay can carry it; otherwise one is needed that offers SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// What is before the `@`, as written, in NFC.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// What is after the `@`, in lower-case ASCII.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The form for logs: `m…@example.com`. It tells two domains apart, not two people.
    #[must_use]
    pub fn masked(&self) -> String {
        let first = self.text.chars().next().unwrap_or('…');
        format!("{first}…@{}", self.domain())
    }
}

fn refuse_controls(text: &str) -> Result<(), AddressError> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(AddressError::Control(u32::from(c))),
        None => Ok(()),
    }
}

fn check_local(local: &str) -> Result<(), AddressError> {
    if local.is_empty() {
        return Err(AddressError::Empty("local part"));
    }
    if local.len() > MAX_LOCAL {
        return Err(AddressError::TooLong { part: "local part", limit: MAX_LOCAL });
    }
    if local.starts_with('"') {
        return Err(AddressError::Quoted);
    }
    if let Some(found) = local.chars().find(|c| !is_atext(*c) && *c != '.') {
        return Err(AddressError::Character { part: "local part", found });
    }
    if local.split('.').any(str::is_empty) {
        return Err(AddressError::Character { part: "local part", found: '.' });
    }
    Ok(())
}

/// RFC 5322 §3.2.3, and RFC 6532 §3.2 for what is beyond ASCII, of which only what can be seen.
fn is_atext(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        false => !is_unseen(c),
    }
}

fn ascii_domain(domain: &str) -> Result<String, AddressError> {
    if domain.is_empty() {
        return Err(AddressError::Empty("domain"));
    }
    if domain.starts_with('[') {
        return Err(AddressError::Literal);
    }
    if let Some(found) = domain.chars().find(|c| c.is_whitespace() || "()<>,;:\\\"[]_@/%".contains(*c)) {
        return Err(AddressError::Character { part: "domain", found });
    }
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| AddressError::Domain)?;
    if ascii.len() > MAX_DOMAIN {
        return Err(AddressError::TooLong { part: "domain", limit: MAX_DOMAIN });
    }
    let labels: Vec<&str> = ascii.split('.').collect();
    if labels.len() < 2 || labels.iter().any(|label| label.is_empty()) {
        return Err(AddressError::Domain);
    }
    if labels.iter().any(|label| label.len() > MAX_LABEL) {
        return Err(AddressError::TooLong { part: "label", limit: MAX_LABEL });
    }
    // A last label of digits only would be an IPv4 address in disguise.
    let last_is_number = labels.last().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let bad_label = |label: &&str| {
        label.starts_with('-') || label.ends_with('-') || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if last_is_number || labels.iter().any(bad_label) {
        return Err(AddressError::Domain);
    }
    Ok(ascii)
}

impl FromStr for EmailAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.text
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<String, AddressError> {
        EmailAddress::parse(text).map(|address| address.as_str().to_owned())
    }

    #[test]
    fn ordinary_addresses_are_kept_and_the_domain_is_lower_cased() {
        assert_eq!(parse("Maria.Lopez+lessons@Example.COM").unwrap(), "Maria.Lopez+lessons@example.com");
        assert_eq!(parse("o'brien@example.co.uk").unwrap(), "o'brien@example.co.uk");
    }

    #[test]
    fn an_international_domain_becomes_punycode() {
        let address = EmailAddress::parse("info@Bücher.example").unwrap();
        assert_eq!(address.as_str(), "info@xn--bcher-kva.example");
        assert_eq!((address.local(), address.domain()), ("info", "xn--bcher-kva.example"));
    }

    #[test]
    fn a_quoted_local_part_is_refused_with_the_reason() {
        for text in [r#""two words"@example.com"#, r#""a\"b@c"@example.com"#, r#""a"@example.com"#] {
            assert_eq!(parse(text), Err(AddressError::Quoted), "{text}");
        }
    }

    #[test]
    fn an_international_local_part_is_kept_in_one_form() {
        let composed = EmailAddress::parse("j\u{fc}rgen@Example.com").unwrap();
        let decomposed = EmailAddress::parse("ju\u{308}rgen@example.com").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(decomposed.as_str(), "jürgen@example.com");
        assert!(!composed.is_ascii() && EmailAddress::parse("info@bücher.example").unwrap().is_ascii());
        for text in ["用户@例子.广告", "θσερ@εχαμπλε.ψομ", "अजय@example.com", "Ünal.o'neil+x@example.com"]
        {
            assert!(EmailAddress::parse(text).is_ok(), "{text}");
        }
        assert_eq!(parse("用户@例子.广告").unwrap(), "用户@xn--fsqu00a.xn--4rr70v");
    }

    #[test]
    fn what_cannot_be_seen_is_in_no_address() {
        for c in [
            '\u{a0}', '\u{ad}', '\u{200b}', '\u{200d}', '\u{202e}', '\u{2028}', '\u{3000}', '\u{feff}', '\u{fffd}',
            '\u{e000}', '\u{fffe}',
        ] {
            assert!(matches!(parse(&format!("a{c}b@example.com")), Err(AddressError::Character { .. })), "{c:?}");
        }
        assert!(matches!(parse("a\u{85}b@example.com"), Err(AddressError::Control(0x85))));
        let long = "ü".repeat(33);
        assert_eq!(parse(&format!("{long}@example.com")), Err(AddressError::TooLong { part: "local part", limit: 64 }));
    }

    #[test]
    fn everything_that_could_start_a_header_or_a_command_is_refused() {
        for text in [
            "a@b.example\r\nBcc: x@y.example",
            "a\n@b.example",
            "a\0b@c.example",
            "\"a\r\nb\"@c.example",
            "a@b.exa\u{85}mple",
        ] {
            assert!(matches!(parse(text), Err(AddressError::Control(_))), "{text:?}");
        }
        for text in [
            "<a@b.example>",
            "a@b.example>",
            "a b@c.example",
            "a@b.example,c@d.example",
            "a@b c.example",
            "Anna <a@b.example>",
        ] {
            assert!(matches!(parse(text), Err(AddressError::Character { .. })), "{text:?}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in [
            "",
            "@",
            "a@",
            "@b.example",
            "plain",
            ".a@b.example",
            "a..b@c.example",
            "a.@b.example",
            "a@b",
            "a@.example",
            "a@b..example",
            "a@-b.example",
            "a@b-.example",
            "a@[192.0.2.1]",
            "a@192.0.2.1",
            "\"a@b.example",
            "\"a\"b\"@c.example",
            "a@b.example.",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn lengths_are_limited() {
        let local = "a".repeat(65);
        assert_eq!(
            parse(&format!("{local}@example.com")),
            Err(AddressError::TooLong { part: "local part", limit: 64 })
        );
        let domain = format!("{}.example", vec!["b".repeat(60); 3].join("."));
        assert!(parse(&format!("{}@{domain}", "a".repeat(63))).is_ok());
        let long = format!("{0}.{0}.{domain}", "c".repeat(60));
        assert!(matches!(parse(&format!("a@{long}")), Err(AddressError::TooLong { .. } | AddressError::Domain)));
        assert!(parse(&format!("a@{}.example", "b".repeat(64))).is_err());
    }

    #[test]
    fn logs_see_only_the_first_letter() {
        let address = EmailAddress::parse("maria@example.com").unwrap();
        assert_eq!(address.masked(), "m…@example.com");
        assert_eq!(format!("{address:?}"), "EmailAddress(m…@example.com)");
    }

    #[test]
    fn json_is_parsed_at_the_edge() {
        assert!(serde_json::from_str::<EmailAddress>(r#""a@b.example\r\n""#).is_err());
        let address: EmailAddress = serde_json::from_str(r#""a@B.example""#).unwrap();
        assert_eq!(serde_json::to_string(&address).unwrap(), r#""a@b.example""#);
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_line_and_parses_to_itself(text in "\\PC{0,12}@\\PC{0,24}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(address.domain().is_ascii());
                prop_assert!(!address.as_str().chars().any(|c| c.is_control() || c.is_whitespace() || "<>,;:\"()[]\\".contains(c)));
                prop_assert_eq!(EmailAddress::parse(address.as_str()).unwrap(), address);
            }
        }
    }
}
