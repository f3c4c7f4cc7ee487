//! The rules, one file a family, and the list of all of them.

pub mod direct;
pub mod dkim;
pub mod dmarc;
pub mod exchange;
pub mod extras;
pub mod message;
pub mod relay;
pub mod sender;
pub mod spf;
mod spf_relay;

use super::report::Rule;

/// Every rule there is, in the order in which a report reads.
pub const ALL: &[&[Rule]] = &[
    sender::RULES,
    spf::RULES,
    dkim::RULES,
    dmarc::RULES,
    exchange::RULES,
    direct::RULES,
    relay::RULES,
    extras::RULES,
    message::RULES,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_source() {
        let rules: Vec<_> = ALL.iter().flat_map(|family| family.iter()).collect();
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(names.len(), rules.len());
        for rule in rules {
            assert!(rule.id.split('.').count() == 2 && !rule.source.is_empty(), "{rule:?}");
        }
    }
}
