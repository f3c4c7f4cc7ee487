//! Inhibition: what explains what, and the index against one look at every pair.

use alerting::{Equal, Fingerprint, Inhibition, Inhibitor, Labels, parse_list};
use proptest::prelude::*;

use super::oracle;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.to_vec()).unwrap()
}

#[test]
fn a_critical_alert_mutes_its_warnings() {
    let rules = Inhibition::standard();
    let of =
        |severity: &str, kind: &str, host: &str| labels(&[("alertname", kind), ("severity", severity), ("host", host)]);
    let critical = of("critical", "disk", "a");
    assert!(rules[0].applies(&critical, &of("warning", "disk", "a")));
    assert!(rules[0].applies(&critical, &of("info", "disk", "a")));
    assert!(!rules[0].applies(&critical, &of("warning", "disk", "b")), "of another host");
    assert!(!rules[0].applies(&critical, &of("warning", "cpu", "a")), "of another type");
    assert!(!rules[0].applies(&critical, &of("critical", "disk", "a")));
    assert!(!rules[0].applies(&of("warning", "disk", "a"), &of("info", "disk", "a")));
}

#[test]
fn a_label_that_neither_has_is_in_common() {
    let rule = Inhibition {
        source: parse_list("alertname=down").unwrap(),
        target: parse_list("alertname=slow").unwrap(),
        equal: Equal::parse(&["zone".to_owned()]).unwrap(),
    };
    let (down, slow) = (labels(&[("alertname", "down")]), labels(&[("alertname", "slow"), ("host", "a")]));
    assert!(rule.applies(&down, &slow));
    assert!(!rule.applies(&down, &labels(&[("alertname", "slow"), ("zone", "eu")])));
    assert!(Equal::parse(&["a-b".to_owned()]).is_err());
}

#[test]
fn what_is_both_is_not_muted_by_what_is_both() {
    let rule = Inhibition {
        source: parse_list("a=~\"x|y\"").unwrap(),
        target: parse_list("a=~\"y|z\"").unwrap(),
        equal: Equal::parse(&[]).unwrap(),
    };
    let of = |value: &str| labels(&[("a", value)]);
    assert!(rule.applies(&of("x"), &of("y")) && rule.applies(&of("y"), &of("z")));
    assert!(!rule.applies(&of("y"), &of("y")));
    let rules = [rule];
    let own = Fingerprint::of("y", &of("y"));
    assert_eq!(Inhibitor::new(&rules, [(own, &of("y"))]).inhibited_by(own, &of("y")), []);
}

fn rule() -> impl Strategy<Value = Inhibition> {
    let matchers = || prop::collection::vec(oracle::matcher(), 1..2);
    let equal = prop_oneof![
        Just(Equal::AllButSeverity),
        prop::collection::vec("[abc]", 0..2).prop_map(|names| Equal::parse(&names).unwrap()),
    ];
    (matchers(), matchers(), equal).prop_map(|(source, target, equal)| Inhibition { source, target, equal })
}

proptest! {
    #[test]
    fn the_index_finds_what_a_look_at_every_pair_finds(
        rules in prop::collection::vec(rule(), 0..3),
        firing in prop::collection::vec(oracle::labels(), 0..8),
        target in oracle::labels(),
    ) {
        let named: Vec<_> = firing.iter().map(|labels| (Fingerprint::of("t", labels), labels)).collect();
        let own = Fingerprint::of("t", &target);
        let mut plain: Vec<_> = named
            .iter()
            .filter(|(source, labels)| *source != own && rules.iter().any(|rule| rule.applies(labels, &target)))
            .map(|(source, _)| *source)
            .collect();
        plain.sort_unstable();
        plain.dedup();
        prop_assert_eq!(Inhibitor::new(&rules, named.iter().copied()).inhibited_by(own, &target), plain);
    }
}
