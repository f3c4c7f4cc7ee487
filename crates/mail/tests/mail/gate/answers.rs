//! The lookups themselves: each question once, three kinds of answers, and an end.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mail::dns::DnsError;
use mail::zone::{DnsFault, RecordData};

use super::desk::{BOUNCE, Desk, EHLO, name};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn there_is_none_is_told_from_there_is_no_such_name() {
    let desk = Desk::good().await;
    let lookups = desk.resolver().lookups(LONG);
    let none = lookups.txt("mx.example.test").await.unwrap();
    let missing = lookups.txt("nothing.example.test").await.unwrap();
    assert!(none.is_void() && none.exists && missing.is_void() && !missing.exists);
    assert!(matches!(lookups.txt("two..dots").await, Err(DnsError::Name(_))));
    assert!(matches!(lookups.txt("").await, Err(DnsError::Name(_))));
    assert_eq!(lookups.names("192.0.2.10".parse().unwrap()).await.unwrap().records, [EHLO]);
    assert_eq!(lookups.all_addresses(EHLO).await.unwrap(), [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10))]);
}

#[tokio::test]
async fn each_question_is_asked_once_and_nothing_is_kept_for_the_next_check() {
    let desk = Desk::good().await;
    let resolver = desk.resolver();
    let lookups = resolver.lookups(LONG);
    let first = lookups.txt(BOUNCE).await.unwrap();
    let asked = desk.dns.queries();
    assert_eq!(lookups.txt("Bounce.Example.Test.").await.unwrap(), first);
    assert_eq!(desk.dns.queries(), asked);
    desk.txt(BOUNCE, &["v=spf1 -all"]);
    assert_eq!(resolver.lookups(LONG).txt(BOUNCE).await.unwrap().records, ["v=spf1 -all"]);
    desk.clear(BOUNCE);
    assert!(resolver.lookups(LONG).txt(BOUNCE).await.unwrap().is_void());
    desk.add(BOUNCE, RecordData::Txt("back".to_owned()));
    assert_eq!(
        resolver.lookups(LONG).txt(BOUNCE).await.unwrap().records,
        ["back"],
        "no answer is cached, nor its lack"
    );
}

#[tokio::test]
async fn failures_are_temporary_and_say_what_happened() {
    let desk = Desk::good().await;
    for (fault, word) in [(DnsFault::ServFail, "Server Failure"), (DnsFault::Refused, "Refused")] {
        desk.fail(EHLO, fault);
        let error = desk.resolver().lookups(LONG).txt(EHLO).await.unwrap_err();
        assert!(matches!(error, DnsError::Temporary { .. }) && error.to_string().contains(word), "{error}");
    }
    desk.fail(EHLO, DnsFault::Silent);
    let short = desk.resolver().lookups(Duration::from_millis(50));
    let error = short.txt(EHLO).await.unwrap_err();
    assert!(error.to_string().contains("time of this check is over"), "{error}");
    assert!(short.txt(BOUNCE).await.is_err(), "when its time is over nothing more is asked");
    desk.dns.heal(&name(EHLO));
    assert!(desk.resolver().lookups(LONG).txt(EHLO).await.is_ok());
}
