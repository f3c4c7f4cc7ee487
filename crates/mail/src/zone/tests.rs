//! Zones as text.

use proptest::prelude::*;

use super::*;

fn zone() -> Zone {
    dev_zone(DEV_DOMAIN, "dev", &format!("v=DKIM1; k=rsa; p={}", "A".repeat(392))).unwrap()
}

#[test]
fn the_development_zone_is_plain_master_file_text() {
    insta::assert_snapshot!(zone().to_string());
}

#[test]
fn no_line_leaves_anything_to_be_implied() {
    for line in zone().to_string().lines() {
        let name = line.split(' ').next().unwrap();
        assert!(name.ends_with('.') && !line.contains('@') && !line.starts_with('$'), "{line}");
        let longest = line.split('"').skip(1).step_by(2).map(str::len).max();
        assert!(longest.is_none_or(|length| length <= 255), "{line}");
    }
}

#[test]
fn what_is_printed_is_read_back() {
    assert_eq!(Zone::parse(&zone().to_string()).unwrap(), zone());
}

#[test]
fn comments_and_blanks_are_skipped() {
    let zone = Zone::parse("; a zone\n\nwww.a.test.  60  in  A 192.0.2.1 ; an address\n").unwrap();
    assert_eq!(zone.to_string(), "www.a.test. 60 IN A 192.0.2.1\n");
}

#[test]
fn what_is_not_understood_is_named_with_its_line() {
    let cases = [
        ("$ORIGIN a.test.", "directives"),
        ("@ 60 IN A 192.0.2.1", "directives"),
        ("a.test 60 IN A 192.0.2.1", "not absolute"),
        ("a.test. 60 IN A 192.0.2.256", "cannot be read"),
        ("a.test. 60 IN A", "wrong number of fields"),
        ("a.test. 60 CH A 192.0.2.1", "class"),
        ("a.test. 60 IN WKS x", "not supported"),
        ("a.test. 60 IN TXT \"open", "not closed"),
        ("a.test. 60 IN SOA ( a. b. 1 1 1 1 1 )", "parentheses"),
        (" 60 IN A 192.0.2.1", "start with its name"),
        ("a..test. 60 IN A 192.0.2.1", "not a domain name"),
    ];
    for (line, reason) in cases {
        let error = Zone::parse(&format!("; first\n{line}\n")).unwrap_err();
        assert!(
            matches!(&error, ZoneError::Line { line: 2, reason: said } if said.contains(reason)),
            "{line}: {error}"
        );
    }
}

#[test]
fn the_parent_of_a_name_exists_and_a_sibling_does_not() {
    let zone = zone();
    let exists = |name: &str| zone.exists(&DnsName::parse(name).unwrap());
    assert!(exists("_domainkey.postrider.test") && exists("POSTRIDER.test."));
    assert!(!exists("x.postrider.test") && !exists("notpostrider.test"));
}

proptest! {
    #[test]
    fn any_text_survives_printing_and_parsing(text in "\\PC{0,600}") {
        let mut zone = Zone::new();
        zone.add("t.test", RecordData::Txt(text)).unwrap();
        prop_assert_eq!(Zone::parse(&zone.to_string()).unwrap(), zone);
    }
}
