//! Connecting to Postgres.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};

use super::StoreConfig;
use crate::error::StoreError;

/// A connection that was idle for longer than this is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long a process may stand still in the middle of a transaction (stopped, swapped out, its machine paused) before the
/// server ends it and gives its locks to the others.
const STANDSTILL: &str = "SET idle_in_transaction_session_timeout = '20s'";

/// A pool that connects when it is first used.
pub(super) fn pool(config: &StoreConfig) -> Result<PgPool, StoreError> {
    let options = quiet_options(&config.url)?;
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections.max(1))
        .acquire_timeout(config.acquire_timeout)
        // A round trip before every use would cost more than most statements do. After a restart of the database the
        // connections that were busy fail once, as transient; the idle ones are found out here.
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(STANDSTILL).await.map(|_| ()) }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_stands_still_in_a_transaction_keeps_its_locks_for_a_while_only() {
        let database = testkit::Database::create().await;
        let pool = pool(&StoreConfig::new(database.url())).unwrap();
        let limit: String =
            sqlx::query_scalar("SHOW idle_in_transaction_session_timeout").fetch_one(&pool).await.unwrap();
        assert_eq!(limit, "20s");
    }
}
