//! The RSA-2048 key of one selector: made, stored, read, published.
//!
//! 2048 bits is what receivers recommend (RFC 8301 §3.2) and what fits one TXT record; Ed25519 is still refused by some.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::DkimError;

const PEM_LINE: usize = 64;

/// A private key with its public half. `Debug` shows neither.
pub struct DkimKey {
    pkcs8: SecretSlice<u8>,
    public: Vec<u8>,
}

impl DkimKey {
    /// Makes a new RSA-2048 key; takes around 0.1 s of processor time.
    ///
    /// # Errors
    /// [`DkimError::Generate`].
    pub fn generate() -> Result<Self, DkimError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| DkimError::Generate)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| DkimError::Generate)?;
        Self::from_der(der.as_ref())
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote, or `openssl genpkey -algorithm RSA` (PKCS#8), or `openssl genrsa` of old
    /// (PKCS#1, RFC 8017 §A.1.2).
    ///
    /// # Errors
    /// [`DkimError::Key`].
    pub fn from_pem(pem: &str) -> Result<Self, DkimError> {
        let unread = |error: String| DkimError::Key(error);
        if let Ok(der) = PrivatePkcs1KeyDer::from_pem_slice(pem.as_bytes()) {
            let pair = KeyPair::from_der(der.secret_pkcs1_der()).map_err(|error| unread(error.to_string()))?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|error| unread(error.to_string()))?;
            return Self::from_der(der.as_ref());
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| unread(error.to_string()))?;
        Self::from_der(der.secret_pkcs8_der())
    }

    fn from_der(pkcs8: &[u8]) -> Result<Self, DkimError> {
        let pair = KeyPair::from_pkcs8(pkcs8).map_err(|error| DkimError::Key(error.to_string()))?;
        let public: PublicKeyX509Der<'_> =
            pair.public_key().as_der().map_err(|_| DkimError::Key("no public half".to_owned()))?;
        Ok(Self { pkcs8: SecretSlice::from(pkcs8.to_vec()), public: public.as_ref().to_vec() })
    }

    /// PKCS#8 PEM (RFC 7468 §10), to be kept in a file that only its owner can read.
    #[must_use]
    pub fn to_pem(&self) -> SecretString {
        let encoded = STANDARD.encode(self.pkcs8.expose_secret());
        let mut pem = String::with_capacity(encoded.len() + encoded.len() / PEM_LINE + 60);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for (index, c) in encoded.chars().enumerate() {
            if index > 0 && index % PEM_LINE == 0 {
                pem.push('\n');
            }
            pem.push(c);
        }
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        SecretString::from(pem)
    }

    /// The text of the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 §3.6.1).
    #[must_use]
    pub fn public_txt(&self) -> String {
        format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(&self.public))
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        self.pkcs8.expose_secret()
    }
}

impl fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DkimKey(rsa)")
    }
}
