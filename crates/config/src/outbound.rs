//! `[outbound]`: whom this installation may call over HTTP.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::check::Check;
use crate::list;

/// Whom this installation may call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// Addresses and networks (`10.1.0.0/16`) that may be called although they are not of the Internet, and without TLS.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub allow: Vec<String>,
    /// Certificate authorities beside the system's, in PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl Outbound {
    pub(crate) fn validate(&self, check: &mut Check) {
        for network in &self.allow {
            let (address, length) = network.split_once('/').map_or((network.as_str(), None), |(a, l)| (a, Some(l)));
            let fits = address.parse::<IpAddr>().is_ok_and(|ip| {
                let most = if ip.is_ipv4() { 32 } else { 128 };
                length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
            });
            let reason = format!("{network:?} is no address and no network: 10.1.2.3 or 10.1.0.0/16");
            check.that(fits, "allow", reason);
        }
    }
}
