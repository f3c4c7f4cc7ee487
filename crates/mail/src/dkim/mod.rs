//! DKIM (RFC 6376): the key, its DNS record, and signing.
//!
//! [`DkimKey`] is made once, kept as PKCS#8 PEM, and published as a TXT record. [`DkimSigner`] is parsed once from it
//! and signs any number of messages, from any thread: `rsa-sha256`, `relaxed/relaxed`, no `l=` (a body that can be added
//! to is not signed), and with every header that a reader trusts listed once more than it occurs, so that nobody can
//! add a second From below the signature (§8.15).

mod key;
mod sign;

pub use key::DkimKey;
pub use sign::DkimSigner;

/// Why a key cannot be used or a message not be signed. Always permanent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DkimError {
    /// The machine could not make a key.
    #[error("an RSA key could not be made")]
    Generate,
    /// Not a PKCS#8 PEM with an RSA key of at least 2048 bits.
    #[error("the DKIM key cannot be read: {0}")]
    Key(String),
    /// The message has no header to sign.
    #[error("the message has no headers")]
    NoHeaders,
    /// Domain or selector is no DNS name.
    #[error("{0:?} is not a DNS name")]
    Name(String),
    /// The signature itself failed.
    #[error("the message could not be signed: {0}")]
    Sign(String),
}
