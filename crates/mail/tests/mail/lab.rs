//! A domain with its name server, a key, and a catcher: what the other tests start from.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use job::ManualClock;
use mail::catcher::{Reaction, Step};
use mail::zone::{DEV_DOMAIN, bounce_domain, dev_zone, ehlo_name};
use mail::*;

pub const SELECTOR: &str = "dev";
/// No test waits longer for something that should happen.
pub const SOON: Duration = Duration::from_secs(20);

/// Making a key takes a tenth of a second; one serves all tests.
pub fn key() -> &'static DkimKey {
    static KEY: OnceLock<DkimKey> = OnceLock::new();
    KEY.get_or_init(|| DkimKey::generate().unwrap())
}

pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub fn start() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

pub fn sender() -> SenderProfile {
    SenderProfile {
        key: "bookings".to_owned(),
        address: address("bookings@postrider.test"),
        display_name: Some("Bookings".to_owned()),
        reply_to: None,
        dkim_selector: SELECTOR.to_owned(),
    }
}

/// Envelope of a mail from the bounce domain to Zoë.
pub fn envelope() -> Envelope {
    Envelope {
        from: Some(address(&format!("bounce+dlv1@{}", bounce_domain(DEV_DOMAIN)))),
        to: address("zoe@example.com"),
    }
}

pub fn content() -> Rendered {
    static RENDERER: OnceLock<Renderer> = OnceLock::new();
    let renderer = RENDERER.get_or_init(|| Renderer::new(None).unwrap());
    let name = "booking_confirmed_student";
    renderer.render(name, &Locale::english(), renderer.sample(name, &Locale::english()).unwrap()).unwrap()
}

/// The rendered sample to Zoë, not signed.
pub fn unsigned() -> Vec<u8> {
    let to = Mailbox::new(Some("Zoë Fernández"), address("zoe@example.com")).unwrap();
    let message_id = MessageId::for_delivery("dlv1", DEV_DOMAIN).unwrap();
    Draft::new(&sender(), &[to], &content(), &message_id, start(), "dlv1").build().unwrap()
}

/// The same, signed with the published key.
pub fn signed() -> Vec<u8> {
    DkimSigner::new(key(), DEV_DOMAIN, SELECTOR).unwrap().sign(&unsigned(), start()).unwrap()
}

pub async fn name_server() -> DnsServer {
    DnsServer::start(dev_zone(DEV_DOMAIN, SELECTOR, &key().public_txt()).unwrap()).await.unwrap()
}

pub struct Lab {
    pub dns: DnsServer,
    pub catcher: Catcher,
    pub inbox: Inbox,
}

impl Lab {
    pub async fn new() -> Self {
        Self::with(CatcherOptions::default()).await
    }

    pub async fn with(options: CatcherOptions) -> Self {
        let dns = name_server().await;
        let verifier = Verifier::new(dns.addr()).unwrap();
        let clock = ManualClock::at(start());
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let catcher = Catcher::start_with(bind, verifier, Arc::new(clock), options).await.unwrap();
        Self { dns, inbox: catcher.inbox(), catcher }
    }

    pub fn relay(&self) -> RelayConfig {
        RelayConfig::plain(self.catcher.addr(), &ehlo_name(DEV_DOMAIN))
    }

    pub fn transport(&self) -> SmtpTransport {
        SmtpTransport::new(self.relay()).unwrap()
    }

    /// Misbehaves as `react` says; `None` is as usual.
    pub fn script(&self, react: impl Fn(&Step<'_>) -> Option<Reaction> + Send + Sync + 'static) {
        self.catcher.set_script(Some(Arc::new(move |step: &Step<'_>| react(step).unwrap_or(Reaction::Proceed))));
    }

    /// Waits until so many mails have come in since the start.
    pub async fn arrived(&self, count: u64) {
        tokio::time::timeout(SOON, self.inbox.wait_for(count)).await.unwrap();
    }
}

/// A hook that agrees.
pub async fn yes() -> Result<(), String> {
    Ok(())
}

/// Sends the signed sample over a fresh transport.
pub async fn send(lab: &Lab) -> Result<Accepted, SendError> {
    lab.transport().send(&envelope(), &signed(), yes).await
}
