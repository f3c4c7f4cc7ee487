//! Tokens for links: whoever holds one may do one thing to one subject, until it expires.
//!
//! A token is `<key id>.<expiry and subject, base64url>.<HMAC-SHA256 of purpose and both, base64url>`: it stands in a URL
//! as it is. The subject can be read by its holder; it cannot be changed.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;

use crate::keyring::{Keyring, hmac_key};
use crate::purpose::Purpose;

/// No token is longer: nothing longer is decoded.
const LONGEST: usize = 4096;

/// Why a link does nothing. Permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Cut, changed, made for something else, or by a key that is gone.
    #[error("the link is not valid")]
    Invalid,
    /// It was valid once.
    #[error("the link has expired")]
    Expired,
}

impl Keyring {
    /// A token with which `purpose` can be done to `subject` until `expires`.
    #[must_use]
    pub fn sign_link(&self, purpose: Purpose, subject: &str, expires: Timestamp) -> String {
        let (id, root) = self.in_turn().next().expect("a ring has a key");
        let mut payload = expires.as_millisecond().to_be_bytes().to_vec();
        payload.extend_from_slice(subject.as_bytes());
        let signed = format!("{id}.{}", BASE64.encode(payload));
        let mac = hmac::sign(&hmac_key(root, purpose), signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(mac))
    }

    /// The subject of a token that was made for `purpose` and has not expired at `now`.
    ///
    /// # Errors
    /// [`LinkError`]. That it has expired is only told of a token that is ours.
    pub fn verify_link(&self, purpose: Purpose, token: &str, now: Timestamp) -> Result<String, LinkError> {
        let token = Some(token).filter(|token| token.len() <= LONGEST).ok_or(LinkError::Invalid)?;
        let (signed, mac) = token.rsplit_once('.').ok_or(LinkError::Invalid)?;
        let (id, payload) = signed.split_once('.').ok_or(LinkError::Invalid)?;
        let root = self.key(id).ok_or(LinkError::Invalid)?;
        let mac = BASE64.decode(mac).map_err(|_| LinkError::Invalid)?;
        hmac::verify(&hmac_key(root, purpose), signed.as_bytes(), &mac).map_err(|_| LinkError::Invalid)?;
        let payload = BASE64.decode(payload).map_err(|_| LinkError::Invalid)?;
        let (expires, subject) = payload.split_first_chunk::<8>().ok_or(LinkError::Invalid)?;
        if now.as_millisecond() >= i64::from_be_bytes(*expires) {
            return Err(LinkError::Expired);
        }
        String::from_utf8(subject.to_vec()).map_err(|_| LinkError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::ring;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_link_works_until_it_expires_and_for_its_purpose_only() {
        let ring = ring(&["k1"], None);
        let token = ring.sign_link(Purpose::Unsubscribe, "ana@example.com report", at("2026-12-01T00:00:00Z"));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{token}");
        let verify = |purpose, now| ring.verify_link(purpose, &token, at(now));
        assert_eq!(verify(Purpose::Unsubscribe, "2026-11-30T23:59:59Z").as_deref(), Ok("ana@example.com report"));
        assert_eq!(verify(Purpose::Unsubscribe, "2026-12-01T00:00:00Z"), Err(LinkError::Expired));
        assert_eq!(verify(Purpose::Acknowledge, "2026-11-30T23:59:59Z"), Err(LinkError::Invalid));
    }

    #[test]
    fn an_older_key_still_verifies_and_a_removed_one_does_not() {
        let token = ring(&["k1"], None).sign_link(Purpose::Unsubscribe, "x", at("2026-12-01T00:00:00Z"));
        let now = at("2026-11-24T00:00:00Z");
        assert!(ring(&["k1", "k2"], None).verify_link(Purpose::Unsubscribe, &token, now).is_ok());
        let gone = ring(&["k2"], None).verify_link(Purpose::Unsubscribe, &token, now);
        assert_eq!(gone, Err(LinkError::Invalid));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let ring = ring(&["k1"], None);
        let token = ring.sign_link(Purpose::Unsubscribe, "ana@example.com", at("2026-12-01T00:00:00Z"));
        for i in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[i] = if forged[i] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            let answer = ring.verify_link(Purpose::Unsubscribe, &forged, at("2026-11-24T00:00:00Z"));
            assert_eq!(answer, Err(LinkError::Invalid), "{i}");
        }
        for nothing in ["", ".", "..", "k1", "k1..", &"a".repeat(5000)] {
            let answer = ring.verify_link(Purpose::Unsubscribe, nothing, at("2026-11-24T00:00:00Z"));
            assert_eq!(answer, Err(LinkError::Invalid), "{nothing}");
        }
    }
}
