//! Short marks: a tag proves that something is ours, a pseudonym stands for something that must not be read.
//!
//! Both are HMAC-SHA256, in lower-case hexadecimal, so that they survive whoever changes the case of an address.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::keyring::{Keyring, derive, hmac_key};
use crate::purpose::Purpose;

/// Bytes of a tag: 80 bits, which nobody guesses over a network, and 20 characters.
const TAG: usize = 10;
/// Bytes of a pseudonym.
const PSEUDONYM: usize = 16;

impl Keyring {
    /// The tag of `data`: 20 hexadecimal digits.
    #[must_use]
    pub fn tag(&self, purpose: Purpose, data: &[u8]) -> String {
        let (_, root) = self.in_turn().next().expect("a ring has a key");
        hex(&hmac::sign(&hmac_key(root, purpose), data).as_ref()[..TAG])
    }

    /// Whether `tag` is the tag of `data` by any key of the ring, in either case.
    #[must_use]
    pub fn has_tag(&self, purpose: Purpose, data: &[u8], tag: &str) -> bool {
        let tag = tag.to_ascii_lowercase();
        self.in_turn().any(|(_, root)| {
            let ours = hex(&hmac::sign(&hmac_key(root, purpose), data).as_ref()[..TAG]);
            verify_slices_are_equal(ours.as_bytes(), tag.as_bytes()).is_ok()
        })
    }

    /// What stands for `data` (32 hexadecimal digits), by the current key.
    #[must_use]
    pub fn pseudonym(&self, purpose: Purpose, data: &[u8]) -> String {
        self.pseudonyms(purpose, data).next().expect("a ring has a key")
    }

    /// As [`Keyring::pseudonym`], under a key of its own for each `period`: what stands for the same data in two periods
    /// cannot be matched without the ring.
    #[must_use]
    pub fn pseudonym_in(&self, purpose: Purpose, period: &str, data: &[u8]) -> String {
        let (_, root) = self.in_turn().next().expect("a ring has a key");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &derive(root, purpose, &format!("hmac/{period}")));
        hex(&hmac::sign(&key, data).as_ref()[..PSEUDONYM])
    }

    /// What may stand for `data`, by each key of the ring, the current one first: for looking something up that was written
    /// down under an older key.
    pub fn pseudonyms(&self, purpose: Purpose, data: &[u8]) -> impl Iterator<Item = String> {
        self.in_turn().map(move |(_, root)| hex(&hmac::sign(&hmac_key(root, purpose), data).as_ref()[..PSEUDONYM]))
    }

    /// What stands for a person's address, in any case, once it was erased.
    #[must_use]
    pub fn shadow(&self, address: &str) -> String {
        self.pseudonym(Purpose::Address, address.to_lowercase().as_bytes())
    }

    /// What may stand for it, by each key of the ring, the current one first.
    #[must_use]
    pub fn shadows(&self, address: &str) -> Vec<String> {
        self.pseudonyms(Purpose::Address, address.to_lowercase().as_bytes()).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::ring;

    #[test]
    fn a_tag_is_known_again_by_every_key_and_in_either_case() {
        let tag = ring(&["k1"], None).tag(Purpose::Bounce, b"delivery");
        assert_eq!(tag.len(), 20);
        let both = ring(&["k1", "k2"], None);
        assert!(both.has_tag(Purpose::Bounce, b"delivery", &tag.to_uppercase()));
        assert!(!both.has_tag(Purpose::Bounce, b"another", &tag));
        assert!(!both.has_tag(Purpose::Address, b"delivery", &tag));
        assert!(!both.has_tag(Purpose::Bounce, b"delivery", &tag[1..]));
        assert!(!ring(&["k2"], None).has_tag(Purpose::Bounce, b"delivery", &tag));
    }

    #[test]
    fn a_pseudonym_of_a_period_is_none_of_another() {
        let ring = ring(&["k1"], None);
        let of = |period| ring.pseudonym_in(Purpose::Network, period, b"192.0.2.1");
        assert_eq!(of("20782"), of("20782"));
        assert_ne!(of("20782"), of("20783"));
        assert_ne!(of("20782"), ring.pseudonym(Purpose::Network, b"192.0.2.1"));
    }

    #[test]
    fn a_pseudonym_is_found_again_after_the_key_was_changed() {
        let before = ring(&["k1"], None).pseudonym(Purpose::Address, b"ana@example.com");
        let after = ring(&["k1", "k2"], None);
        assert_ne!(after.pseudonym(Purpose::Address, b"ana@example.com"), before);
        assert!(after.pseudonyms(Purpose::Address, b"ana@example.com").any(|p| p == before));
        // That of an address does not ask for its case.
        assert_ne!(after.shadow("Ana@Example.com"), before);
        assert_eq!(after.shadows("Ana@Example.com"), [after.shadow("ana@example.com"), before]);
    }
}
