//! Verdicts on mails that are not what they should be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mail::zone::{DEV_DOMAIN, DnsFault, DnsName, RecordData};
use mail::{DkimKey, DkimSigner, DnsServer, Received, Verdict, Verdicts, Verifier};

use crate::lab;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FROM: &str = "bounce+dlv1@bounce.postrider.test";
const EHLO: &str = "mail.postrider.test";

async fn judge(dns: &DnsServer, raw: &[u8], client_ip: IpAddr, mail_from: Option<&str>) -> Verdicts {
    Verifier::new(dns.addr()).unwrap().verify(&Received { raw, client_ip, ehlo: EHLO, mail_from }).await
}

async fn verdicts(dns: &DnsServer, raw: &[u8]) -> (Verdict, Verdict, Verdict) {
    let verdicts = judge(dns, raw, LOOPBACK, Some(FROM)).await;
    (verdicts.spf, verdicts.dkim, verdicts.dmarc)
}

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

/// SPF is kept out of it, so that DKIM alone decides DMARC.
async fn elsewhere(dns: &DnsServer, raw: &[u8]) -> Verdicts {
    judge(dns, raw, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), Some(FROM)).await
}

fn replaced(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(lab::signed()).unwrap();
    assert!(text.contains(from));
    text.replacen(from, to, 1).into_bytes()
}

#[tokio::test]
async fn a_genuine_mail_passes_over_ipv4_and_ipv6() {
    let dns = lab::name_server().await;
    assert_eq!(verdicts(&dns, &lab::signed()).await, (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    let six = judge(&dns, &lab::signed(), IpAddr::V6(Ipv6Addr::LOCALHOST), Some(FROM)).await;
    assert_eq!(six.spf, Verdict::Pass);
}

#[tokio::test]
async fn a_bounce_with_an_empty_sender_is_judged_by_its_ehlo_name() {
    let dns = lab::name_server().await;
    let verdicts = judge(&dns, &lab::signed(), LOOPBACK, None).await;
    assert_eq!((verdicts.spf, verdicts.dmarc), (Verdict::Pass, Verdict::Pass));
}

#[tokio::test]
async fn a_changed_body_fails_dkim_and_then_dmarc() {
    let dns = lab::name_server().await;
    let changed = elsewhere(&dns, &replaced("USD 45.00", "USD 95.00")).await;
    assert_eq!((changed.spf, changed.dkim, changed.dmarc), (Verdict::Fail, Verdict::Fail, Verdict::Fail));
}

#[tokio::test]
async fn an_added_body_fails() {
    let dns = lab::name_server().await;
    let mut longer = lab::signed();
    longer.extend_from_slice(b"one more line\r\n");
    assert_eq!(elsewhere(&dns, &longer).await.dkim, Verdict::Fail);
}

#[tokio::test]
async fn a_changed_or_added_header_fails() {
    let dns = lab::name_server().await;
    for (from, to) in [
        ("Subject: Confirmed", "Subject: Cancelled"),
        ("From: Bookings", "From: Payments"),
        ("To: ", "To: <other@example.com>, "),
        ("Date: ", "From: Boss <boss@postrider.test>\r\nDate: "),
        ("Date: ", "Subject: another\r\nDate: "),
        ("Date: ", "Reply-To: thief@example.com\r\nDate: "),
        ("MIME-Version: 1.0\r\n", ""),
    ] {
        assert_eq!(elsewhere(&dns, &replaced(from, to)).await.dkim, Verdict::Fail, "{from:?} → {to:?}");
    }
}

#[tokio::test]
async fn what_relays_do_to_blanks_and_folding_does_not_matter() {
    let dns = lab::name_server().await;
    for (from, to) in [("Subject: ", "SUBJECT:   "), ("Date: ", "X-Relay: one\r\nDate: "), ("=20\r\n", "=20  \r\n")] {
        if String::from_utf8(lab::signed()).unwrap().contains(from) {
            assert_eq!(elsewhere(&dns, &replaced(from, to)).await.dkim, Verdict::Pass, "{from:?} → {to:?}");
        }
    }
}

#[tokio::test]
async fn a_signature_by_another_key_fails() {
    let dns = lab::name_server().await;
    let other = DkimKey::generate().unwrap();
    let signer = DkimSigner::new(&other, DEV_DOMAIN, lab::SELECTOR).unwrap();
    let signed = signer.sign(&lab::unsigned(), lab::start()).unwrap();
    let verdicts = elsewhere(&dns, &signed).await;
    assert_eq!((verdicts.dkim, verdicts.dmarc), (Verdict::Fail, Verdict::Fail));
}

#[tokio::test]
async fn no_signature_is_none_and_aligned_spf_alone_satisfies_dmarc() {
    let dns = lab::name_server().await;
    assert_eq!(verdicts(&dns, &lab::unsigned()).await, (Verdict::Pass, Verdict::None, Verdict::Pass));
    let neither = elsewhere(&dns, &lab::unsigned()).await;
    assert_eq!((neither.spf, neither.dkim, neither.dmarc), (Verdict::Fail, Verdict::None, Verdict::Fail));
}

#[tokio::test]
async fn a_pass_for_a_domain_that_is_not_aligned_does_not_count() {
    let dns = lab::name_server().await;
    let mut zone = dns.zone();
    zone.add("elsewhere.test", RecordData::Txt("v=spf1 ip4:127.0.0.0/8 -all".to_owned())).unwrap();
    zone.add("dev._domainkey.elsewhere.test", RecordData::Txt(lab::key().public_txt())).unwrap();
    dns.set_zone(zone);
    let signer = DkimSigner::new(lab::key(), "elsewhere.test", "dev").unwrap();
    let signed = signer.sign(&lab::unsigned(), lab::start()).unwrap();
    let verdicts = judge(&dns, &signed, LOOPBACK, Some("a@elsewhere.test")).await;
    assert_eq!((verdicts.spf, verdicts.dkim, verdicts.dmarc), (Verdict::Pass, Verdict::Pass, Verdict::Fail));
}

#[tokio::test]
async fn records_that_are_missing_or_broken_are_none_or_permerror() {
    let dns = lab::name_server().await;
    let change = |name_: &str, txt: Option<&str>| {
        let mut zone = dns.zone();
        zone.remove(&name(name_), |data| matches!(data, RecordData::Txt(_)));
        if let Some(txt) = txt {
            zone.add(name_, RecordData::Txt(txt.to_owned())).unwrap();
        }
        dns.set_zone(zone);
    };
    change("bounce.postrider.test", None);
    assert_eq!(verdicts(&dns, &lab::signed()).await.0, Verdict::None);
    change("bounce.postrider.test", Some("v=spf1 ~all"));
    assert_eq!(verdicts(&dns, &lab::signed()).await.0, Verdict::SoftFail);
    change("bounce.postrider.test", Some("v=spf1 ?all"));
    assert_eq!(verdicts(&dns, &lab::signed()).await.0, Verdict::Neutral);
    change("bounce.postrider.test", Some("v=spf1 include:nothing.postrider.test -all"));
    assert_eq!(verdicts(&dns, &lab::signed()).await.0, Verdict::PermError);
    change("dev._domainkey.postrider.test", None);
    assert_eq!(verdicts(&dns, &lab::signed()).await.1, Verdict::PermError);
    change("dev._domainkey.postrider.test", Some("v=DKIM1; k=rsa; p="));
    assert_eq!(verdicts(&dns, &lab::signed()).await.1, Verdict::PermError);
    change("_dmarc.postrider.test", None);
    assert_eq!(verdicts(&dns, &lab::signed()).await.2, Verdict::None);
}

#[tokio::test]
async fn a_name_server_in_trouble_is_temperror_and_not_fail() {
    let dns = lab::name_server().await;
    dns.fail(&name("bounce.postrider.test"), DnsFault::ServFail);
    dns.fail(&name("dev._domainkey.postrider.test"), DnsFault::ServFail);
    assert_eq!(verdicts(&dns, &lab::signed()).await, (Verdict::TempError, Verdict::TempError, Verdict::TempError));
    dns.heal(&name("dev._domainkey.postrider.test"));
    assert_eq!(verdicts(&dns, &lab::signed()).await, (Verdict::TempError, Verdict::Pass, Verdict::Pass));
    dns.fail(&name("_dmarc.postrider.test"), DnsFault::Silent);
    assert_eq!(verdicts(&dns, &lab::signed()).await.2, Verdict::TempError);
}

#[tokio::test]
async fn garbage_is_judged_without_a_panic() {
    let dns = lab::name_server().await;
    for raw in [
        &b""[..],
        b"\r\n",
        b"no header at all",
        b"From: \r\n\r\n",
        b"From: a@b, c@d\r\nDKIM-Signature: v=1; l=9\r\n\r\nx",
        b"\xff\xfe: \x00\r\n\r\n",
    ] {
        let verdicts = judge(&dns, raw, LOOPBACK, Some("not an address")).await;
        assert_ne!(verdicts.dkim, Verdict::Pass);
        assert_ne!(verdicts.dmarc, Verdict::Pass);
    }
}

#[test]
fn the_words_are_those_of_rfc_8601() {
    let all = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::SoftFail,
        Verdict::Neutral,
        Verdict::None,
        Verdict::TempError,
        Verdict::PermError,
        Verdict::Policy,
    ];
    let words: Vec<String> =
        all.iter().map(|verdict| serde_json::to_value(verdict).unwrap().as_str().unwrap().to_owned()).collect();
    assert_eq!(words, ["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy"]);
    assert!(all.iter().zip(&words).all(|(verdict, word)| verdict.to_string() == *word));
}
