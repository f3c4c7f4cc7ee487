//! `[search.report]`: who is told what people searched for, and which figures are an alert.

use serde::Deserialize;

use crate::check::{Check, is_address};
use crate::list;

/// Settings of the search reports.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchReport {
    /// Who gets them, daily and weekly: addresses. Empty: nobody.
    #[serde(deserialize_with = "list::deserialize")]
    pub recipients: Vec<String>,
    /// The sender profile that they come from.
    pub sender: String,
    /// The share of searches without a result, 0 to 1, above which it is an alert.
    pub zero_results: f64,
    /// By which share, 0 to 1, of what it was before the booking conversion has to fall to be an alert.
    pub conversion_drop: f64,
    /// Periods of fewer searches raise no alert, 1 to 1000000000.
    pub min_searches: u64,
}

/// The most recipients.
const MOST: usize = 100;

impl Default for SearchReport {
    fn default() -> Self {
        Self {
            recipients: Vec::new(),
            sender: "alerts".to_owned(),
            zero_results: 0.3,
            conversion_drop: 0.3,
            min_searches: 100,
        }
    }
}

impl SearchReport {
    /// `sender_is_known`: whether there is a profile of that name.
    pub(crate) fn validate(&self, sender_is_known: bool, check: &mut Check) {
        check.that(self.recipients.len() <= MOST, "recipients", format!("at most {MOST} are allowed"));
        for (n, address) in self.recipients.iter().enumerate() {
            check.that(
                is_address(address),
                "recipients",
                format!("{address:?} must be an address, like ana@example.com"),
            );
            let twice = self.recipients[..n].iter().any(|other| other.eq_ignore_ascii_case(address));
            check.that(!twice, "recipients", format!("{address} twice"));
        }
        let reason = "must be the name of a sender: a table of [mail.senders]";
        check.that(sender_is_known, "sender", reason);
        for (key, share) in [("zero_results", self.zero_results), ("conversion_drop", self.conversion_drop)] {
            check.that(share > 0.0 && share <= 1.0, key, "must be a share above 0, up to 1");
        }
        check.number("min_searches", self.min_searches, 1..=1_000_000_000);
    }
}
