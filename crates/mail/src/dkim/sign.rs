//! Signing a message.
//!
//! mail-auth canonicalizes, hashes and signs; its own `sign` asks the machine for the time, so the steps are put
//! together here with the time as a parameter: the same message at the same time gets the same signature, and a retry
//! sends the same bytes.

use jiff::Timestamp;
use mail_auth::common::crypto::{RsaKey, Sha256, SigningKey as _};
use mail_auth::common::headers::{HeaderStream, Writable, Writer};
use mail_auth::dkim::canonicalize::CanonicalHeaders;
use mail_auth::dkim::{Canonicalization, Signature};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{DkimError, DkimKey};

/// What is signed if it is there, and one more of each than there are. RFC 6376 §5.4.1 names them; Reply-To is among
/// them because an added one would divert answers, and the list headers because mailbox providers act on them.
const SIGNED_HEADERS: [&str; 13] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// A key bound to a domain and a selector. Cheap to use from many threads; make it once.
pub struct DkimSigner {
    key: RsaKey<Sha256>,
    template: Signature,
}

impl DkimSigner {
    /// Binds `key` to the signing domain (`d=`) and selector (`s=`).
    ///
    /// # Errors
    /// [`DkimError::Name`] if one of them is no DNS name, [`DkimError::Key`].
    pub fn new(key: &DkimKey, domain: &str, selector: &str) -> Result<Self, DkimError> {
        for name in [domain, selector] {
            let fits = |label: &str| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            };
            if !name.split('.').all(fits) {
                return Err(DkimError::Name(name.to_owned()));
            }
        }
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()));
        let key = RsaKey::<Sha256>::from_key_der(der).map_err(|error| DkimError::Key(error.to_string()))?;
        let template = Signature {
            v: 1,
            a: key.algorithm(),
            d: domain.to_owned(),
            s: selector.to_owned(),
            // Each name twice: the first pairs with the header that is there, the second is the oversigning.
            h: SIGNED_HEADERS.iter().chain(&SIGNED_HEADERS).map(|name| (*name).to_owned()).collect(),
            ch: Canonicalization::Relaxed,
            cb: Canonicalization::Relaxed,
            ..Signature::default()
        };
        Ok(Self { key, template })
    }

    /// The signing domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.template.d
    }

    /// The message with its `DKIM-Signature` in front. `at` becomes `t=`; use the message's own date, so that a retry
    /// makes the same bytes.
    ///
    /// # Errors
    /// [`DkimError::NoHeaders`], [`DkimError::Sign`].
    pub fn sign(&self, message: &[u8], at: Timestamp) -> Result<Vec<u8>, DkimError> {
        let (_, headers, signed_names, body) = self.template.canonicalize(HeaderLines { rest: message });
        if message.is_empty() || message.starts_with(b"\r\n") {
            return Err(DkimError::NoHeaders);
        }
        let mut signature = self.template.clone();
        signature.bh = self.key.hash(body).as_ref().to_vec();
        signature.t = u64::try_from(at.as_second()).unwrap_or(0);
        signature.h = signed_names;
        signature.b = self
            .key
            .sign(ToSign { headers, signature: &signature })
            .map_err(|error| DkimError::Sign(error.to_string()))?;

        let mut signed = Vec::with_capacity(message.len() + 1024);
        signature.write(&mut signed, true);
        close_tightly(&mut signed);
        signed.extend_from_slice(message);
        Ok(signed)
    }
}

/// Takes a fold away that stands between the signature and the `;` after it. By RFC 6376 §3.7 the blanks around the value of
/// `b=` are no part of what is signed; dkimpy leaves those behind it where they are, and finds the signature broken.
fn close_tightly(field: &mut Vec<u8>) {
    const LOOSE: &[u8] = b"\r\n\t;\r\n";
    if field.ends_with(LOOSE) {
        field.truncate(field.len() - LOOSE.len());
        field.extend_from_slice(b";\r\n");
    }
}

/// What the signature covers: the headers, then the signature's own header with an empty `b=` (RFC 6376 §3.7).
struct ToSign<'a> {
    headers: CanonicalHeaders<'a>,
    signature: &'a Signature,
}

impl Writable for ToSign<'_> {
    fn write(self, writer: &mut impl Writer) {
        self.headers.write(writer);
        self.signature.write(writer, false);
    }
}

/// Walks the header fields of a message with CRLF line ends; continuation lines belong to their field.
struct HeaderLines<'x> {
    rest: &'x [u8],
}

impl<'x> HeaderStream<'x> for HeaderLines<'x> {
    fn next_header(&mut self) -> Option<(&'x [u8], &'x [u8])> {
        if self.rest.is_empty() || self.rest.starts_with(b"\r\n") {
            return None;
        }
        let mut end = 0;
        loop {
            end += self.rest[end..].iter().position(|b| *b == b'\n').map_or(self.rest.len() - end, |at| at + 1);
            if !matches!(self.rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, rest) = self.rest.split_at(end);
        let colon = field.iter().position(|b| *b == b':')?;
        self.rest = rest;
        Some((&field[..colon], &field[colon + 1..]))
    }

    fn body(&mut self) -> &'x [u8] {
        self.rest.strip_prefix(b"\r\n").unwrap_or(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_blank_stands_between_the_signature_and_its_end() {
        let key = DkimKey::generate().unwrap();
        let at = Timestamp::from_second(1_795_420_800).unwrap();
        // Selectors of every length move the folds through the field.
        for length in 1..=40 {
            let signer = DkimSigner::new(&key, "postrider.test", &"s".repeat(length)).unwrap();
            let signed = signer.sign(b"From: a@postrider.test\r\nSubject: x\r\n\r\nbody\r\n", at).unwrap();
            let text = String::from_utf8(signed).unwrap();
            let field = text.split("From: a@").next().unwrap();
            let end = field.trim_end_matches("\r\n");
            assert!(end.ends_with(|c: char| c.is_ascii_alphanumeric() || "=;".contains(c)), "{field}");
            assert!(!end.trim_end_matches(';').ends_with(['\t', ' ', '\n']), "{field}");
        }
    }

    #[test]
    fn header_fields_keep_their_continuation_lines() {
        let mut lines = HeaderLines { rest: b"From: a@b.example\r\nSubject: one\r\n two\r\n\r\nbody\r\n" };
        assert_eq!(lines.next_header(), Some((&b"From"[..], &b" a@b.example\r\n"[..])));
        assert_eq!(lines.next_header(), Some((&b"Subject"[..], &b" one\r\n two\r\n"[..])));
        assert_eq!(lines.next_header(), None);
        assert_eq!(lines.body(), b"body\r\n");
    }
}
