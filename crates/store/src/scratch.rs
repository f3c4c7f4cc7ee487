//! A Postgres database of its own for a measurement, beside the one that a URL names, and gone afterwards.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

use crate::error::StoreError;

/// A database that was made for a while.
#[derive(Debug)]
pub struct Scratch {
    beside: PgConnectOptions,
    name: String,
}

impl Scratch {
    /// Makes the database `name` (letters, digits and `_`) on the server of `url`; the user must be allowed to.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`]; otherwise as the database says.
    pub async fn create(url: &str, name: &str) -> Result<Self, StoreError> {
        let beside = PgConnectOptions::from_str(url).map_err(|e| StoreError::BadUrl(e.to_string()))?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(StoreError::BadUrl(format!("{name:?} is no name for a database")));
        }
        let scratch = Self { beside, name: name.to_owned() };
        scratch.run(format!("CREATE DATABASE {name}")).await?;
        Ok(scratch)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.beside.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// Drops it, whoever is still connected.
    ///
    /// # Errors
    /// As the database says.
    pub async fn remove(self) -> Result<(), StoreError> {
        self.run(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }

    async fn run(&self, text: String) -> Result<(), StoreError> {
        let mut connection = PgConnection::connect_with(&self.beside).await?;
        connection.execute(AssertSqlSafe(text)).await?;
        connection.close().await?;
        Ok(())
    }
}
