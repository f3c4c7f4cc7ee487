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
    /// Whether `allow` holds an address.
    #[must_use]
    pub fn lists(&self, ip: IpAddr) -> bool {
        self.allow.iter().any(|network| holds(network, ip))
    }

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

/// Whether `network`, an address with or without a length, holds `ip`.
fn holds(network: &str, ip: IpAddr) -> bool {
    let (address, length) = network.split_once('/').map_or((network, None), |(a, l)| (a, l.parse::<u32>().ok()));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let ((a, width), (b, other)) = (bits(address), bits(ip));
    width == other && (a ^ b).checked_shr(width.saturating_sub(length.unwrap_or(width))).unwrap_or(0) == 0
}

/// An address as a number, and how many bits it has.
fn bits(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn a_network_holds_its_addresses() {
        let holds = |network: &str, ip: &str| holds(network, ip.parse().unwrap());
        for (network, ip) in
            [("10.1.0.0/16", "10.1.255.3"), ("10.1.2.3", "10.1.2.3"), ("0.0.0.0/0", "9.9.9.9"), ("::/0", "::1")]
        {
            assert!(holds(network, ip), "{network} {ip}");
        }
        for (network, ip) in [("10.1.0.0/16", "10.2.0.1"), ("10.1.2.3", "10.1.2.4"), ("0.0.0.0/0", "::1")] {
            assert!(!holds(network, ip), "{network} {ip}");
        }
    }
}
