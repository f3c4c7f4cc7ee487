//! `[search]`: how search events are taken, counted and kept.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;
use crate::search_report::SearchReport;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Search analytics.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// A text that the next search of the session goes on with, within this time, was still being typed: 0 s…60 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub typeahead: Duration,
    /// How long an interaction waits for its search before it counts as an orphan: 1 min…24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub orphan_after: Duration,
    /// How long after a search an interaction still belongs to it: 1 min…30 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub attribution: Duration,
    /// How long after it happened an event is still taken: 1 min…30 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub late: Duration,
    /// How long one key hashes network addresses: 1 h…30 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub network_key_for: Duration,
    /// `[search.retention]`.
    pub retention: SearchRetention,
    /// `[search.report]`.
    pub report: SearchReport,
}

/// How long what is known of searches is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRetention {
    /// Searches, and what was done with what they found: 1 d…10 y.
    #[serde(deserialize_with = "duration::deserialize")]
    pub events: Duration,
    /// The same of guests; not longer than `events`.
    #[serde(deserialize_with = "duration::deserialize")]
    pub guests: Duration,
    /// What was counted of each query by the hour, longer than a day may still change. By the day it is kept for good:
    /// 7 d…10 y.
    #[serde(deserialize_with = "duration::deserialize")]
    pub hourly_queries: Duration,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            typeahead: Duration::from_secs(10),
            orphan_after: 15 * MINUTE,
            attribution: 2 * DAY,
            late: 2 * DAY,
            network_key_for: DAY,
            retention: SearchRetention::default(),
            report: SearchReport::default(),
        }
    }
}

impl Default for SearchRetention {
    fn default() -> Self {
        Self { events: 365 * DAY, guests: 90 * DAY, hourly_queries: 35 * DAY }
    }
}

impl Search {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.time("typeahead", self.typeahead, Duration::ZERO..=MINUTE);
        check.time("orphan_after", self.orphan_after, MINUTE..=DAY);
        check.time("attribution", self.attribution, MINUTE..=30 * DAY);
        check.time("late", self.late, MINUTE..=30 * DAY);
        check.time("network_key_for", self.network_key_for, HOUR..=30 * DAY);
        let kept = &self.retention;
        check.time("retention.events", kept.events, DAY..=3_653 * DAY);
        check.time("retention.guests", kept.guests, DAY..=3_653 * DAY);
        check.time("retention.hourly_queries", kept.hourly_queries, 7 * DAY..=3_653 * DAY);
        let order = format!("must not be longer than search.retention.events ({})", duration::show(kept.events));
        check.that(kept.guests <= kept.events, "retention.guests", order);
        let counted = self.late + self.attribution + DAY;
        let order = format!(
            "must be longer than search.late, search.attribution and a day together ({}): what is counted again must be there",
            duration::show(counted)
        );
        check.that(kept.guests > counted, "retention.guests", order.as_str());
        check.that(kept.hourly_queries > counted, "retention.hourly_queries", order);
    }
}
