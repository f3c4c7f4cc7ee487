//! The development domain: a zone with everything that a receiver looks up.
//!
//! It is what a real domain would publish, for a machine whose only address is loopback: SPF for the three names that
//! take part (the domain, the EHLO name, the bounce domain), the DKIM key, a DMARC record with `p=reject`, and where
//! mail for the domain goes. `.test` is reserved (RFC 6761 §6.2), so nothing here can reach or deceive anybody.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{RecordData, Zone, ZoneError};
use crate::zone::record::DnsName;

/// The domain that `postrider dev` sends from.
pub const DEV_DOMAIN: &str = "postrider.test";

const LOOPBACK_ONLY: &str = "v=spf1 ip4:127.0.0.0/8 ip6:::1 -all";

/// The name that our SMTP client gives in EHLO.
#[must_use]
pub fn ehlo_name(domain: &str) -> String {
    format!("mail.{domain}")
}

/// The domain of the MAIL FROM address, where bounces go; aligned with the From domain (RFC 9989 §4.10.2).
#[must_use]
pub fn bounce_domain(domain: &str) -> String {
    format!("bounce.{domain}")
}

/// The zone of a development domain, with `dkim_txt` published under `dkim_selector`.
///
/// # Errors
/// [`ZoneError::Name`] if domain or selector is no DNS name.
pub fn dev_zone(domain: &str, dkim_selector: &str, dkim_txt: &str) -> Result<Zone, ZoneError> {
    let (mail, bounce, ns) = (ehlo_name(domain), bounce_domain(domain), format!("ns.{domain}"));
    let text = |text: &str| RecordData::Txt(text.to_owned());
    let loopback = RecordData::A(Ipv4Addr::LOCALHOST);
    let exchanger = RecordData::Mx { preference: 10, exchange: DnsName::parse(&mail)? };

    let mut zone = Zone::new();
    let primary = DnsName::parse(&ns)?;
    let contact = DnsName::parse(&format!("hostmaster.{domain}"))?;
    zone.add(domain, RecordData::Soa { primary: primary.clone(), contact, serial: 1, minimum: 60 })?;
    zone.add(domain, RecordData::Ns(primary))?;
    zone.add(domain, loopback.clone())?;
    zone.add(domain, exchanger.clone())?;
    zone.add(domain, text(LOOPBACK_ONLY))?;
    zone.add(&format!("_dmarc.{domain}"), text("v=DMARC1; p=reject; adkim=r; aspf=r"))?;
    zone.add(&format!("{dkim_selector}._domainkey.{domain}"), text(dkim_txt))?;
    zone.add(&bounce, exchanger)?;
    zone.add(&bounce, text(LOOPBACK_ONLY))?;
    zone.add(&mail, loopback.clone())?;
    zone.add(&mail, RecordData::Aaaa(Ipv6Addr::LOCALHOST))?;
    zone.add(&mail, text(LOOPBACK_ONLY))?;
    zone.add(&ns, loopback)?;
    Ok(zone)
}
