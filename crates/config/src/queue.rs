//! `[queue]`: where jobs wait, how long a lease lasts, what is kept afterwards.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;
use crate::queue_url::{QueueUrl, SqliteTarget};
use crate::secret::Secret;

/// The queue's settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// SQLite file or Redis.
    pub url: QueueUrl,
    /// Begins every Redis key, so that several installations can share one server.
    pub prefix: String,
    /// How long a worker owns a job without renewing it.
    #[serde(deserialize_with = "duration::deserialize")]
    pub lease: Duration,
    /// How often a worker renews; at most a third of `lease`, so that two renewals may fail.
    #[serde(deserialize_with = "duration::deserialize")]
    pub heartbeat: Duration,
    /// How long a job of an unknown kind or newer version waits before it is dead (a rolling deploy brings its worker).
    #[serde(deserialize_with = "duration::deserialize")]
    pub unknown_grace: Duration,
    /// What is kept of jobs that ended.
    pub retention: Retention,
    /// What matters with Redis only.
    pub redis: RedisTuning,
}

/// Jobs that ended are kept for a bounded time and count a queue, whichever is reached first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Completed jobs kept a queue, 0…10,000,000.
    pub completed_count: u64,
    /// And for how long.
    #[serde(deserialize_with = "duration::deserialize")]
    pub completed_age: Duration,
    /// Dead jobs kept a queue, 0…10,000,000; as many cancelled ones, and as many expired ones.
    pub dead_count: u64,
    /// And for how long.
    #[serde(deserialize_with = "duration::deserialize")]
    pub dead_age: Duration,
}

/// `[queue.redis]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisTuning {
    /// Replicas that must have an enqueue before it is accepted (`WAIT`); 0: none.
    pub min_replica_acks: u32,
    /// How long `WAIT` waits for them before the enqueue is refused.
    #[serde(deserialize_with = "duration::deserialize")]
    pub ack_timeout: Duration,
    /// How long a connection attempt may take.
    #[serde(deserialize_with = "duration::deserialize")]
    pub connect_timeout: Duration,
    /// How long one answer may take before the connection counts as lost.
    #[serde(deserialize_with = "duration::deserialize")]
    pub response_timeout: Duration,
    /// PEM file with the certificate authority for `rediss…://`; none: the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// ACL user at the Sentinels, where it differs from the servers'.
    #[serde(default)]
    pub sentinel_user: Option<String>,
    /// Password at the Sentinels.
    #[serde(default)]
    pub sentinel_password: Option<Secret>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            url: QueueUrl::Sqlite(SqliteTarget::File(PathBuf::from("postrider-data/queue.db"))),
            prefix: "postrider".to_owned(),
            lease: Duration::from_secs(15),
            heartbeat: Duration::from_secs(5),
            unknown_grace: Duration::from_mins(10),
            retention: Retention::default(),
            redis: RedisTuning::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            completed_count: 10_000,
            completed_age: Duration::from_hours(24),
            dead_count: 100_000,
            dead_age: Duration::from_hours(30 * 24),
        }
    }
}

impl Default for RedisTuning {
    fn default() -> Self {
        Self {
            min_replica_acks: 0,
            ack_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            ca_file: None,
            sentinel_user: None,
            sentinel_password: None,
        }
    }
}

impl Queue {
    pub(crate) fn validate(&self, check: &mut Check) {
        let (second, hour, day) = (Duration::from_secs(1), Duration::from_hours(1), Duration::from_hours(24));
        check.name("prefix", &self.prefix);
        check.time("lease", self.lease, second..=hour);
        check.time("heartbeat", self.heartbeat, Duration::from_millis(100)..=hour / 3);
        let third = format!("must be at most a third of queue.lease ({})", duration::show(self.lease));
        check.that(self.heartbeat * 3 <= self.lease, "heartbeat", third);
        check.time("unknown_grace", self.unknown_grace, Duration::ZERO..=day * 7);

        let keep = &self.retention;
        check.number("retention.completed_count", keep.completed_count, 0..=10_000_000);
        check.time("retention.completed_age", keep.completed_age, Duration::ZERO..=day * 366);
        check.number("retention.dead_count", keep.dead_count, 0..=10_000_000);
        check.time("retention.dead_age", keep.dead_age, Duration::ZERO..=day * 366);

        let redis = &self.redis;
        let millisecond = Duration::from_millis(1);
        check.number("redis.min_replica_acks", redis.min_replica_acks, 0..=100);
        check.time("redis.ack_timeout", redis.ack_timeout, millisecond..=second * 60);
        check.time("redis.connect_timeout", redis.connect_timeout, millisecond..=second * 60);
        check.time("redis.response_timeout", redis.response_timeout, millisecond..=second * 60);
        let longer = "must be longer than queue.redis.ack_timeout, or every slow WAIT looks like a lost connection";
        check.that(
            redis.min_replica_acks == 0 || redis.response_timeout > redis.ack_timeout,
            "redis.response_timeout",
            longer,
        );
    }
}
