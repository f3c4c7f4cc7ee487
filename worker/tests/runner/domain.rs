//! The gate of a domain that a test publishes on a name server of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mail::gate::Route;
use mail::{DkimKey, DkimSigner, Dns, DnsServer};
use outbound::{Client, Settings, SystemResolver};
use worker::Gate;
use worker::gate::{Plan, PlannedKey};

/// A gate for mail of `domain`, signed by these keys (the first of them, unless it was rotated), sent from loopback.
pub fn gate(dns: &DnsServer, domain: &str, keys: &[(&str, &DkimKey)]) -> Arc<Gate> {
    gate_by(dns, domain, keys, vec![Route { egress: vec![LOOPBACK], ..Route::default() }])
}

/// The address that the development zone lets in.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The same for mail that leaves on these ways.
pub fn gate_by(dns: &DnsServer, domain: &str, keys: &[(&str, &DkimKey)], routes: Vec<Route>) -> Arc<Gate> {
    let planned = keys.iter().map(|(selector, key)| PlannedKey {
        selector: (*selector).to_owned(),
        public_txt: key.public_txt(),
        signer: Arc::new(DkimSigner::new(key, domain, selector).unwrap()),
    });
    let plan = Plan {
        domain: domain.to_owned(),
        senders: vec!["bookings".to_owned()],
        pinned: [].into(),
        selectors: [keys[0].0.to_owned()].into(),
        reply_domains: Vec::new(),
        bounce_domain: mail::zone::bounce_domain(domain),
        helo: mail::zone::ehlo_name(domain),
        routes,
        keys: planned.collect(),
    };
    let client = Client::new(Settings::default(), Arc::new(SystemResolver));
    Arc::new(Gate::new(Dns::new(&[dns.addr()]).unwrap(), client, vec![plan]))
}
