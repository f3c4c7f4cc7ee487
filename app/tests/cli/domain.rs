//! `domain`: what a person reads of a domain, and a key's life from its making to the switch.

use mail::zone::{DnsName, RecordData};
use mail::{DkimKey, DnsServer, Zone};
use serde_json::{Value, json};

use crate::harness::Place;

const DOMAIN: &str = "example.test";

/// A domain that is published as it should be, but for its DKIM key, and a place that knows it.
async fn scene() -> (DnsServer, Place) {
    let zone = Zone::parse(&format!(
        "{DOMAIN}. 60 IN MX 10 mx.{DOMAIN}.\n\
         {DOMAIN}. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n\
         mx.{DOMAIN}. 60 IN A 192.0.2.1\n\
         mail.{DOMAIN}. 60 IN A 127.0.0.1\n\
         mail.{DOMAIN}. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n\
         _dmarc.{DOMAIN}. 60 IN TXT \"v=DMARC1; p=reject; rua=mailto:a@{DOMAIN}\"\n"
    ));
    let dns = DnsServer::start(zone.unwrap()).await.unwrap();
    let place = Place::sqlite()
        .with("MAIL__DOMAIN", DOMAIN)
        .with("MAIL__EGRESS", "127.0.0.1")
        .with("MAIL__DNS__SERVERS", &dns.addr().to_string());
    (dns, place)
}

fn publish(dns: &DnsServer, name: &str, text: &str) {
    let mut zone = dns.zone();
    zone.remove(&DnsName::parse(name).unwrap(), |_| true);
    zone.add(name, RecordData::Txt(text.to_owned())).unwrap();
    dns.set_zone(zone);
}

async fn json_of(place: &Place, args: &[&str], code: i32) -> Value {
    let said = place.run(args).await;
    assert_eq!(said.code, code, "{said:?}");
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"))
}

fn findings<'a>(report: &'a Value, rule: &str) -> Vec<&'a Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule).collect()
}

#[tokio::test]
async fn a_key_is_made_published_and_found() {
    let (dns, place) = scene().await;
    let before = json_of(&place, &["domain", "check", DOMAIN, "--json"], 1).await;
    assert_eq!(before["verdict"], "fail");
    assert!(findings(&before, "dkim.key")[0]["found"].as_str().unwrap().contains("keygen"), "{before:#}");

    let file = place.path("s1.pem");
    let made = json_of(&place, &["domain", "keygen", DOMAIN, "--selector", "s1", "--out", &file, "--json"], 0).await;
    assert_eq!((&made["selector"], &made["name"]), (&json!("s1"), &json!("s1._domainkey.example.test")));
    let line = made["line"].as_str().unwrap();
    assert!(line.starts_with("s1._domainkey.example.test. 3600 IN TXT \"v=DKIM1; k=rsa; p="), "{line}");
    assert!(line.contains("\" \""), "more than 255 octets are split: {line}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = place.run(&["domain", "keygen", DOMAIN, "--selector", "s1", "--out", &file]).await;
    assert_eq!((again.code, again.err.contains("File exists")), (1, true), "{again:?}");

    let place = place.with("MAIL__DKIM__MAIN__SELECTOR", "s1").with("MAIL__DKIM__MAIN__KEY_FILE", &file);
    let missing = json_of(&place, &["domain", "check", DOMAIN, "--json"], 1).await;
    assert_eq!(findings(&missing, "dkim.record")[0]["publish"]["value"], made["value"]);
    publish(&dns, "s1._domainkey.example.test", made["value"].as_str().unwrap());
    let good = json_of(&place, &["domain", "check", "Example.TEST.", "--json"], 0).await;
    assert_eq!((&good["verdict"], &good["domain"]), (&json!("pass"), &json!(DOMAIN)));
    assert_eq!(findings(&good, "dkim.probe")[0]["severity"], "ok");
}

#[tokio::test]
async fn people_read_what_to_publish_and_the_exit_code_says_how_bad_it_is() {
    let (dns, place) = scene().await;
    let file = place.path("s1.pem");
    place.ok(&["domain", "keygen", DOMAIN, "--selector", "s1", "--out", &file]).await;
    let key = DkimKey::from_pem(&std::fs::read_to_string(&file).unwrap()).unwrap();
    publish(&dns, "s1._domainkey.example.test", &key.public_txt());
    let place = place.with("MAIL__DKIM__MAIN__SELECTOR", "s1").with("MAIL__DKIM__MAIN__KEY_FILE", &file);
    let good = place.ok(&["domain", "check", DOMAIN]).await;
    assert!(good.starts_with("example.test\n") && good.contains("ok       spf.lookups"), "{good}");
    assert!(good.trim_end().ends_with("Mail of this domain authenticates."), "{good}");

    publish(&dns, DOMAIN, "v=spf1 ip4:192.0.2.7 ?all");
    let bad = place.run(&["domain", "check", DOMAIN]).await;
    assert_eq!(bad.code, 1, "{bad:?}");
    for part in [
        "BLOCK    spf.passes",
        "neutral for 127.0.0.1, by ?all (RFC 7208 §2.6.3)",
        "→ example.test. 3600 IN TXT \"v=spf1 ip4:127.0.0.1 ip4:192.0.2.7 -all\"",
        "Mail of this domain is held:",
    ] {
        assert!(bad.out.contains(part), "{part}: {}", bad.out);
    }
    let nobody = place.run(&["domain", "check", DOMAIN, "--sender", "invoices"]).await;
    assert_eq!((nobody.code, nobody.err.contains("bookings (bookings@example.test)")), (2, true), "{nobody:?}");
    let name = place.run(&["domain", "check", "not a domain"]).await;
    assert_eq!((name.code, name.err.contains("a domain like example.com")), (2, true), "{name:?}");
}

#[tokio::test]
async fn a_rotation_makes_verifies_and_switches_and_the_first_record_stays() {
    let (dns, place) = scene().await;
    place.ok(&["migrate"]).await;
    let first = place.path("s1.pem");
    let made = json_of(&place, &["domain", "keygen", DOMAIN, "--selector", "s1", "--out", &first, "--json"], 0).await;
    publish(&dns, "s1._domainkey.example.test", made["value"].as_str().unwrap());
    // The table of the first key comes last by its name: that must not decide which one signs.
    let place = place.with("MAIL__DKIM__ZETA__SELECTOR", "s1").with("MAIL__DKIM__ZETA__KEY_FILE", &first);

    let step = json_of(&place, &["domain", "rotate", DOMAIN, "--json"], 0).await;
    assert_eq!(step["step"], "publish", "{step}");
    let again = json_of(&place, &["domain", "rotate", DOMAIN, "--json"], 0).await;
    assert_eq!(again["value"], step["value"], "a second call makes no further key");
    let (selector, file) = (step["selector"].as_str().unwrap(), step["key_file"].as_str().unwrap());
    let place = place.with("MAIL__DKIM__B__SELECTOR", selector).with("MAIL__DKIM__B__KEY_FILE", file);

    let check = json_of(&place, &["domain", "check", DOMAIN, "--json"], 0).await;
    assert_eq!(findings(&check, "dkim.probe")[0]["place"], "s1._domainkey.example.test", "the first one signs on");
    let early = json_of(&place, &["domain", "rotate", DOMAIN, "--json"], 1).await;
    assert_eq!(findings(&early, "dkim.record")[0]["severity"], "block");
    publish(&dns, step["name"].as_str().unwrap(), step["value"].as_str().unwrap());
    let switched = json_of(&place, &["domain", "rotate", DOMAIN, "--json"], 0).await;
    assert_eq!(
        (&switched["step"], &switched["from"], &switched["to"]),
        (&json!("switched"), &json!("s1"), &json!(selector))
    );

    let list = json_of(&place, &["domain", "list", "--json"], 0).await;
    assert_eq!(list["items"][0]["selector"], json!(selector));
    let check = json_of(&place, &["domain", "check", DOMAIN, "--json"], 0).await;
    let old: Vec<_> = findings(&check, "dkim.record");
    let kept = |finding: &&&Value| finding["found"].as_str().unwrap().contains("seven days");
    assert_eq!(old.iter().filter(kept).count(), 1, "{old:#?}");
    let table = place.ok(&["domain", "list"]).await;
    assert!(table.contains("example.test") && table.contains("unchecked"), "{table}");

    // And back, for a new key that turns out to be a mistake.
    let back = json_of(&place, &["domain", "rotate", DOMAIN, "--to", "s1", "--json"], 0).await;
    assert_eq!((&back["from"], &back["to"]), (&json!(selector), &json!("s1")));
    let list = json_of(&place, &["domain", "list", "--json"], 0).await;
    assert_eq!(list["items"][0]["selector"], json!("s1"));
}
