//! TLS with the system's certificate authorities, loaded at the first call.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::error::OutboundError;

/// Makes the connector once, when it is first needed: reading the system's authorities takes a while.
pub struct Tls {
    extra: Option<Vec<u8>>,
    made: OnceLock<Result<TlsConnector, OutboundError>>,
}

impl Tls {
    /// With authorities beside the system's, in PEM.
    pub fn new(extra: Option<Vec<u8>>) -> Self {
        Self { extra, made: OnceLock::new() }
    }

    /// The connector.
    pub fn connector(&self) -> Result<TlsConnector, OutboundError> {
        self.made.get_or_init(|| self.make()).clone()
    }

    fn make(&self) -> Result<TlsConnector, OutboundError> {
        let wrong = |why: String| OutboundError::Roots(why);
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in self.extra.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem)) {
            roots.add(certificate.map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is none to trust".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|e| wrong(e.to_string()))?;
        Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }
}
