//! Ports on 127.0.0.1 that are free now.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the system takes the ports of outgoing connections (32768 on Linux, 49152 elsewhere): a
/// server that is restarted must find its port unused, and a client that keeps dialling a dead port must not connect to
/// itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on. Another process may take it before it is used: whoever starts a server tries again with
/// another then.
///
/// # Panics
/// When all of them are taken.
#[must_use]
pub fn free_port() -> u16 {
    // Processes that run at the same time begin at different places.
    let start = u16::try_from(std::process::id().wrapping_mul(7919) % u32::from(COUNT)).expect("below COUNT");
    (0..COUNT)
        .map(|_| FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("one of 20,000 ports is free")
}

#[cfg(test)]
mod tests {
    use super::free_port;

    #[test]
    fn each_call_gives_another_port_below_the_outgoing_range() {
        let (a, b) = (free_port(), free_port());
        assert_ne!(a, b);
        assert!(a < 32_768 && b < 32_768);
    }
}
