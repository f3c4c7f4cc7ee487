//! What every scene needs: a store, an API key, a folder, and the processes that share them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{QueueUrl, SqliteTarget};
use job::{Chance, Clock, Envelope, IdSource, JobId, JobState, Kind, QueueName, SystemClock};
use queue::redis::{RedisBroker, RedisSettings};
use queue::sqlite::SqliteBroker;
use queue::{Broker, Filter, JobRecord, Settings};
use secrecy::ExposeSecret;
use serde_json::Value;
use serde_json::value::RawValue;
use store::{NewApiKey, Scope, Store, StoreConfig};
use testkit::{Process, ProcessBuilder, free_port, janitor, wait_until};
use uuid::Uuid;

use crate::load::Client;

/// How long anything may take that takes moments on an idle machine.
pub const SOON: Duration = Duration::from_secs(30);
/// How long a queue may take to drain.
pub const DRAIN: Duration = Duration::from_secs(90);

/// The queues of the default configuration.
pub fn queues() -> Vec<QueueName> {
    ["bookings", "emails", "default", "debug"].map(|name| QueueName::new(name).unwrap()).to_vec()
}

pub fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

/// A scene's surroundings.
pub struct Rig {
    pub dir: PathBuf,
    pub store: Store,
    /// A key that may do everything.
    pub key: String,
    pub ids: IdSource,
    queue_url: String,
    settings: Vec<(String, String)>,
}

/// A running API.
pub struct Api {
    pub process: Process,
    pub client: Client,
}

impl Rig {
    /// Surroundings with the store in an SQLite file.
    pub async fn new(queue_url: &str) -> Self {
        let dir = janitor::scratch_dir("scene");
        let store_url = format!("sqlite:{}", dir.join("store.db").display());
        Self::with_store(queue_url, &store_url, dir).await
    }

    /// Surroundings with the store in this Postgres database.
    pub async fn on_postgres(queue_url: &str, store_url: &str) -> Self {
        Self::with_store(queue_url, store_url, janitor::scratch_dir("scene")).await
    }

    async fn with_store(queue_url: &str, store_url: &str, dir: PathBuf) -> Self {
        let store = Store::open(&StoreConfig::new(store_url)).await.unwrap();
        store.migrate().await.unwrap();
        let chance = Chance::system();
        let new = NewApiKey {
            id: Uuid::from_u64_pair(chance.bits(), chance.bits()),
            name: "faults".to_owned(),
            scopes: vec![Scope::Admin],
            rate_per_second: None,
        };
        let created = store.create_api_key(&new, SystemClock.now()).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let rig = Self {
            dir,
            store,
            key: created.secret.expose_secret().to_owned(),
            ids: IdSource::new(clock),
            queue_url: queue_url.to_owned(),
            settings: Vec::new(),
        };
        rig.set("QUEUE__URL", queue_url)
            .set("STORE__URL", store_url)
            .set("DEBUG__KINDS", "true")
            // Everything that ended is still there when it is counted.
            .set("QUEUE__RETENTION__COMPLETED_COUNT", "10000000")
    }

    /// One more setting for every process that is started from now on: `("QUEUE__LEASE", "3s")`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((format!("POSTRIDER__{key}"), value.to_owned()));
        self
    }

    /// The lease time, and a heartbeat that fits it.
    pub fn lease(self, lease: Duration) -> Self {
        let (lease, heartbeat) = (lease.as_millis(), lease.as_millis() / 3);
        self.set("QUEUE__LEASE", &format!("{lease}ms")).set("QUEUE__HEARTBEAT", &format!("{heartbeat}ms"))
    }

    pub fn process(&self, name: &str, args: &[&str]) -> ProcessBuilder {
        let builder = ProcessBuilder::new(name, env!("CARGO_BIN_EXE_postrider")).args(args).dir(&self.dir);
        self.settings.iter().fold(builder, |builder, (key, value)| builder.env(key, value))
    }

    /// The folder and the settings of a command that is run beside the processes.
    pub fn command(&self) -> (&Path, Vec<(String, String)>) {
        (&self.dir, self.settings.clone())
    }

    /// Starts a worker and waits until it takes jobs.
    pub async fn worker(&self, name: &str) -> Process {
        self.worker_with(name, &[]).await
    }

    /// Starts a worker with arguments, and waits until it takes jobs.
    pub async fn worker_with(&self, name: &str, args: &[&str]) -> Process {
        let args: Vec<&str> = ["worker"].iter().chain(args).copied().collect();
        let mut worker = self.process(name, &args).spawn();
        wait_until(&format!("{name} is ready"), SOON, async || {
            assert!(worker.is_running(), "{name} ended at its start:\n{}", worker.log());
            worker.log().contains("worker ready")
        })
        .await;
        worker
    }

    /// Starts an API and waits until it is ready.
    pub async fn api(&self) -> Api {
        self.api_at("/readyz").await
    }

    /// Starts an API whose queue may never answer.
    pub async fn api_that_is_up(&self) -> Api {
        self.api_at("/healthz").await
    }

    async fn api_at(&self, path: &str) -> Api {
        let port = free_port();
        let mut process = self
            .process("api", &["api"])
            .env("POSTRIDER__API__LISTEN", format!("127.0.0.1:{port}"))
            .env("POSTRIDER__API__METRICS_LISTEN", format!("127.0.0.1:{}", free_port()))
            .spawn();
        process.ready(port, path, SOON).await;
        Api { process, client: Client::new(&format!("http://127.0.0.1:{port}"), &self.key) }
    }

    /// The queue, seen from the test itself.
    pub fn broker(&self) -> RedisBroker {
        self.broker_with(RedisSettings::default())
    }

    pub fn broker_with(&self, redis: RedisSettings) -> RedisBroker {
        let QueueUrl::Redis(url) = self.queue_url.parse().unwrap() else { panic!("the queue is in Redis") };
        let settings = Settings { queues: queues(), ..Settings::default() };
        RedisBroker::lazy(&url, redis, settings).unwrap()
    }

    /// The queue in an SQLite file, seen from the test itself.
    pub async fn sqlite_broker(&self) -> SqliteBroker {
        let QueueUrl::Sqlite(SqliteTarget::File(path)) = self.queue_url.parse().unwrap() else { panic!("not a file") };
        let settings = Settings { queues: queues(), ..Settings::default() };
        SqliteBroker::open(&path.display().to_string(), settings).await.unwrap()
    }

    /// A job of the queue `debug`, with the default limits.
    pub fn job(&self, kind: &str, args: &Value) -> Envelope {
        let queue = queue("debug");
        let args = RawValue::from_string(args.to_string()).unwrap();
        Envelope::raw(self.ids.next(&queue), Kind::new(kind).unwrap(), queue, args, SystemClock.now())
    }

    /// How often a `debug.effect` ran under `key`, and how often it acted.
    pub async fn effect(&self, key: &str) -> (i64, i64) {
        self.store.get_effect(key).await.unwrap().map_or((0, 0), |effect| (effect.runs, effect.effects))
    }
}

/// How many jobs of all queues are in `state`.
pub async fn count(broker: &dyn Broker, state: JobState) -> u64 {
    broker.stats().await.unwrap().iter().map(|queue| queue.count(state)).sum()
}

/// Waits until no job waits or runs.
pub async fn drained(broker: &dyn Broker, timeout: Duration) {
    wait_until("every job has ended", timeout, async || {
        let Ok(stats) = broker.stats().await else { return false };
        let open = [JobState::Scheduled, JobState::Available, JobState::Running];
        stats.iter().all(|queue| open.iter().all(|state| queue.count(*state) == 0))
    })
    .await;
}

/// All jobs in `state`.
pub async fn jobs(broker: &dyn Broker, state: JobState) -> Vec<JobRecord> {
    let filter = Filter { state: Some(state), ..Filter::default() };
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = broker.list(&filter, 1_000, cursor).await.unwrap();
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

pub async fn job(broker: &dyn Broker, id: JobId) -> JobRecord {
    broker.get(id).await.unwrap().unwrap_or_else(|| panic!("job {id} is gone"))
}

/// Waits until a job is in `state`.
pub async fn reaches(broker: &dyn Broker, id: JobId, state: JobState, timeout: Duration) -> JobRecord {
    testkit::wait_for(&format!("job {id} is {state}"), timeout, async || {
        broker.get(id).await.ok().flatten().filter(|job| job.state == state)
    })
    .await
}
