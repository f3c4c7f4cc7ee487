//! What random labels and matchers are made of, and how they are compared in the plainest way there is.

use alerting::{Labels, Matcher, Op};
use proptest::prelude::*;

/// A few names and values, so that they often meet.
pub fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map("[abc]", "[xyz]{0,2}", 0..4).prop_map(|map| Labels::from_pairs(map).unwrap())
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![Just(Op::Equal), Just(Op::NotEqual), Just(Op::Regex), Just(Op::NotRegex)]
}

pub fn matcher() -> impl Strategy<Value = Matcher> {
    ("[abcd]", op(), "[xyz]{0,2}(\\|[xyz])?").prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
}

/// Whether labels fit a matcher whose expressions are alternatives of plain words.
pub fn fits(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(matcher.name()).unwrap_or("");
    match matcher.op() {
        Op::Equal => value == matcher.value(),
        Op::NotEqual => value != matcher.value(),
        Op::Regex => matcher.value().split('|').any(|word| word == value),
        Op::NotRegex => matcher.value().split('|').all(|word| word != value),
    }
}
