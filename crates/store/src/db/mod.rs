//! Two databases behind one face.
//!
//! 1. [`Store::open`] reads the URL and prepares either a Postgres pool or a SQLite writer with its readers.
//! 2. Each operation opens a [`Session`]: to read, to write one statement, or to write several in one transaction.
//! 3. A session takes one SQL text and its values, and runs it on whichever database it is (`session`, `value`).
//! 4. On SQLite all writing goes through one task, which commits what is ready together (`writer`).
//! 5. What every mail asks for is asked for many of them in one statement (`batch`).

mod batch;
mod postgres;
mod session;
mod sqlite;
mod value;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::batches::Batches;
use crate::error::StoreError;
use crate::words::words;

pub use batch::Batch;
pub(crate) use postgres::connect as connect_to_postgres;
pub(crate) use session::{Record, Row, Session, Statement};
pub(crate) use value::{At, Column};

words! {
    /// The database that a store is kept in.
    pub enum Backend {
        /// PostgreSQL 13 or newer.
        Postgres = "postgres",
        /// SQLite, compiled in.
        Sqlite = "sqlite",
    }
}

impl Backend {
    /// The table function whose `value`s are the texts of a JSON array.
    pub(crate) fn each_text(self) -> &'static str {
        match self {
            Self::Postgres => "jsonb_array_elements_text",
            Self::Sqlite => "json_each",
        }
    }
}

/// Where the store is.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Connections that this process may hold: Postgres all of them, SQLite its readers (there is always one writer).
    pub max_connections: u32,
    /// How long an operation waits for a free connection before it fails as transient.
    pub acquire_timeout: Duration,
}

impl StoreConfig {
    /// The store at `url`, with 16 connections and 5 s of patience for one.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 16, acquire_timeout: Duration::from_secs(5) }
    }
}

/// The store. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Db>,
    batches: Arc<Batches>,
}

pub(crate) enum Db {
    Postgres(sqlx::PgPool),
    Sqlite(sqlite::Sqlite),
}

impl Store {
    /// Opens the store. A SQLite file and its folder are made if they are missing; Postgres is connected to at the first
    /// use, so that a process can start while the database is away. Nothing is migrated.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], and for SQLite whatever keeps the file from being opened.
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let db = if let Some(target) = config.url.strip_prefix("sqlite:") {
            Db::Sqlite(sqlite::Sqlite::open(target, config).await?)
        } else if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            Db::Postgres(postgres::pool(config)?)
        } else {
            return Err(StoreError::BadUrl("it must begin with sqlite: or postgres://".to_owned()));
        };
        Ok(Self { inner: Arc::new(db), batches: Arc::default() })
    }

    /// Which database this store is kept in.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.db() {
            Db::Postgres(_) => Backend::Postgres,
            Db::Sqlite(_) => Backend::Sqlite,
        }
    }

    /// Whether the store answers, and takes writes.
    ///
    /// # Errors
    /// What keeps it from answering.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write_one().await?.sql("SELECT 1").run().await?;
        Ok(())
    }

    /// Finishes what was begun and closes all connections; every later call fails as [`StoreError::Closed`].
    pub async fn close(&self) {
        match self.db() {
            Db::Postgres(pool) => pool.close().await,
            Db::Sqlite(sqlite) => sqlite.close().await,
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner
    }

    pub(crate) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// A session that only reads. On SQLite it does not wait for writers.
    pub(crate) async fn read(&self) -> Result<Session, StoreError> {
        match self.db() {
            Db::Postgres(pool) => Ok(Session::postgres(pool.acquire().await.map_err(StoreError::of_connecting)?)),
            Db::Sqlite(sqlite) => sqlite.read().await,
        }
    }

    /// A session for one writing statement, which is durable when it returns.
    pub(crate) async fn write_one(&self) -> Result<Session, StoreError> {
        match self.db() {
            Db::Postgres(pool) => Ok(Session::postgres(pool.acquire().await.map_err(StoreError::of_connecting)?)),
            Db::Sqlite(sqlite) => Ok(sqlite.write_one()),
        }
    }

    /// A transaction: all of its statements happen at [`Session::commit`], or none. Dropped, it is rolled back.
    pub(crate) async fn begin(&self) -> Result<Session, StoreError> {
        match self.db() {
            Db::Postgres(pool) => {
                Session::begin_postgres(pool.acquire().await.map_err(StoreError::of_connecting)?).await
            }
            Db::Sqlite(sqlite) => sqlite.begin().await,
        }
    }

    /// A session for one writing statement on a list of rows by their ids, durable at [`Session::commit`]. On Postgres its plan
    /// is kept (see `session`).
    pub(crate) async fn write_by_index(&self) -> Result<Session, StoreError> {
        match self.db() {
            Db::Postgres(pool) => {
                Session::begin_postgres_by_index(pool.acquire().await.map_err(StoreError::of_connecting)?).await
            }
            Db::Sqlite(sqlite) => Ok(sqlite.write_one()),
        }
    }
}
