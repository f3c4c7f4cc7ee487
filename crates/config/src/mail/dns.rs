//! `[mail.dns]`: whom to ask about domains.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;

use crate::list;

/// The port of name servers (RFC 1035 §4.2).
const PORT: u16 = 53;

/// Whom to ask about domains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailDns {
    /// Name servers; none: those of the system.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub servers: Vec<NameServer>,
}

/// A name server: an address, with or without a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameServer(pub SocketAddr);

impl FromStr for NameServer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let with_port = text.parse::<SocketAddr>().ok();
        let address = with_port.or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT)));
        address.map(Self).ok_or("must be an address, like 9.9.9.9 or 127.0.0.1:5353")
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
