//! Certificates made for one test: an authority and a certificate for 127.0.0.1 that it signed.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Files of one server's TLS, in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority: what a client must be given to trust the server.
    pub ca_file: PathBuf,
    pub(super) cert_file: PathBuf,
    pub(super) key_file: PathBuf,
}

impl Tls {
    /// Makes authority, key and certificate (names `localhost` and `127.0.0.1`) in `dir`.
    ///
    /// # Panics
    /// When `dir` cannot be written.
    #[must_use]
    pub fn create(dir: &Path) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no name is no bad name");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("there is randomness");
        let authority_cert = authority.self_signed(&authority_key).expect("the parameters are complete");
        let issuer = Issuer::new(authority, authority_key);

        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server_key = KeyPair::generate().expect("there is randomness");
        let server = CertificateParams::new(names).expect("the names are valid");
        let server_cert = server.signed_by(&server_key, &issuer).expect("the parameters are complete");

        let write = |name: &str, pem: String| {
            let path = dir.join(name);
            std::fs::write(&path, pem).expect("the scratch folder is writable");
            path
        };
        Self {
            ca_file: write("ca.pem", authority_cert.pem()),
            cert_file: write("server.pem", server_cert.pem()),
            key_file: write("server.key", server_key.serialize_pem()),
        }
    }
}
