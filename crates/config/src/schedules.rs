//! `[scheduler]` and `[schedules.NAME]`: when things are done by themselves.
//!
//! What stands here is a shape only. Expressions, zones, kinds and arguments are checked by those who know them, before
//! anything starts.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

use crate::check::Check;
use crate::duration;

/// The scheduler itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduler {
    /// The zone of schedules that name none: an IANA name.
    pub timezone: String,
    /// How long a scheduler leads without renewing, 3 s…5 min: after a crash another one fires that much later.
    #[serde(deserialize_with = "duration::deserialize")]
    pub lease: Duration,
    /// Where `/metrics`, `/healthz` and `/readyz` of a scheduler are served; none by default.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self { timezone: "UTC".to_owned(), lease: Duration::from_secs(15), metrics_listen: None }
    }
}

impl Scheduler {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.time("lease", self.lease, Duration::from_secs(3)..=Duration::from_secs(300));
    }
}

/// One schedule: what is not said has the default of the schedule of that name, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleEntry {
    /// `false` takes a schedule of the platform out.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// When: five or six fields, or `@every 15m`.
    #[serde(default)]
    pub cron: Option<String>,
    /// By whose clocks.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The kind of its jobs.
    #[serde(default)]
    pub kind: Option<String>,
    /// Where they wait.
    #[serde(default)]
    pub queue: Option<String>,
    /// Their arguments: a table, or JSON as text.
    #[serde(default, deserialize_with = "args")]
    pub args: Option<Value>,
    /// What becomes of ticks that nobody fired in time.
    #[serde(default)]
    pub catch_up: Option<CatchUp>,
    /// How late they may be.
    #[serde(default, deserialize_with = "optional")]
    pub max_lateness: Option<Duration>,
    /// What becomes of a tick while an earlier one's job is not done.
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// Jobs are due up to so much later.
    #[serde(default, deserialize_with = "optional")]
    pub jitter: Option<Duration>,
    /// So many failures in a row pause it.
    #[serde(default)]
    pub failure_limit: Option<u32>,
}

/// What becomes of ticks that nobody fired in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are let go.
    None,
    /// One fires for all.
    Once,
    /// Each fires.
    All,
}

/// What becomes of a tick while the job of an earlier one is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Both run.
    Allow,
    /// It is skipped.
    Skip,
    /// One waits.
    QueueOne,
}

/// A table, or JSON as text, as an environment variable has it.
fn args<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let value = match Value::deserialize(deserializer)? {
        Value::String(text) => serde_json::from_str(&text).map_err(|e| D::Error::custom(format!("is no JSON: {e}")))?,
        value => value,
    };
    match value.is_object() {
        true => Ok(Some(value)),
        false => Err(D::Error::custom("must be a table")),
    }
}

fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration::deserialize(deserializer).map(Some)
}
