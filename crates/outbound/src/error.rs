//! Why a call did not come to an answer.

use std::net::IpAddr;

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// No URL that can be called: permanent.
    #[error("{0}")]
    Url(String),
    /// An address that must not be called: permanent if the URL has it; a name may lead elsewhere by and by.
    #[error("{host} leads to {ip}, which is not of the Internet and not listed in outbound.allow")]
    Refused {
        /// The name in the URL.
        host: String,
        /// The address behind it.
        ip: IpAddr,
    },
    /// The name has no address, or nobody could say: transient.
    #[error("{host} cannot be resolved: {why}")]
    Unresolved {
        /// The name in the URL.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The connection failed or broke: transient.
    #[error("{0}")]
    Network(String),
    /// TLS failed, as a rule for want of a valid certificate: transient, certificates get mended.
    #[error("TLS: {0}")]
    Tls(String),
    /// No answer in time: transient.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than what is read: permanent.
    #[error("the answer has more than {0} octets")]
    TooLarge(usize),
    /// There is no certificate authority to trust: permanent.
    #[error("certificate authorities: {0}")]
    Roots(String),
}

impl OutboundError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { host, .. } => host.trim_matches(['[', ']']).parse::<IpAddr>().is_err(),
            Self::Unresolved { .. } | Self::Network(_) | Self::Tls(_) | Self::Timeout => true,
            Self::Url(_) | Self::TooLarge(_) | Self::Roots(_) => false,
        }
    }
}
