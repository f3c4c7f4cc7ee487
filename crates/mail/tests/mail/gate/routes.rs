//! Two relays: each is let in by SPF, or not, for itself.

use std::net::{IpAddr, Ipv4Addr};

use mail::gate::{Report, Route, Verdict};
use mail::zone::RecordData;

use super::desk::{BOUNCE, Desk, EHLO, name};

const FIRST: &str = "relay.test:25";
const SECOND: &str = "other.test:587";
const OTHER_EGRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 30);

/// A good desk with a second relay, let in as the route says.
async fn with_second(route: Route) -> Desk {
    let mut desk = Desk::good().await;
    desk.subject.routes.push(Route { relay: SECOND.to_owned(), ..route });
    desk
}

fn verdicts(report: &Report) -> (Verdict, Verdict) {
    assert_eq!(report.relays, [FIRST, SECOND]);
    (report.by(FIRST).verdict(), report.by(SECOND).verdict())
}

#[tokio::test]
async fn a_second_relay_that_spf_does_not_include_fails_alone() {
    let desk = with_second(Route { includes: vec!["spf.other.test".to_owned()], ..Route::default() }).await;
    let report = desk.report().await;
    assert_eq!(verdicts(&report), (Verdict::Pass, Verdict::Fail), "{}", report.reason());
    assert!(report.by(SECOND).reason().contains("does not include spf.other.test"), "{}", report.reason());
    let finding = report.findings.iter().find(|finding| finding.publish.is_some()).unwrap();
    assert_eq!(finding.relay.as_deref(), Some(SECOND));
    let wanted = "v=spf1 include:spf.relay.test include:spf.other.test ip4:192.0.2.10 -all";
    assert_eq!(finding.publish.as_ref().unwrap().value, wanted, "what is published then lets both in");

    desk.txt("spf.other.test", &["v=spf1 ip4:203.0.113.0/24 -all"]).txt(BOUNCE, &[wanted]);
    assert_eq!(verdicts(&desk.report().await), (Verdict::Pass, Verdict::Pass));
    // And the other way round.
    desk.txt(BOUNCE, &["v=spf1 include:spf.other.test ip4:192.0.2.10 -all"]);
    assert_eq!(verdicts(&desk.report().await), (Verdict::Fail, Verdict::Pass));
}

#[tokio::test]
async fn addresses_of_a_second_way_pass_or_fail_for_it_alone() {
    let desk = with_second(Route { egress: vec![IpAddr::V4(OTHER_EGRESS)], ..Route::default() }).await;
    let report = desk.report().await;
    assert_eq!(verdicts(&report), (Verdict::Pass, Verdict::Fail));
    let reason = report.by(SECOND).reason();
    assert!(reason.contains("fail for 192.0.2.30") && !reason.contains("192.0.2.10"), "{reason}");
    let both = "v=spf1 ip4:192.0.2.10 ip4:192.0.2.30 include:spf.relay.test -all";
    desk.txt(BOUNCE, &[both]).txt(EHLO, &[both]);
    let reason = desk.report().await.by(SECOND).reason();
    assert!(reason.starts_with("direct.ptr (192.0.2.30)"), "it needs a reverse name too: {reason}");
    desk.add("30.2.0.192.in-addr.arpa", RecordData::Ptr(name("out.example.test")));
    desk.add("out.example.test", RecordData::A(OTHER_EGRESS));
    assert_eq!(verdicts(&desk.report().await), (Verdict::Pass, Verdict::Pass));
}

#[tokio::test]
async fn what_is_wrong_with_the_record_itself_is_wrong_for_both() {
    let desk = with_second(Route { includes: vec!["spf.relay.test".to_owned()], ..Route::default() }).await;
    assert_eq!(verdicts(&desk.report().await), (Verdict::Pass, Verdict::Pass));
    desk.txt(BOUNCE, &["v=spf1 -all", "v=spf1 -all"]);
    assert_eq!(verdicts(&desk.report().await), (Verdict::Fail, Verdict::Fail));
    let report = desk.txt(BOUNCE, &["v=spf1 ip4:192.0.2.10 include:spf.relay.test +all"]).report().await;
    assert_eq!(verdicts(&report), (Verdict::Fail, Verdict::Fail));
}

#[tokio::test]
async fn the_ehlo_name_counts_on_the_ways_of_our_own_only() {
    let mut desk = with_second(Route { includes: vec!["spf.relay.test".to_owned()], ..Route::default() }).await;
    desk.txt(EHLO, &["v=spf1 -all"]);
    assert_eq!(verdicts(&desk.report().await), (Verdict::Fail, Verdict::Pass), "the second gives a name of its own");
    desk.subject.routes[0].egress.clear();
    assert_eq!(verdicts(&desk.report().await), (Verdict::Pass, Verdict::Pass));
}
