//! Connecting to Postgres.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use super::StoreConfig;
use crate::error::StoreError;

/// A connection that was idle for longer than this is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// A pool that connects when it is first used.
pub(super) fn pool(config: &StoreConfig) -> Result<PgPool, StoreError> {
    let options = quiet_options(&config.url)?;
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections.max(1))
        .acquire_timeout(config.acquire_timeout)
        // A round trip before every use would cost more than most statements do. After a restart of the database the
        // connections that were busy fail once, as transient; the idle ones are found out here.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

/// The options in `url`, named for the database's own lists, without a log line a statement.
fn quiet_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|e| StoreError::BadUrl(e.to_string()))?;
    Ok(options.application_name("postrider").disable_statement_logging())
}

/// A connection of its own, outside the pool.
pub(crate) async fn connect(pool: &PgPool) -> Result<PgConnection, StoreError> {
    let options = pool.connect_options();
    Ok(PgConnection::connect_with(&options).await?)
}
