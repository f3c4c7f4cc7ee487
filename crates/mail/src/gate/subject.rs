//! What a check is about: everything of our own that a receiver will compare with the DNS.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::dkim::DkimSigner;

/// A sender's domain, and what goes over the wire for it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The domain of the From addresses, in lower case.
    pub domain: String,
    /// The names of the sender profiles at this domain; empty for a domain that nobody sends from.
    pub senders: Vec<String>,
    /// The domains of their Reply-To addresses, where those are others.
    pub reply_domains: Vec<String>,
    /// The domain of MAIL FROM, where bounces go.
    pub bounce_domain: String,
    /// The local part of MAIL FROM.
    pub bounce_local: String,
    /// The name given in EHLO.
    pub helo: String,
    /// The ways on which its mail reaches receivers, the usual one first; at least one.
    pub routes: Vec<Route>,
    /// The keys of the domain.
    pub keys: Vec<SigningKey>,
}

/// A way on which mail reaches receivers: the relay that it is handed to, and what SPF must let in for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The relay's name, as in the ledger; empty where none is configured.
    pub relay: String,
    /// The addresses from which mail reaches receivers, where they are our own.
    pub egress: Vec<IpAddr>,
    /// The names by which the relay is let in (`include:`), where it is somebody else's.
    pub includes: Vec<String>,
    /// How the relay is spoken to.
    pub link: Option<RelayLink>,
}

/// A key, and what it is used for.
#[derive(Clone)]
pub struct SigningKey {
    /// Its selector.
    pub selector: String,
    /// The record that publishes it.
    pub public_txt: String,
    /// Signs the probe.
    pub signer: Arc<DkimSigner>,
    /// What it is used for.
    pub used: KeyUse,
}

/// What a key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// It signs.
    Signs,
    /// It will sign once it is published.
    Next,
    /// It signed until a short while ago: mail on its way still needs its record.
    Previous,
}

/// How the relay is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLink {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether nothing is sent without TLS.
    pub encrypted: bool,
    /// Whether TLS begins with the first byte.
    pub implicit_tls: bool,
}

impl Subject {
    /// What a finding about one way must name: its relay, where there are several.
    pub(super) fn mark(&self, route: &Route) -> Option<String> {
        (self.routes.len() > 1).then(|| route.relay.clone())
    }

    /// The addresses of our own that mail leaves from, on whichever way, each once.
    pub(super) fn egress(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = Vec::new();
        for ip in self.routes.iter().flat_map(|route| &route.egress) {
            if !all.contains(ip) {
                all.push(*ip);
            }
        }
        all
    }
}

impl Route {
    /// Whether mail reaches receivers from addresses of our own.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        !self.egress.is_empty()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {:?})", self.selector, self.used)
    }
}
