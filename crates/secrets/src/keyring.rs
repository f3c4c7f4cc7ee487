//! The ring: all root keys of an installation, and which of them is current.

use std::fmt;

use aws_lc_rs::hkdf::KeyType;
use aws_lc_rs::hmac;

use crate::key::{KeyId, RootKey};
use crate::purpose::Purpose;

/// Why there is no ring. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// Without a key nothing can be sealed.
    #[error("there is no key")]
    Empty,
    /// The same id twice.
    #[error("the id {0} is given twice")]
    Twice(KeyId),
    /// The current key is not among them.
    #[error("there is no key {0}")]
    NoSuchKey(KeyId),
}

/// Root keys by id; the current one seals and signs, all open and verify.
pub struct Keyring {
    current: usize,
    keys: Vec<(KeyId, RootKey)>,
}

impl Keyring {
    /// A ring. Without `current` the key whose id sorts last is the current one (`k20261124` after `k20260301`).
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn new(
        keys: impl IntoIterator<Item = (KeyId, RootKey)>,
        current: Option<&KeyId>,
    ) -> Result<Self, KeyringError> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(KeyringError::Twice(pair[0].0.clone()));
        }
        let last = keys.len().checked_sub(1).ok_or(KeyringError::Empty)?;
        let current = match current {
            None => last,
            Some(id) => keys.iter().position(|key| key.0 == *id).ok_or_else(|| KeyringError::NoSuchKey(id.clone()))?,
        };
        Ok(Self { current, keys })
    }

    /// A ring of one new key that nobody else has: for tests and trials.
    #[must_use]
    pub fn ephemeral() -> Self {
        use secrecy::ExposeSecret;
        let key = RootKey::parse(RootKey::generate().expose_secret()).expect("a new key can be read");
        Self::new([(KeyId::new("ephemeral").expect("a plain word"), key)], None).expect("one key is a ring")
    }

    /// The id of the key that seals and signs.
    #[must_use]
    pub fn current(&self) -> &KeyId {
        &self.keys[self.current].0
    }

    /// All ids, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().map(|key| &key.0)
    }

    /// The current key first, then the others: the order in which something is tried.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &(KeyId, RootKey)> {
        let (before, from) = self.keys.split_at(self.current);
        from.iter().take(1).chain(from.iter().skip(1).rev()).chain(before.iter().rev())
    }

    pub(crate) fn key(&self, id: &str) -> Option<&RootKey> {
        self.keys.iter().find(|key| key.0.as_str() == id).map(|key| &key.1)
    }
}

/// 32 bytes for `purpose`, and for `detail` within it.
pub(crate) fn derive(root: &RootKey, purpose: Purpose, detail: &str) -> [u8; 32] {
    let info = [purpose.label().as_bytes(), b"/", detail.as_bytes()];
    let mut bytes = [0; 32];
    let okm = root.prk().expand(&info, Bytes32).expect("32 bytes are within 255 blocks (RFC 5869 §2.3)");
    okm.fill(&mut bytes).expect("the lengths are the same");
    bytes
}

/// The HMAC-SHA256 key for `purpose`.
pub(crate) fn hmac_key(root: &RootKey, purpose: Purpose) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive(root, purpose, "hmac"))
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("current", self.current())
            .field("ids", &self.ids().map(KeyId::as_str).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) fn ring(ids: &[&str], current: Option<&str>) -> Keyring {
    let keys = ids.iter().map(|id| {
        let mut bytes = [7; 32];
        bytes[..id.len()].copy_from_slice(id.as_bytes());
        (KeyId::new(id).unwrap(), RootKey::new(&bytes).unwrap())
    });
    Keyring::new(keys, current.map(|id| KeyId::new(id).unwrap()).as_ref()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_id_is_current_unless_one_is_named() {
        assert_eq!(ring(&["b", "a", "c"], None).current().as_str(), "c");
        let named = ring(&["b", "a", "c"], Some("b"));
        let turn: Vec<_> = named.in_turn().map(|key| key.0.as_str()).collect();
        assert_eq!((named.current().as_str(), turn), ("b", vec!["b", "c", "a"]));
    }

    #[test]
    fn a_ring_needs_a_key_and_no_id_twice() {
        assert_eq!(Keyring::new([], None).unwrap_err(), KeyringError::Empty);
        let id = KeyId::new("a").unwrap();
        let key = || RootKey::parse(&"01".repeat(31).replacen("01", "0102", 1)).unwrap();
        let twice = Keyring::new([(id.clone(), key()), (id.clone(), key())], None).unwrap_err();
        assert_eq!(twice, KeyringError::Twice(id.clone()));
        let other = KeyId::new("b").unwrap();
        assert_eq!(Keyring::new([(id, key())], Some(&other)).unwrap_err(), KeyringError::NoSuchKey(other));
    }

    #[test]
    fn purposes_and_keys_do_not_share_anything() {
        let ring = ring(&["a", "b"], None);
        let (a, b) = (ring.key("a").unwrap(), ring.key("b").unwrap());
        let mut all = vec![derive(a, Purpose::Content, "x"), derive(a, Purpose::Content, "y")];
        all.extend([derive(a, Purpose::Bounce, "x"), derive(b, Purpose::Bounce, "x")]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn debug_shows_ids_only() {
        let shown = format!("{:?} {:?}", ring(&["a"], None), ring(&["a"], None).key("a"));
        assert_eq!(shown, r#"Keyring { current: KeyId("a"), ids: ["a"], .. } Some(RootKey([secret]))"#);
    }
}
