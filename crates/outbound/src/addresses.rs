//! Which addresses may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

/// What may be called, and how much of it is read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Networks that may be called although they are not of the Internet, and without TLS.
    pub allow: Vec<IpNet>,
    /// Certificate authorities beside the system's, in PEM.
    pub extra_roots: Option<Vec<u8>>,
    /// How long one call may take altogether.
    pub timeout: Duration,
    /// How many octets of an answer are read.
    pub limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { allow: Vec::new(), extra_roots: None, timeout: Duration::from_secs(10), limit: 64 << 10 }
    }
}

impl Settings {
    /// Whether the operator has listed this address.
    #[must_use]
    pub fn lists(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.allow.iter().any(|network| network.contains(&ip))
    }

    /// Whether this address may be called.
    #[must_use]
    pub fn permits(&self, ip: IpAddr) -> bool {
        self.lists(ip) || is_public(ip)
    }
}

/// Whether an address is one of the Internet (IANA special-purpose address registries).
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

/// 2000::/3 is what is given out; within it, addresses that carry an IPv4 address are judged by that.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarking, ORCHID, documentation.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_of_the_internet_may_be_called_and_no_others() {
        let settings = Settings::default();
        for public in ["93.184.216.34", "2606:2800:220:1::1", "8.8.8.8", "64:ff9b::808:808", "100.128.0.1"] {
            assert!(settings.permits(ip(public)), "{public}");
        }
        for inner in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
            "fec0::1",
        ] {
            assert!(!settings.permits(ip(inner)), "{inner}");
        }
    }

    #[test]
    fn a_listed_network_may_be_called_in_either_form() {
        let settings = Settings { allow: vec!["10.1.0.0/16".parse().unwrap()], ..Settings::default() };
        assert!(settings.permits(ip("10.1.2.3")) && settings.lists(ip("::ffff:10.1.2.3")));
        assert!(!settings.permits(ip("10.2.0.1")) && !settings.lists(ip("8.8.8.8")));
    }
}
