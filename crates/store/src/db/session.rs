//! A conversation with the database, whichever it is: SQL text and values in, rows out.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{Executor, Row as _, SqlSafeStr};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::value::{Input, Output};
use super::writer::{Answer, Turn, Want};
use crate::error::StoreError;

/// A database over a network that does not answer a statement for this long is treated as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Begins a transaction whose statements look each row up by its index, also in a table that is small as yet: so their plans
/// stay good while it grows, and are made once a connection and not for every statement.
const BY_INDEX: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off;
    SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

pub(super) type PostgresQuery = sqlx::query::Query<'static, Postgres, PgArguments>;
pub(super) type SqliteQuery = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// One or several statements in a row: made by `Store::read`, `Store::write_one` and `Store::begin`.
pub(crate) struct Session(Kind);

enum Kind {
    Postgres(PostgresSession),
    SqliteReader(PoolConnection<Sqlite>),
    SqliteWriter(Turn),
}

/// A connection of the pool, perhaps within a transaction.
pub(crate) struct PostgresSession {
    connection: PoolConnection<Postgres>,
    in_transaction: bool,
    patience: Duration,
}

impl PostgresSession {
    async fn execute(&mut self, text: &'static str) -> Result<(), StoreError> {
        let done = timeout(self.patience, self.connection.execute(text)).await;
        self.in_time(done).map(drop)
    }

    /// A connection that did not answer in time is not used again: nobody knows what it will say.
    fn in_time<T>(&mut self, done: Result<sqlx::Result<T>, Elapsed>) -> Result<T, StoreError> {
        match done {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                self.connection.close_on_drop();
                Err(StoreError::TimedOut(self.patience))
            }
        }
    }
}

impl Drop for PostgresSession {
    /// Closing the connection is the surest rollback: it needs no answer. Failures and cancelled calls get here, and calls
    /// that find nothing to do; those that are made again and again commit although they wrote nothing.
    fn drop(&mut self) {
        if self.in_transaction {
            self.connection.close_on_drop();
        }
    }
}

impl Session {
    pub(super) fn postgres(connection: PoolConnection<Postgres>) -> Self {
        Self(Kind::Postgres(PostgresSession { connection, in_transaction: false, patience: PATIENCE }))
    }

    pub(super) async fn begin_postgres(connection: PoolConnection<Postgres>) -> Result<Self, StoreError> {
        Self::begin_postgres_with(connection, "BEGIN").await
    }

    pub(super) async fn begin_postgres_by_index(connection: PoolConnection<Postgres>) -> Result<Self, StoreError> {
        Self::begin_postgres_with(connection, BY_INDEX).await
    }

    async fn begin_postgres_with(
        connection: PoolConnection<Postgres>,
        begin: &'static str,
    ) -> Result<Self, StoreError> {
        let mut session = PostgresSession { connection, in_transaction: true, patience: PATIENCE };
        session.execute(begin).await?;
        Ok(Self(Kind::Postgres(session)))
    }

    pub(super) fn sqlite_reader(connection: PoolConnection<Sqlite>) -> Self {
        Self(Kind::SqliteReader(connection))
    }

    pub(super) fn sqlite_writer(turn: Turn) -> Self {
        Self(Kind::SqliteWriter(turn))
    }

    /// The same, with another patience: for statements that have much to read.
    pub(crate) fn patient(mut self, patience: Duration) -> Self {
        if let Kind::Postgres(session) = &mut self.0 {
            session.patience = patience;
        }
        self
    }

    /// A statement; its values follow with [`Statement::bind`], in the order of `$1`, `$2` …
    pub(crate) fn sql(&mut self, text: impl SqlSafeStr) -> Statement<'_> {
        match &mut self.0 {
            Kind::Postgres(session) => Statement::Postgres(session, sqlx::query(text)),
            Kind::SqliteReader(connection) => Statement::SqliteReader(connection, sqlx::query(text)),
            Kind::SqliteWriter(turn) => Statement::SqliteWriter(turn, sqlx::query(text)),
        }
    }

    /// Makes the transaction's statements happen. Outside a transaction there is nothing to do.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Kind::Postgres(mut session) => {
                if session.in_transaction {
                    session.execute("COMMIT").await?;
                    session.in_transaction = false;
                }
                Ok(())
            }
            Kind::SqliteReader(_) => Ok(()),
            Kind::SqliteWriter(turn) => turn.commit().await,
        }
    }
}

/// A statement on its way to its database.
#[must_use = "a statement does nothing until it is run"]
pub(crate) enum Statement<'s> {
    Postgres(&'s mut PostgresSession, PostgresQuery),
    SqliteReader(&'s mut PoolConnection<Sqlite>, SqliteQuery),
    SqliteWriter(&'s mut Turn, SqliteQuery),
}

impl Statement<'_> {
    /// The value of the next placeholder.
    pub(crate) fn bind<'v>(self, value: impl Input<'v>) -> Self {
        match self {
            Self::Postgres(session, query) => Self::Postgres(session, query.bind(value)),
            Self::SqliteReader(connection, query) => Self::SqliteReader(connection, query.bind(value)),
            Self::SqliteWriter(turn, query) => Self::SqliteWriter(turn, query.bind(value)),
        }
    }

    /// Runs the statement once, without keeping its plan: for texts whose length varies.
    pub(crate) fn unprepared(self) -> Self {
        match self {
            Self::Postgres(session, query) => Self::Postgres(session, query.persistent(false)),
            Self::SqliteReader(connection, query) => Self::SqliteReader(connection, query.persistent(false)),
            Self::SqliteWriter(turn, query) => Self::SqliteWriter(turn, query.persistent(false)),
        }
    }

    /// Has Postgres plan the statement for the tables as they are now: a plan that was kept from when one of them was small
    /// would read all of it later. For statements on a list of any length.
    pub(crate) fn planned_afresh(self) -> Self {
        match self {
            Self::Postgres(session, query) => Self::Postgres(session, query.persistent(false)),
            sqlite => sqlite,
        }
    }

    /// Runs the statement; answers how many rows it changed.
    pub(crate) async fn run(self) -> Result<u64, StoreError> {
        self.count(Want::Count).await
    }

    /// As [`Statement::run`], for a text that is several statements on SQLite: all of them happen, or none.
    pub(crate) async fn run_together(self) -> Result<u64, StoreError> {
        self.count(Want::CountTogether).await
    }

    async fn count(self, want: Want) -> Result<u64, StoreError> {
        match self {
            Self::Postgres(session, query) => {
                let done = timeout(session.patience, query.execute(&mut *session.connection)).await;
                Ok(session.in_time(done)?.rows_affected())
            }
            Self::SqliteReader(connection, query) => Ok(query.execute(&mut **connection).await?.rows_affected()),
            Self::SqliteWriter(turn, query) => match turn.ask(query, want).await? {
                Answer::Count(count) => Ok(count),
                Answer::Rows(rows) => Ok(rows.len() as u64),
            },
        }
    }

    /// All rows.
    pub(crate) async fn all<R: Record>(self) -> Result<Vec<R>, StoreError> {
        self.rows(Want::Rows).await?.iter().map(R::read).collect()
    }

    /// The row, if there is one.
    pub(crate) async fn optional<R: Record>(self) -> Result<Option<R>, StoreError> {
        self.rows(Want::Rows).await?.first().map(R::read).transpose()
    }

    /// Gives each row to `take` as it comes: any number of them takes the same memory. (A store in memory, which tests
    /// have, reads them all first.)
    pub(crate) async fn each<R: Record>(self, mut take: impl FnMut(R) + Send) -> Result<(), StoreError> {
        match self {
            Self::Postgres(session, query) => {
                let read = async {
                    let mut rows = query.fetch(&mut *session.connection);
                    while let Some(row) = rows.try_next().await? {
                        take(R::read(&Row::Postgres(row))?);
                    }
                    Ok::<_, StoreError>(())
                };
                match timeout(session.patience, read).await {
                    Ok(done) => done,
                    Err(late) => session.in_time::<()>(Err(late)),
                }
            }
            Self::SqliteReader(connection, query) => {
                let mut rows = query.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await? {
                    take(R::read(&Row::Sqlite(row))?);
                }
                Ok(())
            }
            writer @ Self::SqliteWriter(..) => {
                writer.rows(Want::Rows).await?.iter().try_for_each(|row| R::read(row).map(&mut take))
            }
        }
    }

    /// As [`Statement::all`], for a text that is several statements on SQLite: all of them happen, or none.
    pub(crate) async fn all_together<R: Record>(self) -> Result<Vec<R>, StoreError> {
        self.rows(Want::RowsTogether).await?.iter().map(R::read).collect()
    }

    async fn rows(self, want: Want) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Postgres(session, query) => {
                let done = timeout(session.patience, query.fetch_all(&mut *session.connection)).await;
                Ok(session.in_time(done)?.into_iter().map(Row::Postgres).collect())
            }
            Self::SqliteReader(connection, query) => {
                Ok(query.fetch_all(&mut **connection).await?.into_iter().map(Row::Sqlite).collect())
            }
            Self::SqliteWriter(turn, query) => match turn.ask(query, want).await? {
                Answer::Rows(rows) => Ok(rows.into_iter().map(Row::Sqlite).collect()),
                Answer::Count(_) => Ok(Vec::new()),
            },
        }
    }
}

/// A row of either database.
pub(crate) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// The value in `column`.
    pub(crate) fn get<T: Output>(&self, column: &str) -> Result<T, StoreError> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    /// The value in the column at `place`, from 0: where there are millions of rows, names cost too much.
    pub(crate) fn nth<T: Output>(&self, place: usize) -> Result<T, StoreError> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(place)?,
            Self::Sqlite(row) => row.try_get(place)?,
        })
    }

    /// The count in `column`: every number that is stored is a 64-bit integer, whatever type it has here.
    pub(crate) fn number<N: TryFrom<i64>>(&self, column: &str) -> Result<N, StoreError> {
        let stored: i64 = self.get(column)?;
        N::try_from(stored).map_err(|_| StoreError::Corrupt(format!("column {column}: {stored} is out of range")))
    }

    /// The count in `column`, or none where it is null.
    pub(crate) fn optional_number<N: TryFrom<i64>>(&self, column: &str) -> Result<Option<N>, StoreError> {
        let stored: Option<i64> = self.get(column)?;
        stored.map(|_| self.number(column)).transpose()
    }
}

/// What is read from one row.
pub(crate) trait Record: Sized {
    /// Reads the columns by their names.
    fn read(row: &Row) -> Result<Self, StoreError>;
}
