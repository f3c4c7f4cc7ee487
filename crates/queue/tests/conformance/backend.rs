//! The backends, each opened anew and empty for every case.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use job::{JobId, QueueName};
use queue::redis::RedisBroker;
use queue::sqlite::SqliteBroker;
use queue::{Broker, Settings};
use tokio::sync::OnceCell;

/// A backend with data of its own.
#[async_trait]
pub trait Backend: Send + Sync {
    /// A handle on this backend's data. Every call gives another handle on the same data.
    async fn open(&self, settings: Settings) -> Arc<dyn Broker>;

    /// Another, empty one of the same sort.
    async fn another(&self) -> Box<dyn Backend>;

    /// Puts bytes that no release wrote into the queue, as a job that is available now.
    async fn plant(&self, queue: &QueueName, id: JobId, bytes: &[u8], now_ms: i64);
}

/// SQLite in memory: all handles are clones of one.
pub struct SqliteInMemory(OnceCell<SqliteBroker>);

impl SqliteInMemory {
    pub fn new() -> Self {
        Self(OnceCell::new())
    }
}

#[async_trait]
impl Backend for SqliteInMemory {
    async fn open(&self, settings: Settings) -> Arc<dyn Broker> {
        let open = || async { SqliteBroker::open("sqlite::memory:", settings).await.expect("memory opens") };
        Arc::new(self.0.get_or_init(open).await.clone())
    }

    async fn another(&self) -> Box<dyn Backend> {
        Box::new(Self::new())
    }

    async fn plant(&self, queue: &QueueName, id: JobId, bytes: &[u8], _: i64) {
        let broker = self.0.get().expect("it was opened");
        broker.plant(queue, id, bytes.to_vec()).await.expect("it is planted");
    }
}

/// SQLite in a file: every handle has connections of its own, as two processes would.
pub struct SqliteInAFile {
    pub path: std::path::PathBuf,
    first: OnceCell<SqliteBroker>,
}

impl SqliteInAFile {
    pub fn new() -> Self {
        Self { path: testkit::janitor::scratch_dir("queue").join("queue.db"), first: OnceCell::new() }
    }

    pub async fn handle(&self, settings: Settings) -> SqliteBroker {
        let path = self.path.to_str().expect("scratch folders have plain names");
        SqliteBroker::open(path, settings).await.expect("the file opens")
    }
}

#[async_trait]
impl Backend for SqliteInAFile {
    async fn open(&self, settings: Settings) -> Arc<dyn Broker> {
        let broker = self.handle(settings).await;
        // The first handle is kept for planting.
        let _ = self.first.set(broker.clone());
        Arc::new(broker)
    }

    async fn another(&self) -> Box<dyn Backend> {
        Box::new(Self::new())
    }

    async fn plant(&self, queue: &QueueName, id: JobId, bytes: &[u8], _: i64) {
        let broker = self.first.get().expect("it was opened");
        broker.plant(queue, id, bytes.to_vec()).await.expect("it is planted");
    }
}

/// A prefix of its own in the one Redis server of this test process.
pub struct InRedis {
    url: String,
    prefix: String,
}

impl InRedis {
    pub async fn new() -> Self {
        static SERVER: OnceCell<testkit::Redis> = OnceCell::const_new();
        Self::at(SERVER.get_or_init(testkit::Redis::start).await.url())
    }

    fn at(url: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self { url, prefix: format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed)) }
    }
}

#[async_trait]
impl Backend for InRedis {
    async fn open(&self, settings: Settings) -> Arc<dyn Broker> {
        Arc::new(RedisBroker::connect(&self.url, &self.prefix, settings).await.expect("Redis answers"))
    }

    async fn another(&self) -> Box<dyn Backend> {
        Box::new(Self::at(self.url.clone()))
    }

    async fn plant(&self, queue: &QueueName, id: JobId, bytes: &[u8], now_ms: i64) {
        let client = redis::Client::open(self.url.as_str()).expect("the URL is good");
        let mut conn = testkit::connection(&client).await.expect("Redis answers");
        let base = format!("{}:{{{queue}}}:", self.prefix);
        let priority_5 = 5_i64 << 44;
        redis::pipe()
            .cmd("HSET")
            .arg(format!("{base}j"))
            .arg(&id.as_bytes()[..])
            .arg(bytes)
            .cmd("ZADD")
            .arg(format!("{base}a"))
            .arg(priority_5 + now_ms)
            .arg(&id.as_bytes()[..])
            .cmd("SADD")
            .arg(format!("{}:queues", self.prefix))
            .arg(queue.as_str())
            .exec_async(&mut conn)
            .await
            .expect("it is planted");
    }
}
