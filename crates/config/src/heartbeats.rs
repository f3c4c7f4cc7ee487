//! `[heartbeats.NAME]`: what has to report regularly.

use std::collections::BTreeMap;
use std::time::Duration;

use alerting::Severity;
use serde::Deserialize;
use serde::de::Deserializer;

use crate::check::Check;
use crate::duration;

/// A heartbeat, and when it is missed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatEntry {
    /// How often it has to beat, 10 s to 366 days.
    #[serde(deserialize_with = "duration::deserialize")]
    pub period: Duration,
    /// How much later it may be, up to 366 days; none: a tenth of the period, at least 30 s.
    #[serde(default, deserialize_with = "optional")]
    pub grace: Option<Duration>,
    /// How much it matters; none: critical.
    #[serde(default)]
    pub severity: Option<Severity>,
}

fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration::deserialize(deserializer).map(Some)
}

pub(crate) fn validate(heartbeats: &BTreeMap<String, HeartbeatEntry>, check: &mut Check) {
    let year = Duration::from_secs(366 * 86_400);
    for (name, entry) in heartbeats {
        check.name(name, name);
        check.time(&format!("{name}.period"), entry.period, Duration::from_secs(10)..=year);
        if let Some(grace) = entry.grace {
            check.time(&format!("{name}.grace"), grace, Duration::ZERO..=year);
        }
    }
}
