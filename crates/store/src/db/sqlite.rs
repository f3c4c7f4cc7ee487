//! Opening SQLite: one connection that writes, a few that read beside it (WAL), every commit on the disk before it is
//! answered (`synchronous = FULL`).

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::StoreConfig;
use super::session::Session;
use super::writer::Writer;
use crate::error::StoreError;

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// More readers than this only contend for the same pages.
const MAX_READERS: u32 = 4;

/// SQLite, opened.
pub(crate) struct Sqlite {
    writer: Writer,
    /// `None` in memory: there only one connection sees the database, so it reads too.
    readers: Option<SqlitePool>,
}

impl Sqlite {
    /// Opens `target`: a path, with or without a leading `//`, or `:memory:`.
    pub(super) async fn open(target: &str, config: &StoreConfig) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        if target == ":memory:" {
            let connection = SqliteConnection::connect_with(&options.in_memory(true)).await?;
            return Ok(Self { writer: Writer::start(connection), readers: None });
        }

        let path = target.strip_prefix("//").unwrap_or(target);
        if path.is_empty() || path.contains('?') {
            return Err(StoreError::BadUrl(format!("sqlite:PATH is expected, not sqlite:{target}")));
        }
        if let Some(folder) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(folder).map_err(sqlx::Error::Io)?;
        }
        let options = options
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let connection = SqliteConnection::connect_with(&options).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(config.max_connections.clamp(1, MAX_READERS))
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        Ok(Self { writer: Writer::start(connection), readers: Some(readers) })
    }

    pub(super) async fn read(&self) -> Result<Session, StoreError> {
        match &self.readers {
            Some(readers) => Ok(Session::sqlite_reader(readers.acquire().await?)),
            None => Ok(self.write_one()),
        }
    }

    pub(super) fn write_one(&self) -> Session {
        Session::sqlite_writer(self.writer.one())
    }

    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        Ok(Session::sqlite_writer(self.writer.transaction().await?))
    }

    /// Applies the missing migrations on the writer's connection.
    pub(crate) async fn migrate(&self) -> Result<Vec<i64>, StoreError> {
        self.writer.migrate().await
    }

    pub(super) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.close().await;
    }
}
