//! Whether an address lies in a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `ip` and `network` agree in their first `bits`.
pub fn in_v4(ip: Ipv4Addr, network: Ipv4Addr, bits: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
    (u32::from(ip) ^ u32::from(network)) & mask == 0
}

/// Whether `ip` and `network` agree in their first `bits`.
pub fn in_v6(ip: Ipv6Addr, network: Ipv6Addr, bits: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
    (u128::from(ip) ^ u128::from(network)) & mask == 0
}

/// Whether one of `hosts` is `ip` to so many bits of its family.
pub fn any_near(ip: IpAddr, hosts: &[IpAddr], v4: u8, v6: u8) -> bool {
    hosts.iter().any(|host| match (ip, host) {
        (IpAddr::V4(ip), IpAddr::V4(host)) => in_v4(ip, *host, v4),
        (IpAddr::V6(ip), IpAddr::V6(host)) => in_v6(ip, *host, v6),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_its_networks_and_in_no_other() {
        let (ip, near) = (Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::new(192, 0, 2, 8));
        assert!(in_v4(ip, near, 31) && !in_v4(ip, near, 32) && in_v4(ip, Ipv4Addr::UNSPECIFIED, 0));
        let (six, far) = ("2001:db8::1".parse().unwrap(), "2001:db9::".parse().unwrap());
        assert!(in_v6(six, far, 31) && !in_v6(six, far, 32) && in_v6(six, far, 0) && in_v6(six, six, 128));
    }
}
