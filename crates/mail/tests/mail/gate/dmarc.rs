//! DMARC: found by the tree walk, read, and aligned.

use mail::gate::{Severity, Verdict};
use mail::zone::{DnsFault, RecordData};

use super::desk::{BOUNCE, DOMAIN, Desk, name};

const PLACE: &str = "_dmarc.example.test";

#[tokio::test]
async fn there_has_to_be_one_record() {
    let desk = Desk::good().await;
    desk.txt(PLACE, &[]).says("dmarc.record", Severity::Block, "no DMARC record").await;
    assert!(desk.worst("dmarc.record").await.publish.unwrap().value.starts_with("v=DMARC1; p="));
    desk.txt(PLACE, &["v=DMARC1; p=none", "v=DMARC1; p=reject"]);
    desk.says("dmarc.record", Severity::Block, "2 DMARC records").await;
    desk.txt(PLACE, &["v=DMARC1; p=reject", "something else"]).says("dmarc.record", Severity::Ok, "p=reject").await;
    desk.fail(PLACE, DnsFault::ServFail).says("dmarc.record", Severity::Unclear, "Server Failure").await;
}

#[tokio::test]
async fn the_record_above_counts_with_its_policy_for_names_below() {
    let mut desk = Desk::good().await;
    desk.subject.domain = "news.example.test".to_owned();
    desk.txt(PLACE, &["v=DMARC1; p=reject; sp=none; rua=mailto:a@example.test"]);
    desk.says("dmarc.policy", Severity::Warn, "p=none").await;
    desk.txt(PLACE, &["v=DMARC1; p=none; sp=reject; rua=mailto:a@example.test"]);
    desk.says("dmarc.policy", Severity::Ok, "p=reject").await;
}

#[tokio::test]
async fn syntax_and_policy_are_judged() {
    let desk = Desk::good().await;
    desk.txt(PLACE, &["v=DMARC1; p=all"]).says("dmarc.syntax", Severity::Block, "no policy").await;
    desk.txt(PLACE, &["v=DMARC1; p=none"]).says("dmarc.policy", Severity::Warn, "p=none").await;
    desk.txt(PLACE, &["v=DMARC1; p=reject; t=y"]).says("dmarc.policy", Severity::Warn, "t=y").await;
    desk.txt(PLACE, &["v=DMARC1; p=quarantine"]).says("dmarc.policy", Severity::Ok, "quarantine").await;
}

#[tokio::test]
async fn what_receivers_pass_over_holds_no_mail_and_the_owners_record_is_kept() {
    let desk = Desk::good().await;
    for (record, word, mended) in [
        (
            "v=DMARC1; p=reject; adkim=x; rua=mailto:d@example.test",
            "adkim=x is no alignment",
            "v=DMARC1; p=reject; rua=mailto:d@example.test",
        ),
        ("v=DMARC1; p=reject; aspf=relaxed", "aspf=relaxed is no alignment", "v=DMARC1; p=reject"),
        (
            "v=DMARC1; p=none; sp=xx; rua=mailto:d@example.test",
            "sp=xx is no policy",
            "v=DMARC1; p=none; rua=mailto:d@example.test",
        ),
    ] {
        desk.txt(PLACE, &[record]).says("dmarc.syntax", Severity::Warn, word).await;
        assert_eq!(desk.worst("dmarc.syntax").await.publish.unwrap().value, mended);
        assert_eq!(desk.report().await.verdict(), Verdict::Pass, "{record}");
    }
    desk.txt(PLACE, &["v=DMARC1; p=all; aspf=s"]);
    let finding = desk.worst("dmarc.syntax").await;
    assert_eq!(finding.severity, Severity::Block);
    assert_eq!(finding.publish.unwrap().value, "v=DMARC1; p=quarantine; aspf=s");
}

#[tokio::test]
async fn spf_is_aligned_within_the_organisation_and_strictly_only_by_the_same_name() {
    let mut desk = Desk::good().await;
    desk.says("dmarc.spf_aligned", Severity::Ok, "relaxed").await;
    desk.txt(PLACE, &["v=DMARC1; p=reject; aspf=s"]).says("dmarc.spf_aligned", Severity::Block, "not aligned").await;
    desk.txt(PLACE, &["v=DMARC1; p=reject; adkim=s"]).says("dmarc.dkim_aligned", Severity::Ok, "is aligned").await;
    desk.subject.bounce_domain = "bounce.relay.test".to_owned();
    desk.says("dmarc.spf_aligned", Severity::Block, "not aligned").await;
    desk.subject.bounce_domain = DOMAIN.to_owned();
    desk.txt(PLACE, &["v=DMARC1; p=reject; aspf=s"]).says("dmarc.spf_aligned", Severity::Ok, "strictly").await;
}

#[tokio::test]
async fn reports_to_another_organisation_need_its_consent() {
    let desk = Desk::good().await;
    desk.txt(PLACE, &["v=DMARC1; p=reject"]).says("dmarc.reports", Severity::Info, "no rua=").await;
    desk.txt(PLACE, &["v=DMARC1; p=reject; rua=mailto:x@reports.test!10m"]);
    let finding = desk.worst("dmarc.reports_authorised").await;
    assert_eq!(finding.severity, Severity::Warn);
    let publish = finding.publish.unwrap();
    assert_eq!(
        (publish.name.as_str(), publish.value.as_str()),
        ("example.test._report._dmarc.reports.test", "v=DMARC1")
    );
    desk.txt(&publish.name, &[&publish.value]).says("dmarc.reports_authorised", Severity::Ok, "takes reports").await;
    desk.txt(PLACE, &["v=DMARC1; p=reject; rua=https://reports.test/"]);
    desk.says("dmarc.reports_authorised", Severity::Warn, "no mailto:").await;
}

#[tokio::test]
async fn answers_and_bounces_need_somewhere_to_go() {
    let mut desk = Desk::good().await;
    desk.subject.reply_domains = vec!["help.test".to_owned()];
    desk.says("mx.reply_to", Severity::Warn, "go nowhere").await;
    desk.add("help.test", RecordData::A(std::net::Ipv4Addr::new(203, 0, 113, 5)));
    desk.says("mx.reply_to", Severity::Info, "no MX").await;
    desk.says("mx.bounce", Severity::Ok, "mx.example.test").await;
    let spf = "v=spf1 ip4:192.0.2.10 include:spf.relay.test -all";
    desk.clear(BOUNCE).txt(BOUNCE, &[spf]).says("mx.bounce", Severity::Block, "go nowhere").await;
    desk.add(BOUNCE, RecordData::Mx { preference: 1, exchange: name("gone.example.test") });
    desk.says("mx.bounce", Severity::Block, "no exchanger has an address").await;
    desk.clear(DOMAIN).says("mx.from", Severity::Warn, "go nowhere").await;
    assert_eq!(desk.report().await.verdict(), Verdict::Fail);
    // What is known is enough, whatever a server fails to say beside it.
    desk.add(BOUNCE, RecordData::Mx { preference: 2, exchange: name("second.example.test") });
    desk.add("second.example.test", RecordData::A(std::net::Ipv4Addr::new(203, 0, 113, 6)));
    desk.fail("second.example.test", DnsFault::NoIpv6).says("mx.bounce", Severity::Ok, "second").await;
    desk.fail("gone.example.test", DnsFault::ServFail).says("mx.bounce", Severity::Ok, "second").await;
    desk.fail("second.example.test", DnsFault::ServFail).says("mx.bounce", Severity::Unclear, "Server Failure").await;
}
