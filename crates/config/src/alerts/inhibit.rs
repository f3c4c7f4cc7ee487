//! `[[alerts.inhibit]]`: what explains what.

use alerting::{Equal, Inhibition, Invalid, Matcher};
use serde::Deserialize;

use super::routes::matchers;
use crate::check::Check;
use crate::list;

/// While a source fires, targets that agree with it are not told to anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InhibitEntry {
    /// What explains.
    #[serde(deserialize_with = "matchers")]
    pub source: Vec<Matcher>,
    /// What is explained.
    #[serde(deserialize_with = "matchers")]
    pub target: Vec<Matcher>,
    /// The labels in which both agree; `...`: all but the severity.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub equal: Vec<String>,
}

impl InhibitEntry {
    pub(super) fn rule(&self) -> Result<Inhibition, Invalid> {
        let equal = Equal::parse(&self.equal)?;
        Ok(Inhibition { source: self.source.clone(), target: self.target.clone(), equal })
    }

    pub(super) fn validate(&self, key: &str, check: &mut Check) {
        check.that(!self.source.is_empty(), &format!("{key}.source"), "must have a matcher: else everything explains");
        check.that(!self.target.is_empty(), &format!("{key}.target"), "must have a matcher: else nothing is ever told");
        if let Err(invalid) = self.rule() {
            check.that(false, &format!("{key}.{}", invalid.field), invalid.message);
        }
    }
}
