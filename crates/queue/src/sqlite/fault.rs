//! What SQLite's errors mean to a caller: wait and call again, or look at the file.
//!
//! Codes: <https://www.sqlite.org/rescode.html>. The low byte of an extended code is its primary code.

use crate::error::BrokerError;

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;

impl From<sqlx::Error> for BrokerError {
    fn from(e: sqlx::Error) -> Self {
        match &e {
            sqlx::Error::Database(fault) => {
                let code = fault.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff;
                match code {
                    BUSY | LOCKED | NOMEM | READONLY | INTERRUPT | IOERR | FULL | CANTOPEN => {
                        Self::Unavailable(fault.to_string())
                    }
                    _ => Self::Corrupt(fault.to_string()),
                }
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound => Self::Corrupt(e.to_string()),
            sqlx::Error::Configuration(_) => Self::Invalid(e.to_string()),
            _ => Self::Unavailable(e.to_string()),
        }
    }
}
