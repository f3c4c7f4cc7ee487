//! Labels and fingerprints: what is taken, what is refused and how it is named, what an identity depends on.

use alerting::{Fingerprint, LabelError, Labels};
use proptest::prelude::*;

#[test]
fn names_are_those_of_prometheus() {
    for good in ["a", "_", "alertname", "Zone_2", "__name__"] {
        assert!(Labels::from_pairs([(good, "x")]).is_ok(), "{good}");
    }
    for bad in ["", "2a", "a-b", "a.b", "a b", "ä", "a\r\nBcc", "{a}", &"a".repeat(129)] {
        let error = Labels::from_pairs([(bad, "x")]).unwrap_err();
        assert!(matches!(&error, LabelError::Name(_)), "{bad}: {error}");
        assert!(!error.to_string().contains('\n') && error.to_string().len() < 250, "{error}");
    }
}

#[test]
fn values_are_short_and_of_one_line() {
    assert!(Labels::from_pairs([("a", "<b>&\"'ä😀\\")]).is_ok());
    assert!(Labels::from_pairs([("a", "x".repeat(1024))]).is_ok());
    let long = Labels::from_pairs([("a", "x".repeat(1025))]).unwrap_err();
    assert_eq!(long.to_string(), "the value of a has 1025 bytes: at most 1024");
    assert_eq!(long.label(), Some("a"));
    for bad in ["a\r\nSubject: x", "\n", "\0", "\u{7f}", "\u{85}", "\u{2028}", "\u{202E}gpj", "\u{2066}"] {
        assert!(matches!(Labels::from_pairs([("a", bad)]), Err(LabelError::Control { .. })), "{bad:?}");
    }
}

#[test]
fn an_empty_value_is_no_label() {
    let mut labels = Labels::from_pairs([("a", "x"), ("b", "")]).unwrap();
    assert_eq!(labels, Labels::from_pairs([("a", "x")]).unwrap());
    labels.insert("a", "").unwrap();
    assert!(labels.is_empty());
}

#[test]
fn a_table_without_end_is_refused_at_its_65th_label() {
    let most: Vec<(String, &str)> = (0..64).map(|i| (format!("l{i}"), "x")).collect();
    let mut labels = Labels::from_pairs(most).unwrap();
    assert_eq!(labels.insert("one_more", "x"), Err(LabelError::TooMany));
    labels.insert("l7", "y").expect("one that is there may change");
    let many: Vec<String> = (0..10_000).map(|i| format!("\"l{i}\":\"x\"")).collect();
    let error = serde_json::from_str::<Labels>(&format!("{{{}}}", many.join(","))).unwrap_err();
    assert!(error.to_string().starts_with("more than 64 labels"), "{error}");
}

#[test]
fn labels_that_are_no_texts_are_refused() {
    for bad in [r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":{}}"#, "[]", r#""a""#] {
        assert!(serde_json::from_str::<Labels>(bad).is_err(), "{bad}");
    }
}

/// Rows are stored under it: it must never change.
#[test]
fn a_fingerprint_is_the_same_in_every_release() {
    let labels = Labels::from_pairs([("host", "db-1"), ("zone", "eu")]).unwrap();
    let fingerprint = Fingerprint::of("db.down", &labels);
    assert_eq!(fingerprint.to_string(), "f6a0488cd89983d2d593dc604d5a753a");
    assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    for bad in ["", "0", &"g".repeat(32), &"A".repeat(32), &"0".repeat(33), "+0000000000000000000000000000000"] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
}

#[test]
fn parts_do_not_run_into_each_other() {
    let of = |kind: &str, pairs: &[(&str, &str)]| Fingerprint::of(kind, &Labels::from_pairs(pairs.to_vec()).unwrap());
    let all = [
        of("a", &[("b", "c")]),
        of("ab", &[("c", "d")]),
        of("a", &[("bc", "d")]),
        of("a", &[("b", "cd")]),
        of("a", &[("b", "c"), ("d", "e")]),
        of("a", &[("b", "cde")]),
        of("a", &[]),
        of("", &[("a", "b")]),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

proptest! {
    #[test]
    fn a_fingerprint_does_not_depend_on_the_order(
        pairs in prop::collection::btree_map("[a-z]{1,4}", "[a-z]{1,4}", 0..8),
        seed in any::<u64>(),
    ) {
        let sorted: Vec<_> = pairs.into_iter().collect();
        let mut mixed = sorted.clone();
        mixed.sort_by_key(|(name, _)| {
            name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        let of = |pairs: &[(String, String)]| Fingerprint::of("t", &Labels::from_pairs(pairs.to_vec()).unwrap());
        prop_assert_eq!(of(&sorted), of(&mixed));
    }

    #[test]
    fn a_fingerprint_tells_different_labels_apart(a in super::oracle::labels(), b in super::oracle::labels()) {
        prop_assert_eq!(Fingerprint::of("t", &a) == Fingerprint::of("t", &b), a == b);
    }

    /// Whatever comes in, what was taken has one line and comes out of JSON as it went in.
    #[test]
    fn whatever_was_taken_is_sound(pairs in prop::collection::vec((any::<String>(), any::<String>()), 0..6)) {
        if let Ok(labels) = Labels::from_pairs(pairs) {
            prop_assert!(labels.iter().all(|(_, value)| !value.contains(['\r', '\n', '\0'])));
            let text = serde_json::to_string(&labels).unwrap();
            prop_assert_eq!(serde_json::from_str::<Labels>(&text).unwrap(), labels);
        }
    }
}
