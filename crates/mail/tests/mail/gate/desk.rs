//! A domain that passes every rule, and ways to spoil it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mail::gate::{Depth, Finding, KeyUse, Report, Route, Severity, SigningKey, Subject, check};
use mail::zone::{DnsFault, DnsName, RecordData, Zone};
use mail::{DkimSigner, Dns, DnsServer};
use outbound::{Client, Settings, SystemResolver};

use crate::lab;

pub const DOMAIN: &str = "example.test";
pub const BOUNCE: &str = "bounce.example.test";
pub const EHLO: &str = "mail.example.test";
pub const KEY: &str = "s1._domainkey.example.test";
/// The address that mail leaves from: one for documentation (RFC 5737), which no rule passes over.
pub const EGRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// A subject, and a name server that it is published on.
pub struct Desk {
    pub dns: DnsServer,
    pub subject: Subject,
}

impl Desk {
    /// Everything published as it should be.
    pub async fn good() -> Self {
        let mut zone = Zone::new();
        for (name, text) in [
            (BOUNCE, "v=spf1 ip4:192.0.2.10 include:spf.relay.test -all".to_owned()),
            ("spf.relay.test", "v=spf1 ip4:198.51.100.0/24 -all".to_owned()),
            (EHLO, "v=spf1 ip4:192.0.2.10 -all".to_owned()),
            (KEY, lab::key().public_txt()),
            ("_dmarc.example.test", "v=DMARC1; p=reject; rua=mailto:dmarc@example.test".to_owned()),
        ] {
            zone.add(name, RecordData::Txt(text)).unwrap();
        }
        let exchanger = || RecordData::Mx { preference: 10, exchange: name("mx.example.test") };
        zone.add(DOMAIN, exchanger()).unwrap();
        zone.add(BOUNCE, exchanger()).unwrap();
        zone.add("mx.example.test", RecordData::A(Ipv4Addr::new(192, 0, 2, 20))).unwrap();
        zone.add(EHLO, RecordData::A(EGRESS)).unwrap();
        zone.add("10.2.0.192.in-addr.arpa", RecordData::Ptr(name(EHLO))).unwrap();
        let signer = DkimSigner::new(lab::key(), DOMAIN, "s1").unwrap();
        let key = SigningKey {
            selector: "s1".to_owned(),
            public_txt: lab::key().public_txt(),
            signer: Arc::new(signer),
            used: KeyUse::Signs,
        };
        let subject = Subject {
            domain: DOMAIN.to_owned(),
            senders: vec!["bookings".to_owned()],
            reply_domains: Vec::new(),
            bounce_domain: BOUNCE.to_owned(),
            bounce_local: "bounces".to_owned(),
            helo: EHLO.to_owned(),
            routes: vec![Route {
                relay: "relay.test:25".to_owned(),
                egress: vec![IpAddr::V4(EGRESS)],
                includes: vec!["spf.relay.test".to_owned()],
                link: None,
            }],
            keys: vec![key],
        };
        Self { dns: DnsServer::start(zone).await.unwrap(), subject }
    }

    /// The texts of a name become these.
    pub fn txt(&self, at: &str, texts: &[&str]) -> &Self {
        self.change(|zone| {
            zone.remove(&name(at), |data| matches!(data, RecordData::Txt(_) | RecordData::Cname(_)));
            for text in texts {
                zone.add(at, RecordData::Txt((*text).to_owned())).unwrap();
            }
        })
    }

    /// Adds a record.
    pub fn add(&self, at: &str, data: RecordData) -> &Self {
        self.change(|zone| zone.add(at, data).unwrap())
    }

    /// Removes all records of a name.
    pub fn clear(&self, at: &str) -> &Self {
        self.change(|zone| zone.remove(&name(at), |_| true))
    }

    fn change(&self, change: impl FnOnce(&mut Zone)) -> &Self {
        let mut zone = self.dns.zone();
        change(&mut zone);
        self.dns.set_zone(zone);
        self
    }

    pub fn fail(&self, at: &str, fault: DnsFault) -> &Self {
        self.dns.fail(&name(at), fault);
        self
    }

    pub fn resolver(&self) -> Dns {
        Dns::new(&[self.dns.addr()]).unwrap()
    }

    /// What the DNS alone says.
    pub async fn report(&self) -> Report {
        check(&self.subject, &self.resolver(), Depth::Records, lab::start()).await
    }

    /// What everything says.
    pub async fn whole_report(&self) -> Report {
        let settings = Settings { timeout: Duration::from_secs(2), ..Settings::default() };
        let client = Client::new(settings, Arc::new(SystemResolver));
        check(&self.subject, &self.resolver(), Depth::Everything(&client), lab::start()).await
    }

    /// The worst finding of a rule.
    pub async fn worst(&self, rule: &str) -> Finding {
        worst(&self.report().await, rule)
    }

    /// Asserts how bad the worst is that a rule says, and a word of it.
    pub async fn says(&self, rule: &str, severity: Severity, word: &str) {
        let report = self.report().await;
        let all: Vec<_> = report.findings.iter().filter(|finding| finding.rule == rule).collect();
        let worst = all.iter().map(|finding| finding.severity).max();
        let said = all.iter().any(|finding| finding.severity == severity && finding.found.contains(word));
        assert!(worst == Some(severity) && said, "{rule} should say {severity}, {word:?}: {all:#?}");
    }
}

pub fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

pub fn worst(report: &Report, rule: &str) -> Finding {
    let ours: Vec<_> = report.findings.iter().filter(|finding| finding.rule == rule).collect();
    let worst = ours.iter().map(|finding| finding.severity).max();
    // Of equals the first: MAIL FROM comes before the EHLO name.
    let first = ours.into_iter().find(|finding| Some(finding.severity) == worst);
    first.unwrap_or_else(|| panic!("{rule} says nothing: {report:#?}")).clone()
}

/// An address on loopback where nobody listens.
pub async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap()
}
