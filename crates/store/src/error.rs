//! What can go wrong in the store, and the one question that callers ask of it: does trying again later help?

use std::sync::Arc;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

/// A store operation that did not happen, or (only [`StoreError::Unavailable`] and [`StoreError::TimedOut`] while
/// committing) whose fate is not known. Every operation is written so that repeating it is harmless.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or cannot work just now: transient.
    #[error("the store is away: {0}")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The database did not answer in time: transient.
    #[error("the store did not answer within {0:?}")]
    TimedOut(Duration),
    /// The store was closed by this process: transient, another process or the next start will do it.
    #[error("the store is closed")]
    Closed,
    /// The database refused the statement, and would again: permanent.
    #[error("the store refused: {0}")]
    Refused(#[source] Arc<sqlx::Error>),
    /// A value cannot be stored, such as text with a NUL character in Postgres: permanent, and the caller's input.
    #[error("a value cannot be stored: {0}")]
    Unstorable(String),
    /// Others kept changing the row: transient.
    #[error("the row kept changing under the update")]
    Contended,
    /// A row does not read as what it should be: permanent.
    #[error("the store holds what cannot be read: {0}")]
    Corrupt(String),
    /// The URL names no database that is known here: permanent.
    #[error("not a store URL: {0}")]
    BadUrl(String),
    /// The cursor was not made by this list: permanent, and the caller's input.
    #[error("not a cursor of this list")]
    BadCursor,
    /// The schema cannot be brought to what this release needs: permanent.
    #[error("migration failed: {0}")]
    Migration(#[source] Arc<MigrateError>),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing it. Jobs snooze on it, the API answers 503.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TimedOut(_) | Self::Closed | Self::Contended)
    }

    /// Whether two transactions stood in each other's way, and doing this one over at once is likely to succeed.
    pub(crate) fn is_contention(&self) -> bool {
        match self {
            Self::Contended => true,
            Self::Unavailable(error) => match error.as_ref() {
                // Serialization failure and deadlock (PostgreSQL documentation, appendix A).
                sqlx::Error::Database(refusal) => matches!(refusal.code().as_deref(), Some("40001" | "40P01")),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether the caller's input is at fault, and not the store: the API answers 422.
    #[must_use]
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Unstorable(_) | Self::BadCursor)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::WorkerCrashed | E::BeginFailed => {
                Self::Unavailable(Arc::new(error))
            }
            E::PoolClosed => Self::Closed,
            E::Database(refusal) => match Refusal::of(refusal.as_ref()) {
                Refusal::Later => Self::Unavailable(Arc::new(error)),
                Refusal::Never => Self::Refused(Arc::new(error)),
                Refusal::Input => Self::Unstorable(refusal.message().to_owned()),
            },
            E::ColumnDecode { .. } | E::Decode(_) => Self::Corrupt(error.to_string()),
            E::Encode(_) => Self::Unstorable(error.to_string()),
            _ => Self::Refused(Arc::new(error)),
        }
    }
}

impl StoreError {
    /// What kept a connection from being had. Whatever the server says to one that knocks, it says nothing of a statement:
    /// the store is away (a database that takes no connections, a role that may not log in for the moment).
    pub(crate) fn of_connecting(error: sqlx::Error) -> Self {
        match error {
            error @ sqlx::Error::Database(_) => Self::Unavailable(Arc::new(error)),
            error => error.into(),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            error => Self::Migration(Arc::new(error)),
        }
    }
}

/// What a database means by an error code.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Later,
    Never,
    Input,
}

impl Refusal {
    fn of(error: &dyn DatabaseError) -> Self {
        let Some(code) = error.code() else { return Self::Never };
        if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            code.parse().map_or(Self::Never, Self::of_sqlite)
        } else {
            Self::of_postgres(&code)
        }
    }

    /// SQLSTATE, PostgreSQL documentation, appendix A.
    fn of_postgres(code: &str) -> Self {
        match code {
            // NUL in text; \u0000 in JSON; bytes that are not UTF-8.
            "22021" | "22P05" => Self::Input,
            // Read-only: a standby that was not promoted yet. Idle in a transaction for too long. Lock not available.
            // Statement cancelled.
            "25006" | "25P03" | "55P03" | "57014" => Self::Later,
            // Connection; serialization and deadlock; no resources; shutting down or starting; the system below.
            _ if ["08", "40", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) => Self::Later,
            _ => Self::Never,
        }
    }

    /// SQLite result codes (sqlite.org/rescode.html): the low byte is the primary code.
    fn of_sqlite(code: i32) -> Self {
        match code & 0xff {
            // BUSY, LOCKED, NOMEM, READONLY (a disk remounted), IOERR, FULL, CANTOPEN, PROTOCOL.
            5 | 6 | 7 | 8 | 10 | 13 | 14 | 15 => Self::Later,
            _ => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_connections_full_pools_and_restarts_are_transient() {
        for error in [sqlx::Error::PoolTimedOut, sqlx::Error::WorkerCrashed, std::io::Error::other("reset").into()] {
            assert!(StoreError::from(error).is_transient());
        }
        for code in ["08006", "40001", "40P01", "53300", "57P01", "57P03", "57014", "25006", "25P03", "58030"] {
            assert_eq!(Refusal::of_postgres(code), Refusal::Later, "{code}");
        }
    }

    #[test]
    fn wrong_sql_and_broken_constraints_are_permanent() {
        for code in ["23505", "42P01", "42703", "22001"] {
            assert_eq!(Refusal::of_postgres(code), Refusal::Never, "{code}");
        }
        for code in [1, 19, 2067, 26] {
            assert_eq!(Refusal::of_sqlite(code), Refusal::Never, "{code}");
        }
    }

    #[test]
    fn a_busy_locked_or_full_sqlite_is_transient() {
        for code in [5, 6, 517, 261, 13, 10, 266] {
            assert_eq!(Refusal::of_sqlite(code), Refusal::Later, "{code}");
        }
    }
}
