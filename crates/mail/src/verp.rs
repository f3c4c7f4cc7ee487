//! The envelope sender of each mail, by which a bounce tells which mail it is about (VERP).
//!
//! `bounces+<delivery id, 32 hex digits>.<tag, 20 hex digits>@domain`: at most 61 octets before the `@` with the usual
//! `bounces` (RFC 5321 §4.5.3.1.1 allows 64). The tag is an HMAC over the id: nobody but us can make one, so a bounce that
//! carries it answers a mail that we sent. Digits are lower case and are read in either.

use crate::address::{AddressError, EmailAddress};

/// Hexadecimal digits of an id.
const ID: usize = 32;
/// Hexadecimal digits of a tag.
const TAG: usize = 20;

/// What an envelope sender says: for which delivery it was made, and the tag that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verp {
    /// The delivery's id: 32 hexadecimal digits, lower case.
    pub id: String,
    /// The tag: 20 hexadecimal digits, lower case.
    pub tag: String,
}

impl Verp {
    /// The address for one mail, at the same domain and below the same name as `bounces`, the plain address.
    ///
    /// # Errors
    /// [`AddressError::TooLong`] if the plain address has a local part of more than 10 octets.
    pub fn address(&self, bounces: &EmailAddress) -> Result<EmailAddress, AddressError> {
        EmailAddress::parse(&format!("{}+{}.{}@{}", bounces.local(), self.id, self.tag, bounces.domain()))
    }

    /// Reads an address to which a bounce was sent. What servers on the way put before it (`prvs=…=`, `SRS0=…`) is passed
    /// over; the tag alone says whether it is ours.
    #[must_use]
    pub fn parse(address: &str) -> Option<Self> {
        let local = address.trim_matches(['<', '>', ' ']).rsplit_once('@').map_or(address, |(local, _)| local);
        local.match_indices('+').find_map(|(plus, _)| {
            let (id, rest) = local.get(plus + 1..)?.split_once('.')?;
            let tag = rest.get(..TAG)?;
            let ends = rest[TAG..].chars().next().is_none_or(|c| !c.is_ascii_alphanumeric());
            let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
            (id.len() == ID && hex(id) && hex(tag) && ends)
                .then(|| Self { id: id.to_ascii_lowercase(), tag: tag.to_ascii_lowercase() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verp() -> Verp {
        Verp { id: "01983b5c7f1e7a009c1f2f6d8e1b4a77".to_owned(), tag: "00112233445566778899".to_owned() }
    }

    #[test]
    fn an_address_comes_back_as_it_was_made_whatever_servers_did_to_it() {
        let address = verp().address(&EmailAddress::parse("bounces@mail.example.com").unwrap()).unwrap();
        assert_eq!(address.as_str(), "bounces+01983b5c7f1e7a009c1f2f6d8e1b4a77.00112233445566778899@mail.example.com");
        assert_eq!(address.local().len(), 61);
        let local = address.local();
        for seen in [
            address.as_str().to_owned(),
            address.as_str().to_uppercase(),
            format!("<{address}>"),
            format!("prvs=1234567890={local}@mail.example.com"),
            format!("SRS0=HHH=TT=mail.example.com={local}@relay.example"),
        ] {
            assert_eq!(Verp::parse(&seen), Some(verp()), "{seen}");
        }
    }

    #[test]
    fn other_addresses_are_none() {
        let id = verp().id;
        for address in [
            String::new(),
            "bounces@mail.example.com".to_owned(),
            "ana+lessons@example.com".to_owned(),
            format!("bounces+{id}@mail.example.com"),
            format!("bounces+{id}.0011@mail.example.com"),
            format!("bounces+{id}.00112233445566778899aa@mail.example.com"),
            format!("bounces+{}.00112233445566778899@mail.example.com", &id[1..]),
        ] {
            assert_eq!(Verp::parse(&address), None, "{address}");
        }
    }
}
