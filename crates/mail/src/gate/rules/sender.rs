//! Whether anybody sends from this domain.

use crate::gate::report::{Finding, Rule, Severity};
use crate::gate::subject::Subject;

const PROFILE: Rule = Rule { id: "sender.profile", broken: Severity::Warn, source: "mail.senders" };

/// The rules of this family.
pub const RULES: &[Rule] = &[PROFILE];

/// Looks at the profiles.
pub(in crate::gate) fn check(subject: &Subject) -> Vec<Finding> {
    vec![match subject.senders.as_slice() {
        [] => {
            PROFILE.broken(&subject.domain, "no sender of the configuration is at this domain: no mail comes from it")
        }
        senders => PROFILE.kept(&subject.domain, format!("{} send from here", senders.join(", "))),
    }]
}
