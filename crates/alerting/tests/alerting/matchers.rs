//! Matchers: how they are written and read, what they match, and that no expression can stop the process.

use alerting::{Labels, Matcher, Op, all_match, parse_list, print_list};
use proptest::prelude::*;

use super::oracle;

fn one(text: &str) -> Matcher {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn every_way_of_writing_one_is_read() {
    for (text, name, op, value) in [
        ("a=b", "a", Op::Equal, "b"),
        ("a=\"b\"", "a", Op::Equal, "b"),
        ("  a  =  \"b\"  ", "a", Op::Equal, "b"),
        ("a = b c ", "a", Op::Equal, "b c"),
        ("a!=b", "a", Op::NotEqual, "b"),
        ("a=~\"b|c\"", "a", Op::Regex, "b|c"),
        ("a!~b.*", "a", Op::NotRegex, "b.*"),
        ("a=", "a", Op::Equal, ""),
        ("a=\"\"", "a", Op::Equal, ""),
        ("\"a\"=\"b\"", "a", Op::Equal, "b"),
        ("a=\"b,c}\"", "a", Op::Equal, "b,c}"),
        ("a=\"say \\\"x\\\"\"", "a", Op::Equal, "say \"x\""),
        ("a=~\"b\\.c\\\\d\"", "a", Op::Regex, "b\\.c\\d"),
        ("a==b", "a", Op::Equal, "=b"),
    ] {
        let matcher = one(text);
        assert_eq!((matcher.name(), matcher.op(), matcher.value()), (name, op, value), "{text}");
    }
}

#[test]
fn what_is_no_matcher_is_refused() {
    for bad in [
        "",
        "a",
        "=b",
        "a b",
        "a>b",
        "2a=b",
        "a-b=c",
        "a=\"b",
        "a=b\"",
        "a=\"b\"c",
        "a=\"b\"c\"",
        "a=b,c=d",
        "a={",
        "a=~\"(\"",
        "a=~\"[\"",
        "a=~\"a)|(b\"",
        "a=~\"*\"",
        "a=\"x\\ny\"",
        "a=\"\u{7}\"",
        "ä=b",
        "\"a=b",
    ] {
        assert!(bad.parse::<Matcher>().is_err(), "{bad}");
    }
    assert!(Matcher::new("a", Op::Equal, "x".repeat(1025)).is_err());
    let told = "a=~\"b(\"".parse::<Matcher>().unwrap_err().to_string();
    assert_eq!(told, "the expression for a cannot be used: unclosed group");
}

#[test]
fn lists_have_commas_and_may_have_braces() {
    let two = vec![one("a=\"b\""), one("c=~\"d,e\"")];
    for text in ["a=b,c=~\"d,e\"", "{a=b,c=~\"d,e\"}", " { a = \"b\" , c =~ \"d,e\" , } ", "{a=b,c=~\"d,e\"}  "] {
        assert_eq!(parse_list(text).unwrap(), two, "{text}");
    }
    assert_eq!(print_list(&two), "{a=\"b\",c=~\"d,e\"}");
    for empty in ["", "{}", "  ", "{ }"] {
        assert_eq!(parse_list(empty).unwrap(), Vec::<Matcher>::new());
    }
    for bad in ["{a=b", "a=b}", "a=b,,c=d", ",a=b", ",", "a=b c=d, ", &"a=b,".repeat(20_000)] {
        // `a=b c=d` is one matcher, whose bare value has a blank in it.
        assert_eq!(parse_list(bad).is_ok(), bad == "a=b c=d, ", "{bad}");
    }
}

#[test]
fn expressions_are_anchored_at_both_ends() {
    let of = |value: &str| Labels::from_pairs([("a", value)]).unwrap();
    assert!(one("a=~\"db\"").matches(&of("db")));
    for other in ["xdb", "dbx", "xdbx", "DB"] {
        assert!(!one("a=~\"db\"").matches(&of(other)), "{other}");
        assert!(one("a!~\"db\"").matches(&of(other)), "{other}");
    }
    assert!(!one("a=~\"db|x\"").matches(&of("xdb")), "the alternatives are anchored, too");
    assert!(one("a=~\"(?i)DB\"").matches(&of("db")));
}

#[test]
fn a_label_that_is_not_there_is_empty() {
    let none = Labels::new();
    for (text, fits) in [
        ("a=\"\"", true),
        ("a!=\"x\"", true),
        ("a=~\".*\"", true),
        ("a=~\".+\"", false),
        ("a!~\"x\"", true),
        ("a!=\"\"", false),
        ("a=\"x\"", false),
    ] {
        assert_eq!(one(text).matches(&none), fits, "{text}");
    }
}

/// What makes backtracking engines stand still is linear here, and what grows while it is compiled is refused.
#[test]
fn no_expression_can_stop_the_process() {
    let long = Labels::from_pairs([("a", format!("{}!", "a".repeat(1023)))]).unwrap();
    for evil in ["(a+)+", "(a|aa)+", "(.*a){20}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"] {
        assert!(!Matcher::new("a", Op::Regex, evil).unwrap().matches(&long), "{evil}");
    }
    let nested = "(".repeat(500) + "a" + &")".repeat(500);
    for huge in ["a{1000}{1000}", "((a{100}){100}){100}", "(\\w{100}){100}", &nested] {
        assert!(Matcher::new("a", Op::Regex, huge).is_err(), "{huge:.40}");
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_it_was(name in "[a-zA-Z_][a-zA-Z0-9_]{0,8}", op in oracle::op(), value in "\\PC{0,20}") {
        if let Ok(matcher) = Matcher::new(name, op, value) {
            prop_assert_eq!(&one(&matcher.to_string()), &matcher);
            let list = vec![matcher.clone(), matcher];
            prop_assert_eq!(parse_list(&print_list(&list)).unwrap(), list.clone());
            let json = serde_json::to_string(&list).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<Matcher>>(&json).unwrap(), list);
        }
    }

    #[test]
    fn whatever_is_read_is_an_answer(text in any::<String>()) {
        if let Ok(matcher) = text.parse::<Matcher>() {
            prop_assert_eq!(one(&matcher.to_string()), matcher);
        }
        if let Ok(list) = parse_list(&text) {
            prop_assert_eq!(parse_list(&print_list(&list)).unwrap(), list);
        }
    }

    #[test]
    fn they_match_as_the_plainest_comparison_does(
        matchers in prop::collection::vec(oracle::matcher(), 0..4),
        labels in oracle::labels(),
    ) {
        let plain = matchers.iter().all(|matcher| oracle::fits(matcher, &labels));
        prop_assert_eq!(all_match(&matchers, &labels), plain);
    }
}
