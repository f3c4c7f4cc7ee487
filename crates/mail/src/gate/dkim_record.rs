//! A DKIM key record as it is published (RFC 6376 §3.6.1), and how long the key in it is.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::tags::{Tags, parts};

/// Publishers leave the padding out, or break the text with blanks; receivers read it all the same.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A published key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// `k=`: `rsa` unless given.
    pub kind: String,
    /// `p=`, decoded; empty where the key is revoked.
    pub key: Vec<u8>,
    /// `t=`: flags.
    pub flags: Vec<String>,
    /// `h=`: the hashes that may be used; none: all.
    pub hashes: Vec<String>,
    /// `s=`: the services that it is for; none: all.
    pub services: Vec<String>,
}

impl KeyRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it: permanent.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tags = Tags::parse(text)?;
        match (tags.first(), tags.get("v")) {
            (Some(("v", "DKIM1")), _) | (_, None) => {}
            (Some(("v", other)), _) => return Err(format!("v={other} is no version of DKIM: it has to be v=DKIM1")),
            _ => return Err("v= has to stand first".to_owned()),
        }
        let published: String = tags.get("p").ok_or("there is no p=")?.split_whitespace().collect();
        let key = LENIENT.decode(published).map_err(|_| "p= is not base64".to_owned())?;
        let list = |name: &str| -> Vec<String> {
            tags.get(name).map(|value| parts(value, ':').map(str::to_ascii_lowercase).collect()).unwrap_or_default()
        };
        Ok(Self {
            kind: tags.get("k").unwrap_or("rsa").to_ascii_lowercase(),
            key,
            flags: list("t"),
            hashes: list("h"),
            services: list("s"),
        })
    }

    /// Whether the key is withdrawn: an empty `p=`.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.key.is_empty()
    }

    /// The length of an RSA key in bits; nothing where it is no RSA key.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        rsa_modulus(&self.key).map(bits)
    }

    /// Whether this is the public half that `text` publishes.
    #[must_use]
    pub fn is_same_key(&self, text: &str) -> bool {
        let Ok(other) = Self::parse(text) else { return false };
        let same = match (rsa_modulus(&self.key), rsa_modulus(&other.key)) {
            // The same key may be written with or without its algorithm around it.
            (Some(a), Some(b)) => trimmed(a) == trimmed(b),
            _ => self.key == other.key,
        };
        same && self.kind == other.kind
    }
}

fn bits(modulus: &[u8]) -> usize {
    let modulus = trimmed(modulus);
    modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize)
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    &number[zeros..]
}

/// The modulus of an RSA key in DER: a SubjectPublicKeyInfo (RFC 5280 §4.1), or an RSAPublicKey alone (RFC 8017 §A.1.1).
fn rsa_modulus(der: &[u8]) -> Option<&[u8]> {
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    const SEQUENCE: u8 = 0x30;
    let (outer, _) = element(der, SEQUENCE)?;
    if let Some((modulus, _)) = element(outer, INTEGER) {
        return Some(modulus);
    }
    let (_algorithm, rest) = element(outer, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    let (key, _) = element(bits.strip_prefix(&[0])?, SEQUENCE)?;
    element(key, INTEGER).map(|(modulus, _)| modulus)
}

/// One DER element of a type: its content, and what follows it.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != kind {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let octets = usize::from(long & 0x7f);
            let (length, rest) = rest.split_at_checked(octets).filter(|_| (1..=4).contains(&octets))?;
            (length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::DkimKey;

    #[test]
    fn our_own_record_is_read_and_recognised_in_either_form() {
        let text = DkimKey::generate().unwrap().public_txt();
        let record = KeyRecord::parse(&text).unwrap();
        assert_eq!((record.rsa_bits(), record.kind.as_str()), (Some(2048), "rsa"));
        assert!(record.is_same_key(&text));
        assert!(!record.is_same_key(&DkimKey::generate().unwrap().public_txt()));
        // The bare RSAPublicKey begins 24 octets into the SubjectPublicKeyInfo of a 2048-bit key.
        let bare = KeyRecord { key: record.key[24..].to_vec(), ..record.clone() };
        assert_eq!(bare.rsa_bits(), Some(2048));
        assert!(bare.is_same_key(&text));
    }

    #[test]
    fn tags_are_read_as_written_by_hand() {
        let record = KeyRecord::parse("v=DKIM1; t=y:s; h=sha1 : sha256; s=email; p=AQ ID\tBA").unwrap();
        assert_eq!((record.key.as_slice(), record.flags.len()), (&[1u8, 2, 3, 4][..], 2));
        assert_eq!((record.hashes.as_slice(), record.rsa_bits()), (&["sha1", "sha256"].map(str::to_owned)[..], None));
        assert!(KeyRecord::parse("p=").unwrap().is_revoked());
    }

    #[test]
    fn what_is_no_key_record_is_told_why() {
        for (text, why) in [
            ("v=DKIM1; k=rsa", "no p="),
            ("v=DKIM2; p=AAAA", "v=DKIM1"),
            ("k=rsa; v=DKIM1; p=AAAA", "first"),
            ("v=DKIM1; p=!!", "base64"),
            ("hello", "no \"=\""),
        ] {
            assert!(KeyRecord::parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reader_panic(text in "(v=DKIM1; )?([a-z]=[ -~é]{0,20};? ?){0,4}", der in any::<Vec<u8>>()) {
            let bits = KeyRecord::parse(&text).map_or(None, |record| record.rsa_bits());
            prop_assert!(bits.is_none_or(|bits| bits < 1000));
            prop_assert!(rsa_modulus(&der).is_none_or(|modulus| modulus.len() <= der.len()));
        }
    }

    #[test]
    fn broken_der_is_no_key_and_no_panic() {
        for der in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x02, 0x02, 0x05], &[0x30, 0x80]] {
            assert_eq!(rsa_modulus(der), None);
        }
    }
}
