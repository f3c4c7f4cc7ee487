//! DKIM: the record at the selector, with real keys of several lengths.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::gate::{KeyUse, Severity, SigningKey, Verdict};
use mail::zone::{DnsFault, RecordData};
use mail::{DkimKey, DkimSigner};

use super::desk::{DOMAIN, Desk, KEY, name};
use crate::lab;

/// A record with a made-up RSA key of so many octets, as a SubjectPublicKeyInfo.
fn record_of(octets: usize) -> String {
    let length = |n: usize| match n {
        0..0x80 => vec![u8::try_from(n).unwrap()],
        _ => [vec![0x82], u16::try_from(n).unwrap().to_be_bytes().to_vec()].concat(),
    };
    let wrap = |kind: u8, inner: &[u8]| [vec![kind], length(inner.len()), inner.to_vec()].concat();
    let modulus = wrap(0x02, &[vec![0x00, 0xc5], vec![0x5a; octets - 1]].concat());
    let key = wrap(0x30, &[modulus, wrap(0x02, &[1, 0, 1])].concat());
    let algorithm = wrap(0x30, &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00]);
    let info = wrap(0x30, &[algorithm, wrap(0x03, &[vec![0], key].concat())].concat());
    format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(info))
}

#[tokio::test]
async fn our_key_is_recognised_and_a_signed_probe_verifies() {
    let desk = Desk::good().await;
    for (rule, word) in [
        ("dkim.record", "one record"),
        ("dkim.syntax", "every tag"),
        ("dkim.key", "our key"),
        ("dkim.size", "2048 bits"),
        ("dkim.probe", "verifies"),
    ] {
        desk.says(rule, Severity::Ok, word).await;
    }
}

#[tokio::test]
async fn a_missing_name_a_name_without_text_and_two_texts_are_told_apart() {
    let desk = Desk::good().await;
    desk.clear(KEY).says("dkim.record", Severity::Block, "no such name").await;
    let publish = desk.worst("dkim.record").await.publish.unwrap();
    assert_eq!((publish.name.as_str(), publish.value), (KEY, lab::key().public_txt()));
    desk.add(KEY, RecordData::A(std::net::Ipv4Addr::LOCALHOST));
    desk.says("dkim.record", Severity::Block, "no TXT record").await;
    desk.txt(KEY, &[&lab::key().public_txt(), "v=DKIM1; p="]);
    desk.says("dkim.record", Severity::Block, "2 TXT records").await;
}

#[tokio::test]
async fn broken_revoked_and_foreign_keys_block() {
    let desk = Desk::good().await;
    let ours = lab::key().public_txt();
    let other = DkimKey::generate().unwrap().public_txt();
    let p = ours.strip_prefix("v=DKIM1; k=rsa; ").unwrap();
    for (text, rule, word) in [
        ("v=DKIM1; k=rsa".to_owned(), "dkim.syntax", "no p="),
        ("v=DKIM1; k=rsa; p=".to_owned(), "dkim.revoked", "revoked"),
        (other.clone(), "dkim.key", "not the public half"),
        (other, "dkim.probe", "does not verify"),
        (format!("v=DKIM1; t=y; {p}"), "dkim.testing", "t=y"),
        (format!("v=DKIM1; h=sha1; {p}"), "dkim.hashes", "sha256"),
        (format!("v=DKIM1; s=tlsrpt; {p}"), "dkim.service", "not for mail"),
    ] {
        desk.txt(KEY, &[&text]).says(rule, Severity::Block, word).await;
        assert_eq!(desk.report().await.verdict(), Verdict::Fail);
    }
    for (tags, rule) in [("t=s; ", "dkim.strict"), ("h=sha1:sha256; s=email; ", "dkim.key")] {
        desk.txt(KEY, &[&format!("v=DKIM1; {tags}{p}")]);
        assert!(desk.worst(rule).await.severity <= Severity::Info);
        assert_eq!(desk.report().await.verdict(), Verdict::Pass);
    }
}

#[tokio::test]
async fn short_keys_are_told_from_long_ones() {
    let desk = Desk::good().await;
    for (octets, severity, word) in [
        (64, Severity::Block, "512 bits"),
        (127, Severity::Block, "1016 bits"),
        (128, Severity::Warn, "1024 bits"),
        (255, Severity::Warn, "2040 bits"),
        (256, Severity::Ok, "2048 bits"),
    ] {
        desk.txt(KEY, &[&record_of(octets)]).says("dkim.size", severity, word).await;
    }
}

#[tokio::test]
async fn a_4096_bit_key_in_two_strings_passes() {
    let mut desk = Desk::good().await;
    let pair = KeyPair::generate(KeySize::Rsa4096).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let key = DkimKey::from_pem(&pem).unwrap();
    let text = key.public_txt();
    assert!(text.len() > 2 * 255, "it takes more than two strings of a TXT record");
    desk.txt(KEY, &[&text]);
    desk.subject.keys = vec![SigningKey {
        selector: "s1".to_owned(),
        public_txt: text,
        signer: Arc::new(DkimSigner::new(&key, DOMAIN, "s1").unwrap()),
        used: KeyUse::Signs,
    }];
    desk.says("dkim.size", Severity::Ok, "4096 bits").await;
    desk.says("dkim.probe", Severity::Ok, "verifies").await;
}

#[tokio::test]
async fn a_chain_of_aliases_is_followed_and_shown() {
    let desk = Desk::good().await;
    desk.clear(KEY).add(KEY, RecordData::Cname(name("k.relay.test")));
    desk.add("k.relay.test", RecordData::Cname(name("k2.relay.test")));
    desk.add("k2.relay.test", RecordData::Txt(lab::key().public_txt()));
    desk.says("dkim.record", Severity::Ok, "by way of k.relay.test, k2.relay.test").await;
    desk.says("dkim.probe", Severity::Ok, "verifies").await;
    desk.clear("k2.relay.test").says("dkim.record", Severity::Block, "").await;
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_comes_over_tcp() {
    let desk = Desk::good().await;
    let filler = "x".repeat(250);
    let texts: Vec<String> = (0..30).map(|n| format!("filler {n} {filler}")).collect();
    let mut all: Vec<&str> = texts.iter().map(String::as_str).collect();
    all.push("v=DMARC1; p=reject");
    desk.txt("_dmarc.example.test", &all).says("dmarc.record", Severity::Ok, "p=reject").await;
}

#[tokio::test]
async fn a_name_server_in_trouble_is_unclear() {
    let desk = Desk::good().await;
    desk.fail(KEY, DnsFault::ServFail).says("dkim.record", Severity::Unclear, "Server Failure").await;
    assert_eq!(desk.report().await.verdict(), Verdict::Unclear);
}

#[tokio::test]
async fn a_key_that_does_not_sign_yet_or_no_more_blocks_nothing() {
    let mut desk = Desk::good().await;
    let key = |selector: &str, used| SigningKey {
        selector: selector.to_owned(),
        public_txt: lab::key().public_txt(),
        signer: Arc::new(DkimSigner::new(lab::key(), DOMAIN, selector).unwrap()),
        used,
    };
    desk.subject.keys.push(key("s2", KeyUse::Next));
    desk.says("dkim.record", Severity::Info, "does not sign yet").await;
    desk.subject.keys.push(key("s0", KeyUse::Previous));
    desk.says("dkim.record", Severity::Warn, "seven days").await;
    assert_eq!(desk.report().await.verdict(), Verdict::Pass);
    desk.subject.keys.clear();
    desk.says("dkim.key", Severity::Block, "keygen").await;
}
