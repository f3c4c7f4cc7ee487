//! The relay at the other end: it catches every mail and verifies it, as a receiver would, against a zone of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use job::SystemClock;
use mail::zone::{DEV_DOMAIN, bounce_domain, dev_zone, ehlo_name};
use mail::{Catcher, CatcherOptions, CaughtMail, DkimKey, DnsServer, Verdict, Verifier};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::rig::Rig;

/// Catcher, zone and key.
pub struct Mailroom {
    pub catcher: Catcher,
    _dns: DnsServer,
}

impl Mailroom {
    /// Opens one, and points the rig's processes to it.
    pub async fn open(rig: Rig) -> (Self, Rig) {
        Self::with(rig, true).await
    }

    /// One that takes every mail, judges none and keeps none: for so many that all the machine's time would go into judging.
    pub async fn that_only_takes(rig: Rig) -> (Self, Rig) {
        Self::with(rig, false).await
    }

    async fn with(rig: Rig, judges: bool) -> (Self, Rig) {
        let key = DkimKey::generate().unwrap();
        let key_file = rig.dir.join("dkim.pem");
        std::fs::write(&key_file, key.to_pem().expose_secret()).unwrap();
        let dns = DnsServer::start(dev_zone(DEV_DOMAIN, "faults", &key.public_txt()).unwrap()).await.unwrap();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let catcher = match judges {
            true => Catcher::start(loopback, Verifier::new(dns.addr()).unwrap(), Arc::new(SystemClock)).await,
            false => Catcher::sink(loopback, CatcherOptions::default()).await,
        };
        let catcher = catcher.unwrap();
        let rig = rig
            .set("MAIL__TRANSPORT", &format!("smtp://{}", catcher.addr()))
            .set("MAIL__DNS__SERVERS", &dns.addr().to_string())
            .set("MAIL__EGRESS", "127.0.0.1")
            .set("ALERTS__MAIL_ONLY", "true")
            .set("API__PUBLIC_URL", "https://postrider.test")
            .set("MAIL__DOMAIN", DEV_DOMAIN)
            .set("SECRETS__KEYS__K1", &"0123456789abcdef".repeat(4))
            .set("MAIL__HELO", &ehlo_name(DEV_DOMAIN))
            .set("MAIL__BOUNCE_DOMAIN", &bounce_domain(DEV_DOMAIN))
            .set("MAIL__DKIM__MAIN__DOMAIN", DEV_DOMAIN)
            .set("MAIL__DKIM__MAIN__SELECTOR", "faults")
            .set("MAIL__DKIM__MAIN__KEY_FILE", &key_file.display().to_string());
        (Self { catcher, _dns: dns }, rig)
    }

    /// The caught mails, sorted by recipient.
    pub fn mails(&self) -> Vec<Arc<CaughtMail>> {
        let mut mails = self.catcher.inbox().list();
        mails.sort_by(|a, b| a.to.cmp(&b.to));
        mails
    }

    /// Checks that exactly student and instructor of [`booking`] have a mail, each of them genuine.
    pub fn assert_one_each(&self) {
        let mails = self.mails();
        let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(to, ["jose.alvarez@example.com", "zoe.lindstrom@example.com"]);
        for mail in &mails {
            assert_eq!((mail.spf, mail.dkim, mail.dmarc), (Verdict::Pass, Verdict::Pass, Verdict::Pass), "{}", mail.to);
        }
    }
}

/// The confirmed booking of the examples.
pub fn booking() -> Value {
    serde_json::from_str(include_str!("../../../examples/booking-confirmed.json")).unwrap()
}
