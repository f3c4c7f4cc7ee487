//! Schedules as callers write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use store::{CatchUp, Overlap, ScheduleSpec};
use utoipa::ToSchema;
use worker::schedule::Draft;

/// A schedule to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// Its name: 1 to 64 of a-z, 0-9, `_` and `-`, a letter first.
    #[schema(example = "nightly_export")]
    pub(super) name: String,
    /// When: minute, hour, day, month, weekday; with a sixth field in front for seconds; `@daily`; `@every 15m`.
    #[schema(example = "30 2 * * *")]
    cron: String,
    /// By the clocks of this IANA zone; UTC if absent.
    #[serde(default)]
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// The kind of its jobs.
    #[schema(example = "debug.noop")]
    kind: String,
    /// Where they wait; the kind's own queue if absent.
    #[serde(default)]
    queue: Option<String>,
    /// Their arguments; `{}` if absent.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    args: Option<Value>,
    /// What becomes of ticks that nobody fired in time: `none`, `once` (if absent) or `all`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    catch_up: Option<CatchUp>,
    /// How late they may be, to 366d; a day if absent.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "24h")]
    max_lateness: Option<Duration>,
    /// While the job of an earlier tick is not done: `allow`, `skip` (if absent) or `queue_one`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    overlap: Option<Overlap>,
    /// Jobs are due up to so much later, to 366d; not at all if absent.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>, example = "5m")]
    jitter: Option<Duration>,
    /// So many failures in a row pause it; never if absent.
    #[serde(default)]
    #[schema(minimum = 1)]
    failure_limit: Option<u32>,
}

impl NewSchedule {
    pub(super) fn draft(self) -> Draft {
        Draft {
            cron: self.cron,
            timezone: self.timezone,
            kind: self.kind,
            queue: self.queue,
            args: self.args,
            catch_up: self.catch_up,
            max_lateness: self.max_lateness,
            overlap: self.overlap,
            jitter: self.jitter,
            failure_limit: self.failure_limit,
        }
    }
}

/// What is to be changed of a schedule; what is absent stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleChange {
    /// When.
    #[serde(default)]
    cron: Option<String>,
    /// By the clocks of this zone.
    #[serde(default)]
    timezone: Option<String>,
    /// The kind of its jobs.
    #[serde(default)]
    kind: Option<String>,
    /// Where they wait.
    #[serde(default)]
    queue: Option<String>,
    /// Their arguments, as a whole.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    args: Option<Value>,
    /// `none`, `once` or `all`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    catch_up: Option<CatchUp>,
    /// How late ticks may be caught up.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>)]
    max_lateness: Option<Duration>,
    /// `allow`, `skip` or `queue_one`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    overlap: Option<Overlap>,
    /// Jobs are due up to so much later.
    #[serde(default, deserialize_with = "job::duration::optional")]
    #[schema(value_type = Option<String>)]
    jitter: Option<Duration>,
    /// So many failures in a row pause it; null is never.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    failure_limit: Option<Option<u32>>,
}

/// Null is something that was said.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ScheduleChange {
    /// The definition with the change. A schedule that moves to another kind moves to that kind's queue, unless one is
    /// named.
    pub(super) fn over(self, spec: &ScheduleSpec) -> Draft {
        let old = Draft::of(spec);
        let moves = self.kind.as_ref().is_some_and(|kind| *kind != spec.kind);
        Draft {
            cron: self.cron.unwrap_or(old.cron),
            timezone: self.timezone.or(old.timezone),
            queue: self.queue.or(if moves { None } else { old.queue }),
            kind: self.kind.unwrap_or(old.kind),
            args: self.args.or(old.args),
            catch_up: self.catch_up.or(old.catch_up),
            max_lateness: self.max_lateness.or(old.max_lateness),
            overlap: self.overlap.or(old.overlap),
            jitter: self.jitter.or(old.jitter),
            failure_limit: self.failure_limit.unwrap_or(old.failure_limit),
        }
    }
}
