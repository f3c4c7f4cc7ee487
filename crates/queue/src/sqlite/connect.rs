//! Opens `queue.db` and makes its tables.
//!
//! 1. The writer connects: WAL, `synchronous = FULL` (a commit returns when the log is on the disk).
//! 2. In one immediate transaction, so that two processes may start at once, it looks at `user_version`: 0 is a new
//!    file and gets `schema.sql`; an older one is brought up to date; a newer one than this release knows is refused.
//! 3. Readers connect to a file when they are needed. A database in memory belongs to one connection, so there the
//!    writer reads, too.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use crate::error::BrokerError;

/// The version of `schema.sql`.
const VERSION: i64 = 2;

/// What brings a file of version 1 to the present one.
const FROM_1: &str = "ALTER TABLE once_ids ADD COLUMN job BLOB; PRAGMA user_version = 2;";

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// The writer, and the readers if there can be any.
pub(super) async fn open(target: &str) -> Result<(SqliteConnection, Option<SqlitePool>), BrokerError> {
    let in_memory = target == ":memory:" || target.starts_with("sqlite::memory:");
    let options = if in_memory {
        SqliteConnectOptions::new().in_memory(true)
    } else if target.starts_with("sqlite:") {
        SqliteConnectOptions::from_str(target)?
    } else {
        SqliteConnectOptions::new().filename(Path::new(target))
    };
    let options = options
        .create_if_missing(true)
        .foreign_keys(false)
        .busy_timeout(BUSY)
        .statement_cache_capacity(200)
        .row_buffer_size(1_024)
        .thread_name(|n| format!("queue.db-{n}"))
        .disable_statement_logging();
    let durable = options
        .clone()
        .journal_mode(if in_memory { SqliteJournalMode::Memory } else { SqliteJournalMode::Wal })
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-32000")
        .pragma("wal_autocheckpoint", "4000");
    let mut writer = durable.connect().await?;
    prepare(&mut writer).await?;
    let readers = (!in_memory).then(|| {
        PoolOptions::new()
            .max_connections(4)
            .acquire_timeout(BUSY)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "1"))
    });
    Ok((writer, readers))
}

async fn prepare(writer: &mut SqliteConnection) -> Result<(), BrokerError> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *tx).await?.try_get(0)?;
    match version {
        0 => {
            sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *tx).await?;
            sqlx::raw_sql("PRAGMA user_version = 2").execute(&mut *tx).await?;
        }
        1 => {
            sqlx::raw_sql(FROM_1).execute(&mut *tx).await?;
        }
        VERSION => {}
        newer => {
            let said = format!("the file is of version {newer}, this release knows up to {VERSION}");
            return Err(BrokerError::Invalid(said));
        }
    }
    tx.commit().await?;
    Ok(())
}
