//! A root key: 256 random bits and the id under which it is known.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::SecretString;

/// Sets our derivations apart from everybody else's that may use the same key by mistake.
const SALT: &[u8] = b"postrider secrets 1";

/// Why a key or an id cannot be used. Permanent; the text of the key is never in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not an id.
    #[error("an id is 1 to 32 of a-z, 0-9, _ and -")]
    Id,
    /// Not 256 bits.
    #[error("must be 256 random bits: 64 hexadecimal digits, or 44 characters of base64")]
    Length,
    /// The same byte over and over: somebody filled in a form.
    #[error("must be random: this is one byte repeated")]
    NotRandom,
}

/// The name of a root key: 1 to 32 of `a-z`, `0-9`, `_` and `-`. It travels in the clear with what the key made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The most bytes of an id.
    pub const LONGEST: usize = 32;

    /// # Errors
    /// [`KeyError::Id`].
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let fits = (1..=Self::LONGEST).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(KeyError::Id) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 256 bits that nobody sees: only what HKDF extracted from them is kept.
pub struct RootKey(Prk);

impl RootKey {
    /// Takes the key's bytes.
    ///
    /// # Errors
    /// [`KeyError::NotRandom`] for one byte repeated.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        if bytes.iter().all(|b| *b == bytes[0]) {
            return Err(KeyError::NotRandom);
        }
        Ok(Self(Salt::new(HKDF_SHA256, SALT).extract(bytes)))
    }

    /// Reads a key as people write it: 64 hexadecimal digits, or base64 in either alphabet, padded or not.
    ///
    /// # Errors
    /// [`KeyError::Length`], [`KeyError::NotRandom`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let bytes = hex(text).or_else(|| base64(text)).ok_or(KeyError::Length)?;
        Self::new(&bytes)
    }

    /// A new key from the operating system's randomness, as text (base64, 44 characters).
    #[must_use]
    pub fn generate() -> SecretString {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        SecretString::from(STANDARD.encode(bytes))
    }

    pub(crate) fn prk(&self) -> &Prk {
        &self.0
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey([secret])")
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

fn base64(text: &str) -> Option<[u8; 32]> {
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .into_iter()
        .find_map(|engine| engine.decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_key_is_written_in_hexadecimal_or_base64() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        for text in [hex, &hex.to_uppercase(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"] {
            assert!(RootKey::parse(text).is_ok(), "{text}");
        }
        for text in ["", "00", &hex[2..], &format!("{hex}00"), "AAECAwQFBgcICQoLDA0ODw==", "not a key at all, is it?"] {
            assert_eq!(RootKey::parse(text).unwrap_err(), KeyError::Length, "{text}");
        }
    }

    #[test]
    fn a_placeholder_is_no_key() {
        assert_eq!(RootKey::parse(&"0".repeat(64)).unwrap_err(), KeyError::NotRandom);
        assert_eq!(RootKey::parse(&"A".repeat(43)).unwrap_err(), KeyError::NotRandom);
    }

    #[test]
    fn new_keys_differ_and_can_be_read_back() {
        let (a, b) = (RootKey::generate(), RootKey::generate());
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert!(RootKey::parse(a.expose_secret()).is_ok());
    }

    #[test]
    fn ids_are_plain_words() {
        assert!(KeyId::new("k2026-11_a").is_ok());
        for bad in ["", "K1", "a.b", "a b", &"k".repeat(33)] {
            assert_eq!(KeyId::new(bad), Err(KeyError::Id), "{bad}");
        }
    }
}
