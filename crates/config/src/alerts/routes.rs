//! `[[alerts.routes]]`: who takes what.

use std::fmt;
use std::time::Duration;

use alerting::{Matcher, RouteSpec, Step, parse_list};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::{duration, list};

use super::Alerts;

/// One route; what it does not say it has from the one that it stands in.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    /// What it takes: all of these matchers fit.
    #[serde(rename = "match", default, deserialize_with = "matchers")]
    pub matchers: Vec<Matcher>,
    /// Who is told.
    #[serde(default)]
    pub receiver: Option<String>,
    /// Whether the routes after it may take the same alert, too.
    #[serde(rename = "continue", default)]
    pub goes_on: bool,
    /// What is told together.
    #[serde(default, deserialize_with = "names")]
    pub group_by: Option<Vec<String>>,
    /// How long the first of a group waits for others.
    #[serde(default, deserialize_with = "time")]
    pub group_wait: Option<Duration>,
    /// How long until a group may tell of what is new in it.
    #[serde(default, deserialize_with = "time")]
    pub group_interval: Option<Duration>,
    /// How long until it is said again.
    #[serde(default, deserialize_with = "time")]
    pub repeat_interval: Option<Duration>,
    /// Who is told if nobody acknowledges.
    #[serde(default)]
    pub escalate: Option<Vec<EscalationStep>>,
    /// Routes within it.
    #[serde(default)]
    pub routes: Vec<RouteEntry>,
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    /// How long after the first message, 1 s…31 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub after: Duration,
    /// Who is told then.
    pub receiver: String,
}

/// The section itself as the root of the tree.
pub(super) fn root(alerts: &Alerts) -> RouteSpec {
    RouteSpec {
        matchers: Vec::new(),
        receiver: Some(alerts.receiver.clone()),
        group_by: Some(alerts.group_by.clone()),
        group_wait: Some(alerts.group_wait),
        group_interval: Some(alerts.group_interval),
        repeat_interval: Some(alerts.repeat_interval),
        escalate: Some(steps(&alerts.escalate)),
        goes_on: false,
        routes: alerts.routes.iter().map(RouteEntry::spec).collect(),
    }
}

impl RouteEntry {
    fn spec(&self) -> RouteSpec {
        RouteSpec {
            matchers: self.matchers.clone(),
            receiver: self.receiver.clone(),
            group_by: self.group_by.clone(),
            group_wait: self.group_wait,
            group_interval: self.group_interval,
            repeat_interval: self.repeat_interval,
            escalate: self.escalate.as_deref().map(steps),
            goes_on: self.goes_on,
            routes: self.routes.iter().map(Self::spec).collect(),
        }
    }
}

fn steps(entries: &[EscalationStep]) -> Vec<Step> {
    entries.iter().map(|step| Step { after: step.after, receiver: step.receiver.clone() }).collect()
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    list::deserialize(deserializer).map(Some)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration::deserialize(deserializer).map(Some)
}

/// A list of texts, or one text: both may hold several matchers with commas between.
pub(super) fn matchers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Matcher>, D::Error> {
    struct Matchers;

    impl<'de> Visitor<'de> for Matchers {
        type Value = Vec<Matcher>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(r#"matchers such as ['severity="critical"', 'team=~"db|infra"']"#)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Matcher>, E> {
            parse_list(text).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Matcher>, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = items.next_element::<String>()? {
                all.extend(parse_list(&text).map_err(A::Error::custom)?);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Matchers)
}
