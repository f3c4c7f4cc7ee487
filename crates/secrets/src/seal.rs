//! Sealed content: AES-256-GCM-SIV (RFC 8452), bound to the row that it belongs to.
//!
//! A sealed value is `1` (the version), the length and text of the key's id, 12 bytes of nonce, the ciphertext and its tag.
//! The associated data is the kind of row, the row's id and that head: content that was moved to another row, or whose
//! head was changed, does not open.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::SecretSlice;

use crate::key::RootKey;
use crate::keyring::{Keyring, derive};
use crate::purpose::Purpose;

const VERSION: u8 = 1;

/// Where a sealed value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The kind of row: `delivery`.
    pub kind: &'a str,
    /// The row's id.
    pub id: &'a [u8],
}

/// Why a sealed value does not open. Permanent, except that a missing key may be put back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not made by [`Keyring::seal`], or by a newer release.
    #[error("this is not a sealed value")]
    NotSealed,
    /// The key has been taken off the ring.
    #[error("it was sealed with the key {0}, which is not among secrets.keys")]
    NoKey(String),
    /// Changed, cut, or of another row.
    #[error("it was changed, or belongs to another row")]
    Broken,
}

impl Keyring {
    /// Seals `plain` for `row` with the current key. At most 64 GiB.
    #[must_use]
    pub fn seal(&self, row: Row<'_>, plain: &[u8]) -> Vec<u8> {
        let (id, root) = self.in_turn().next().expect("a ring has a key");
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).expect("the operating system gives random bytes");
        let name = id.as_str().as_bytes();
        let mut head = vec![VERSION, u8::try_from(name.len()).expect("an id has at most 32 bytes")];
        head.extend_from_slice(name);
        head.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let aad = Aad::from(bound(row, &head));
        cipher(root, row.kind)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .expect("the content is below 64 GiB");
        head.extend_from_slice(&body);
        head
    }

    /// Opens what [`Keyring::seal`] made for the same row, with whichever key made it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, row: Row<'_>, sealed: &[u8]) -> Result<SecretSlice<u8>, OpenError> {
        let [VERSION, length, rest @ ..] = sealed else { return Err(OpenError::NotSealed) };
        let (name, rest) = rest.split_at_checked(usize::from(*length)).ok_or(OpenError::NotSealed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(OpenError::NotSealed)?;
        let name = std::str::from_utf8(name).map_err(|_| OpenError::NotSealed)?;
        let root = self.key(name).ok_or_else(|| OpenError::NoKey(name.to_owned()))?;
        let head = &sealed[..sealed.len() - body.len()];
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::NotSealed)?;
        let mut body = body.to_vec();
        let plain = cipher(root, row.kind)
            .open_in_place(nonce, Aad::from(bound(row, head)), &mut body)
            .map_err(|_| OpenError::Broken)?;
        let length = plain.len();
        body.truncate(length);
        Ok(SecretSlice::from(body))
    }
}

fn cipher(root: &RootKey, kind: &str) -> LessSafeKey {
    let key = derive(root, Purpose::Content, kind);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &key).expect("the key has 32 bytes"))
}

/// Lengths before texts, so that no two rows have the same associated data.
fn bound(row: Row<'_>, head: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(24 + row.kind.len() + row.id.len() + head.len());
    for part in [row.kind.as_bytes(), row.id, head] {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::keyring::ring;

    const ROW: Row<'_> = Row { kind: "delivery", id: b"1" };

    #[test]
    fn the_current_key_seals_and_an_older_one_still_opens() {
        let old = ring(&["k1"], None);
        let sealed = old.seal(ROW, b"reset me");
        let both = ring(&["k1", "k2"], None);
        assert_eq!(both.open(ROW, &sealed).unwrap().expose_secret(), b"reset me");
        let newer = both.seal(ROW, b"reset me");
        assert_eq!(old.open(ROW, &newer).unwrap_err(), OpenError::NoKey("k2".to_owned()));
        assert_eq!(ring(&["k2"], None).open(ROW, &newer).unwrap().expose_secret(), b"reset me");
    }

    #[test]
    fn content_opens_in_its_own_row_only() {
        let ring = ring(&["k1"], None);
        let sealed = ring.seal(ROW, b"x");
        for row in [Row { id: b"2", ..ROW }, Row { kind: "other", ..ROW }, Row { kind: "deliver", id: b"y1" }] {
            assert_eq!(ring.open(row, &sealed).unwrap_err(), OpenError::Broken);
        }
    }

    #[test]
    fn the_same_content_never_looks_the_same() {
        let ring = ring(&["k1"], None);
        assert_ne!(ring.seal(ROW, b"x"), ring.seal(ROW, b"x"));
    }

    #[test]
    fn what_is_opened_does_not_show_itself() {
        let ring = ring(&["k1"], None);
        let opened = ring.open(ROW, &ring.seal(ROW, b"canary")).unwrap();
        assert!(!format!("{opened:?}").contains("canary") && !format!("{opened:?}").contains("99, 97"));
    }

    proptest! {
        #[test]
        fn any_content_comes_back_and_any_changed_byte_is_noticed(
            plain in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8u8,
        ) {
            let ring = ring(&["k1"], None);
            let mut sealed = ring.seal(ROW, &plain);
            let opened = ring.open(ROW, &sealed).unwrap();
            prop_assert_eq!(opened.expose_secret(), plain.as_slice());
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(ring.open(ROW, &sealed).is_err());
            prop_assert!(ring.open(ROW, &sealed[..at]).is_err());
        }
    }
}
