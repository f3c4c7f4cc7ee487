//! The schema, step by step. `migrations/postgres` and `migrations/sqlite` hold the same steps under the same numbers and
//! names and are compiled in.
//!
//! Any number of processes may migrate at once: Postgres takes an advisory lock on a connection of its own, SQLite does
//! all steps in one `BEGIN IMMEDIATE` transaction. Who comes second finds nothing left to do.

use std::collections::BTreeMap;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgPool, SqliteConnection};

use crate::db::{Db, Record, Row, Store, connect_to_postgres};
use crate::error::StoreError;

static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStep {
    /// Its number, rising from 1.
    pub version: i64,
    /// Its name, e.g. `deliveries`.
    pub name: String,
}

/// How the schema of the database stands to the one that this release needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MigrationStatus {
    /// Steps that are done.
    pub applied: Vec<MigrationStep>,
    /// Steps that [`Store::migrate`] would do.
    pub pending: Vec<MigrationStep>,
    /// Steps in the database that this release does not know: a newer release has migrated it.
    pub unknown: Vec<i64>,
    /// Steps that were done with another content than this release has.
    pub changed: Vec<i64>,
}

impl MigrationStatus {
    /// Whether this release can work on the database as it is. Steps of a newer release do no harm: during a rolling
    /// deploy the old processes go on.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.changed.is_empty()
    }
}

/// A row of the table of done steps.
struct Done {
    version: i64,
    checksum: Vec<u8>,
}

impl Record for Done {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { version: row.get("version")?, checksum: row.get("checksum")? })
    }
}

impl Store {
    /// Brings the schema to what this release needs and answers which steps this call did, in their order.
    ///
    /// # Errors
    /// [`StoreError::Migration`] if a step fails (it is undone as a whole) or was done with another content.
    pub async fn migrate(&self) -> Result<Vec<i64>, StoreError> {
        let before = self.done_migrations().await?.len();
        match self.db() {
            Db::Postgres(pool) => apply_to_postgres(pool).await?,
            Db::Sqlite(sqlite) => return sqlite.migrate().await,
        }
        let after = self.done_migrations().await?;
        Ok(after.into_iter().skip(before).map(|done| done.version).collect())
    }

    /// Compares the database's schema with what this release needs. Changes nothing.
    ///
    /// # Errors
    /// What keeps the database from answering.
    pub async fn migration_status(&self) -> Result<MigrationStatus, StoreError> {
        let known = match self.db() {
            Db::Postgres(_) => &POSTGRES,
            Db::Sqlite(_) => &SQLITE,
        };
        let mut done: BTreeMap<i64, Vec<u8>> =
            self.done_migrations().await?.into_iter().map(|done| (done.version, done.checksum)).collect();
        let mut status = MigrationStatus::default();
        for step in known.iter() {
            let checksum = done.remove(&step.version);
            let named = MigrationStep { version: step.version, name: step.description.to_string() };
            match checksum {
                None => status.pending.push(named),
                Some(checksum) => {
                    if *checksum != *step.checksum {
                        status.changed.push(step.version);
                    }
                    status.applied.push(named);
                }
            }
        }
        status.unknown = done.into_keys().collect();
        Ok(status)
    }

    /// The done steps in their order; none where nothing was ever migrated.
    async fn done_migrations(&self) -> Result<Vec<Done>, StoreError> {
        let mut session = self.read().await?;
        let table = match self.db() {
            Db::Postgres(_) => {
                "SELECT 1 FROM pg_tables WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()"
            }
            Db::Sqlite(_) => "SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'",
        };
        if session.sql(table).optional::<Exists>().await?.is_none() {
            return Ok(Vec::new());
        }
        session.sql("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").all().await
    }
}

/// A row whose presence is the answer.
struct Exists;

impl Record for Exists {
    fn read(_: &Row) -> Result<Self, StoreError> {
        Ok(Self)
    }
}

/// On a connection of its own: whatever happens, closing it releases the lock.
async fn apply_to_postgres(pool: &PgPool) -> Result<(), StoreError> {
    let mut connection = connect_to_postgres(pool).await?;
    let applied = tolerant(&POSTGRES).run_direct(None, &mut connection, false).await;
    connection.close().await?;
    Ok(applied?)
}

/// Applies the missing steps as one transaction; answers their numbers.
pub(crate) async fn apply_to_sqlite(connection: &mut SqliteConnection) -> Result<Vec<i64>, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let before = count(&mut transaction).await?;
    tolerant(&SQLITE).run_direct(None, &mut *transaction, false).await?;
    let after: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(after.into_iter().skip(before).collect())
}

async fn count(connection: &mut SqliteConnection) -> Result<usize, StoreError> {
    let table = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'");
    if table.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(0);
    }
    Ok(sqlx::query("SELECT 1 FROM _sqlx_migrations").fetch_all(connection).await?.len())
}

/// A migrator that goes on where a newer release has already been.
fn tolerant(steps: &Migrator) -> Migrator {
    let mut migrator = Migrator { migrations: steps.migrations.clone(), ..Migrator::DEFAULT };
    migrator.set_ignore_missing(true);
    migrator
}
