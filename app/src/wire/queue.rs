//! The queue of the configuration: Redis, or a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use config::{Config, QueueUrl, SqliteTarget};
use job::{Clock, QueueName};
use queue::redis::{RedisBroker, RedisSettings};
use queue::sqlite::SqliteBroker;
use queue::{Broker, Retention, Settings, Time};

/// The names under `[queues]`.
pub fn queue_names(config: &Config) -> anyhow::Result<Vec<QueueName>> {
    config.queues.keys().map(|name| QueueName::new(name).with_context(|| format!("queues.{name}"))).collect()
}

/// The queue of the configuration.
pub async fn broker(config: &Config) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(match &config.queue.url {
        QueueUrl::Redis(_) => Arc::new(redis_broker(config)?.context("queue.url names a Redis")?),
        QueueUrl::Sqlite(target) => {
            let target = match target {
                SqliteTarget::File(path) => {
                    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                        std::fs::create_dir_all(folder).with_context(|| format!("queue.url: {}", folder.display()))?;
                    }
                    path.display().to_string()
                }
                SqliteTarget::Memory => "sqlite::memory:".to_owned(),
            };
            Arc::new(SqliteBroker::open(&target, settings(config)?).await.context("queue.url")?)
        }
    })
}

/// A queue in memory by a clock that runs `pace` times as fast as the wall's: what is counted in time there is as much
/// longer, so that a worker has as long as ever to renew its leases.
pub async fn hurried_broker(config: &Config, clock: Arc<dyn Clock>, pace: u32) -> anyhow::Result<Arc<dyn Broker>> {
    let usual = settings(config)?;
    let settings =
        Settings { lease: usual.lease * pace, silence: usual.silence * pace, time: Time::Virtual(clock), ..usual };
    Ok(Arc::new(SqliteBroker::open("sqlite::memory:", settings).await?))
}

/// The Redis of the configuration, if the queue is there: for what only Redis can be asked.
pub fn redis_broker(config: &Config) -> anyhow::Result<Option<RedisBroker>> {
    let QueueUrl::Redis(url) = &config.queue.url else { return Ok(None) };
    let redis = &config.queue.redis;
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("queue.redis.ca_file: {}", path.display()))
    };
    let tuning = RedisSettings {
        prefix: config.queue.prefix.clone(),
        connect_timeout: redis.connect_timeout,
        response_timeout: redis.response_timeout,
        min_replica_acks: redis.min_replica_acks,
        ack_timeout: redis.ack_timeout,
        ca: redis.ca_file.as_ref().map(read).transpose()?,
        sentinel_user: redis.sentinel_user.clone(),
        sentinel_password: redis.sentinel_password.clone(),
    };
    Ok(Some(RedisBroker::lazy(url, tuning, settings(config)?)?))
}

fn settings(config: &Config) -> anyhow::Result<Settings> {
    let kept = &config.queue.retention;
    Ok(Settings {
        lease: config.queue.lease,
        silence: (config.queue.lease - config.queue.heartbeat) / 2,
        retention: Retention {
            completed_count: kept.completed_count,
            completed_age: kept.completed_age,
            ended_count: kept.dead_count,
            ended_age: kept.dead_age,
        },
        completed_counts: completed_counts(config)?,
        time: Time::Server,
        queues: queue_names(config)?,
    })
}

/// The queues that keep another number of completed jobs than the rest.
fn completed_counts(config: &Config) -> anyhow::Result<BTreeMap<QueueName, u64>> {
    let own = config.queues.iter().filter_map(|(name, share)| Some((name, share.completed_count?)));
    own.map(|(name, count)| Ok((QueueName::new(name.as_str())?, count))).collect()
}
