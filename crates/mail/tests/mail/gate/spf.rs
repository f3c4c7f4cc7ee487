//! SPF: counted and evaluated as receivers do, and, where both evaluate, as another implementation does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mail::gate::{Severity, Verdict};
use mail::verify::Verdict as Word;
use mail::zone::{DnsFault, RecordData};
use mail::{Received, Verifier};

use super::desk::{BOUNCE, Desk, EHLO, name};

#[tokio::test]
async fn a_domain_as_it_should_be_passes_every_rule() {
    let desk = Desk::good().await;
    let report = desk.report().await;
    let bad: Vec<_> = report.findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!((report.verdict(), report.reason().as_str()), (Verdict::Pass, ""));
    desk.says("spf.passes", Severity::Ok, "pass").await;
}

#[tokio::test]
async fn no_record_and_two_records_block_with_the_one_to_publish() {
    let desk = Desk::good().await;
    for texts in [&["another text"][..], &["v=spf1 mx -all", "v=spf1 ip4:192.0.2.99 ~all"], &["v=spf10 -all"]] {
        desk.txt(BOUNCE, texts);
        let finding = desk.worst("spf.record").await;
        assert_eq!(finding.severity, Severity::Block, "{finding:?}");
        let publish = finding.publish.unwrap();
        assert_eq!((publish.name.as_str(), publish.kind.as_str()), (BOUNCE, "TXT"));
        assert!(publish.value.starts_with("v=spf1 include:spf.relay.test ip4:192.0.2.10 "), "{publish:?}");
    }
    desk.txt(BOUNCE, &["v=spf1 mx -all", "v=spf1 ip4:192.0.2.99 ~all"]);
    let merged = desk.worst("spf.record").await.publish.unwrap().value;
    assert_eq!(merged, "v=spf1 include:spf.relay.test ip4:192.0.2.10 mx ip4:192.0.2.99 ~all");
    desk.txt(BOUNCE, &["V=SPF1 ip4:192.0.2.10 include:spf.relay.test -all", "google-site-verification=x"]);
    desk.says("spf.record", Severity::Ok, "V=SPF1").await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_blocks_wherever_it_stands() {
    let desk = Desk::good().await;
    desk.txt(BOUNCE, &["v=spf1 ipv4:192.0.2.10 -all"]).says("spf.syntax", Severity::Block, "ipv4:192.0.2.10").await;
    let included = "v=spf1 ip4:192.0.2.10 include:spf.relay.test -all";
    desk.txt(BOUNCE, &[included]).txt("spf.relay.test", &["v=spf1 ip4:x -all"]);
    let finding = desk.worst("spf.syntax").await;
    assert_eq!((finding.severity, finding.place.as_str()), (Severity::Block, "spf.relay.test"));
}

/// `n` includes, the last of which leads to the relay.
fn chain(desk: &Desk, n: usize) {
    let includes: Vec<String> = (1..n).map(|i| format!("include:i{i}.example.test")).collect();
    for i in 1..n {
        desk.txt(&format!("i{i}.example.test"), &["v=spf1 ip4:203.0.113.1 -all"]);
    }
    desk.txt(BOUNCE, &[&format!("v=spf1 {} include:spf.relay.test ip4:192.0.2.10 -all", includes.join(" "))]);
}

#[tokio::test]
async fn ten_lookups_are_allowed_and_eleven_are_not() {
    let desk = Desk::good().await;
    chain(&desk, 8);
    desk.says("spf.lookups", Severity::Ok, "8 of 10").await;
    chain(&desk, 10);
    desk.says("spf.lookups", Severity::Warn, "10 of 10").await;
    desk.says("spf.passes", Severity::Ok, "pass").await;
    chain(&desk, 11);
    desk.says("spf.lookups", Severity::Block, "11 lookups").await;
    desk.says("spf.passes", Severity::Block, "permerror").await;
}

#[tokio::test]
async fn lookups_behind_the_match_count_too() {
    let desk = Desk::good().await;
    let includes: Vec<String> = (0..10).map(|i| format!("include:i{i}.example.test")).collect();
    for i in 0..10 {
        desk.txt(&format!("i{i}.example.test"), &["v=spf1 ip4:203.0.113.1 -all"]);
    }
    desk.txt(BOUNCE, &[&format!("v=spf1 ip4:192.0.2.10 include:spf.relay.test {} -all", includes.join(" "))]);
    desk.says("spf.lookups", Severity::Block, "11 lookups").await;
    desk.says("spf.passes", Severity::Ok, "pass").await;
}

#[tokio::test]
async fn two_void_lookups_are_allowed_and_three_are_not() {
    let desk = Desk::good().await;
    let record = |names: &str| format!("v=spf1 {names} ip4:192.0.2.10 include:spf.relay.test -all");
    desk.txt(BOUNCE, &[&record("a:n1.example.test exists:n2.example.test")]);
    desk.says("spf.voids", Severity::Info, "2 of 2").await;
    desk.says("spf.passes", Severity::Ok, "pass").await;
    desk.txt(BOUNCE, &[&record("a:n1.example.test exists:n2.example.test mx:n3.example.test")]);
    desk.says("spf.voids", Severity::Block, "3 lookups find nothing").await;
    desk.says("spf.passes", Severity::Block, "permerror").await;
}

#[tokio::test]
async fn ten_exchangers_are_allowed_and_eleven_are_not() {
    let desk = Desk::good().await;
    desk.txt(BOUNCE, &["v=spf1 mx:many.example.test ip4:192.0.2.10 include:spf.relay.test -all"]);
    for n in 0..11 {
        let host = format!("h{n}.example.test");
        desk.add(&host, RecordData::A(Ipv4Addr::new(203, 0, 113, n)));
        desk.add("many.example.test", RecordData::Mx { preference: n.into(), exchange: name(&host) });
        if n == 9 {
            desk.says("spf.mx_hosts", Severity::Ok, "10 of 10").await;
        }
    }
    desk.says("spf.mx_hosts", Severity::Block, "11 hosts").await;
}

#[tokio::test]
async fn circles_and_missing_names_are_found() {
    let desk = Desk::good().await;
    desk.txt(BOUNCE, &["v=spf1 ip4:192.0.2.10 include:spf.relay.test -all"]);
    desk.txt("spf.relay.test", &["v=spf1 include:bounce.example.test -all"]);
    desk.says("spf.circles", Severity::Block, "leads back to itself").await;
    desk.txt("spf.relay.test", &["v=spf1 include:nothing.relay.test -all"]);
    desk.says("spf.includes", Severity::Block, "nothing.relay.test").await;
    desk.txt("spf.relay.test", &["v=spf1 redirect=nothing.relay.test"]);
    desk.says("spf.includes", Severity::Block, "nothing.relay.test").await;
}

#[tokio::test]
async fn the_end_of_a_record_says_what_others_may() {
    let desk = Desk::good().await;
    for (end, rule, severity, word) in [
        ("-all", "spf.ending", Severity::Ok, "refused"),
        ("~all", "spf.ending", Severity::Ok, "doubted"),
        ("?all", "spf.ending", Severity::Warn, "nothing"),
        ("", "spf.ending", Severity::Warn, "without all"),
        ("+all", "spf.ending", Severity::Block, "everybody"),
        ("all", "spf.open", Severity::Block, "everybody"),
        ("ip4:0.0.0.0/1 -all", "spf.open", Severity::Block, "ip4:0.0.0.0/1"),
        ("redirect=end.example.test", "spf.ending", Severity::Ok, "doubted"),
    ] {
        desk.txt("end.example.test", &["v=spf1 ~all"]);
        desk.txt(BOUNCE, &[&format!("v=spf1 ip4:192.0.2.10 include:spf.relay.test {end}")]);
        desk.says(rule, severity, word).await;
    }
    desk.txt(BOUNCE, &["v=spf1 ptr ip4:192.0.2.10 include:spf.relay.test -all"]);
    desk.says("spf.ptr", Severity::Warn, "not to be used").await;
    desk.txt(BOUNCE, &["v=spf1 include:spf.relay.test -all"]).txt("spf.relay.test", &["v=spf1 +all"]);
    desk.says("spf.open", Severity::Block, "+all of spf.relay.test").await;
}

#[tokio::test]
async fn every_address_that_mail_leaves_from_must_pass_and_the_relay_be_included() {
    let mut desk = Desk::good().await;
    desk.txt(BOUNCE, &["v=spf1 ip4:192.0.2.10 -all"]);
    let finding = desk.worst("spf.passes").await;
    assert!(finding.severity == Severity::Block && finding.found.contains("does not include"), "{finding:?}");
    assert_eq!(finding.publish.unwrap().value, "v=spf1 include:spf.relay.test ip4:192.0.2.10 -all");
    desk.subject.routes[0].includes.clear();
    desk.says("spf.passes", Severity::Ok, "pass for 192.0.2.10").await;
    desk.subject.routes[0].egress.push(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
    desk.says("spf.passes", Severity::Block, "fail for 2001:db8::1, by -all").await;
    for place in [BOUNCE, EHLO] {
        desk.txt(place, &["v=spf1 ip4:192.0.2.10 ip6:2001:db8::/64 -all"]);
    }
    desk.says("spf.passes", Severity::Ok, "pass").await;
    desk.txt(BOUNCE, &["v=spf1 ip6:2001:db8::/64 ~all"]).says("spf.passes", Severity::Block, "softfail").await;
    desk.subject.routes[0].egress.clear();
    desk.says("spf.passes", Severity::Warn, "not known").await;
}

#[tokio::test]
async fn a_relay_that_is_included_so_that_it_does_not_pass_is_not_let_in() {
    let mut desk = Desk::good().await;
    desk.subject.routes[0].egress.clear();
    desk.txt("mid.example.test", &["v=spf1 include:spf.relay.test -all"]);
    for (record, word) in [
        ("v=spf1 ~include:spf.relay.test -all", "does not pass"),
        ("v=spf1 ?include:spf.relay.test -all", "does not pass"),
        ("v=spf1 -include:spf.relay.test -all", "does not pass"),
        ("v=spf1 -include:mid.example.test -all", "does not pass"),
        (
            "v=spf1 -ip4:198.51.100.0/24 include:spf.relay.test -all",
            "fail for 198.51.100.0, an address of spf.relay.test",
        ),
    ] {
        desk.txt(BOUNCE, &[record]).says("spf.passes", Severity::Block, word).await;
        let publish = desk.worst("spf.passes").await.publish.unwrap().value;
        desk.txt(BOUNCE, &[&publish]).says("spf.passes", Severity::Ok, "includes spf.relay.test").await;
    }
    for record in [
        "v=spf1 +include:spf.relay.test -all",
        "v=spf1 include:mid.example.test -all",
        "v=spf1 ip4:203.0.113.1 redirect=spf.relay.test",
        "v=spf1 include:spf.relay.test -ip4:198.51.100.0/24 -all",
    ] {
        desk.txt(BOUNCE, &[record]).says("spf.passes", Severity::Ok, "includes spf.relay.test").await;
    }
    // Where the relay names no addresses, the way to its name is all that can be judged.
    desk.txt("spf.relay.test", &["v=spf1 exists:%{i}._spf.relay.test -all"]);
    desk.txt(BOUNCE, &["v=spf1 include:spf.relay.test -all"]).says("spf.passes", Severity::Ok, "includes").await;
    desk.txt(BOUNCE, &["v=spf1 ~include:spf.relay.test -all"]).says("spf.passes", Severity::Block, "sign before").await;
}

#[tokio::test]
async fn a_relay_whose_record_cannot_be_asked_for_is_not_taken_to_be_let_in() {
    let mut desk = Desk::good().await;
    desk.txt("spf.relay.test", &["v=spf1 ip4:198.51.100.0/24 include:deep.relay.test -all"]);
    desk.txt("deep.relay.test", &["v=spf1 ip4:203.0.113.0/24 -all"]);
    assert_eq!(desk.report().await.verdict(), Verdict::Pass);
    for direct in [true, false] {
        if !direct {
            desk.subject.routes[0].egress.clear();
        }
        for away in ["spf.relay.test", "deep.relay.test"] {
            desk.fail(away, DnsFault::ServFail);
            desk.says("spf.passes", Severity::Unclear, "Server Failure").await;
            assert_eq!(desk.report().await.verdict(), Verdict::Unclear, "{away}, direct: {direct}");
            desk.dns.heal(&name(away));
        }
    }
    desk.fail("spf.relay.test", DnsFault::ServFail).says("spf.includes", Severity::Warn, "Server Failure").await;
    desk.dns.heal(&name("spf.relay.test"));
    // Somebody else's record behind the relay's is never asked for by who receives its mail.
    desk.txt(BOUNCE, &["v=spf1 include:spf.relay.test include:spf.others.test -all"]);
    desk.txt("spf.others.test", &["v=spf1 -all"]).fail("spf.others.test", DnsFault::ServFail);
    desk.says("spf.passes", Severity::Ok, "includes spf.relay.test").await;
    assert_eq!(desk.report().await.verdict(), Verdict::Pass);
}

#[tokio::test]
async fn the_ehlo_name_counts_where_mail_is_sent_directly() {
    let mut desk = Desk::good().await;
    desk.txt(EHLO, &["v=spf1 -all"]).says("spf.passes", Severity::Block, "fail for 192.0.2.10").await;
    desk.txt(EHLO, &[]).says("spf.record", Severity::Warn, "no SPF record").await;
    desk.txt(EHLO, &["v=spf1 -all", "v=spf1 -all"]);
    desk.says("spf.record", Severity::Block, "2 SPF records").await;
    desk.subject.routes[0].egress.clear();
    desk.says("spf.record", Severity::Info, "2 SPF records").await;
}

#[tokio::test]
async fn what_the_dns_does_not_say_is_unclear_and_not_bad() {
    let desk = Desk::good().await;
    for fault in [DnsFault::ServFail, DnsFault::Refused, DnsFault::Silent] {
        desk.fail(BOUNCE, fault);
        let report = desk.report().await;
        assert_eq!(report.verdict(), Verdict::Unclear, "{fault:?}: {}", report.reason());
        desk.dns.heal(&name(BOUNCE));
    }
    desk.fail("spf.relay.test", DnsFault::ServFail).txt(BOUNCE, &["v=spf1 include:spf.relay.test -all"]);
    desk.says("spf.passes", Severity::Unclear, "Server Failure").await;
}

/// The walk and mail-auth's evaluation give the same result, with macros, redirects and every mechanism.
#[tokio::test]
async fn another_implementation_evaluates_to_the_same() {
    let mut desk = Desk::good().await;
    desk.subject.routes[0].includes.clear();
    desk.txt("inc.example.test", &["v=spf1 ip4:192.0.2.10 -all"]);
    desk.txt("not.example.test", &["v=spf1 ip4:192.0.2.11 -all"]);
    desk.txt("soft.example.test", &["v=spf1 ~all"]);
    desk.add("10.2.0.192.in-addr._spf.example.test", RecordData::A(Ipv4Addr::new(127, 0, 0, 2)));
    desk.add("near.example.test", RecordData::A(Ipv4Addr::new(192, 0, 2, 200)));
    desk.add("exchange.example.test", RecordData::Mx { preference: 1, exchange: name(EHLO) });
    let verifier = Verifier::over(&desk.resolver()).unwrap();
    for (record, expected) in [
        ("v=spf1 include:inc.example.test -all", Word::Pass),
        ("v=spf1 include:not.example.test ~all", Word::SoftFail),
        ("v=spf1 -include:inc.example.test +all", Word::Fail),
        ("v=spf1 ?ip4:192.0.2.0/24 -all", Word::Neutral),
        ("v=spf1 a:near.example.test -all", Word::Fail),
        ("v=spf1 a:near.example.test/24 -all", Word::Pass),
        ("v=spf1 mx:exchange.example.test -all", Word::Pass),
        ("v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all", Word::Pass),
        ("v=spf1 exists:%{i}._spf.%{d2} -all", Word::Fail),
        ("v=spf1 redirect=soft.example.test", Word::SoftFail),
        ("v=spf1 redirect=nothing.example.test", Word::PermError),
        ("v=spf1 include:nothing.example.test -all", Word::PermError),
        ("v=spf1 ip4:203.0.113.1", Word::Neutral),
    ] {
        desk.txt(BOUNCE, &[record]);
        let mail = Received {
            raw: b"From: a@example.test\r\n\r\n",
            client_ip: desk.subject.routes[0].egress[0],
            ehlo: EHLO,
            mail_from: Some("bounces@bounce.example.test"),
        };
        assert_eq!(verifier.verify(&mail).await.spf, expected, "{record}");
        let report = desk.report().await;
        let says = |finding: &&mail::gate::Finding| finding.place == BOUNCE && finding.rule == "spf.passes";
        let finding = report.findings.iter().find(says).unwrap();
        assert!(finding.found.starts_with(&format!("{expected} for")), "{record}: {finding:?}");
    }
}
