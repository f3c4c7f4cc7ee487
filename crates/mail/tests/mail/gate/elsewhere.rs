//! Sending directly, and the way to the relay.

use std::net::{IpAddr, Ipv4Addr};

use mail::catcher::{Reaction, Step};
use mail::gate::{RelayLink, Severity};
use mail::zone::{DnsFault, RecordData};

use super::desk::{Desk, EHLO, name, nobody, worst};
use crate::lab::Lab;

const REVERSE: &str = "10.2.0.192.in-addr.arpa";

#[tokio::test]
async fn an_address_needs_a_name_that_leads_back() {
    let mut desk = Desk::good().await;
    desk.says("direct.ptr", Severity::Ok, "leads back").await;
    desk.clear(EHLO).add(EHLO, RecordData::A(Ipv4Addr::new(192, 0, 2, 77)));
    desk.says("direct.ptr", Severity::Block, "does not lead back").await;
    desk.says("direct.ehlo", Severity::Warn, "does not lead to").await;
    desk.clear(REVERSE).says("direct.ptr", Severity::Block, "no reverse name").await;
    let publish = desk.worst("direct.ptr").await.publish.unwrap();
    assert_eq!((publish.kind.as_str(), publish.value.as_str()), ("PTR", "mail.example.test."));
    desk.add(REVERSE, RecordData::Ptr(name(EHLO))).fail(REVERSE, DnsFault::ServFail);
    desk.says("direct.ptr", Severity::Unclear, "Server Failure").await;
    desk.subject.routes[0].egress = vec![IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))];
    desk.says("direct.ptr", Severity::Info, "not a public address").await;
    desk.subject.routes[0].egress.clear();
    assert!(desk.report().await.findings.iter().all(|finding| !finding.rule.starts_with("direct.")));
}

#[tokio::test]
async fn the_relay_is_asked_for_starttls() {
    let mut desk = Desk::good().await;
    let lab = Lab::new().await;
    let link = |encrypted, implicit_tls| RelayLink {
        host: "127.0.0.1".to_owned(),
        port: lab.catcher.addr().port(),
        encrypted,
        implicit_tls,
    };
    for (relay, severity, word) in [
        (link(false, false), Severity::Ok, "on this machine"),
        (link(true, false), Severity::Warn, "does not offer STARTTLS"),
        (link(true, true), Severity::Ok, "first byte"),
    ] {
        desk.subject.routes[0].link = Some(relay);
        let finding = worst(&desk.whole_report().await, "relay.encryption");
        assert!(finding.severity == severity && finding.found.contains(word), "{finding:?}");
    }
    lab.script(|step| matches!(step, Step::Ehlo { .. }).then(|| Reaction::Reply(250, "STARTTLS".to_owned())));
    desk.subject.routes[0].link = Some(link(true, false));
    let offered = worst(&desk.whole_report().await, "relay.encryption");
    assert!(offered.severity == Severity::Ok && offered.found.contains("offers STARTTLS"), "{offered:?}");
    let gone = nobody().await;
    desk.subject.routes[0].link = Some(RelayLink { port: gone.port(), ..link(true, false) });
    let finding = worst(&desk.whole_report().await, "relay.encryption");
    assert!(finding.severity == Severity::Info && finding.found.contains("not asked"), "{finding:?}");
}
