//! Removes the keys of a measurement.

use anyhow::Context as _;
use queue::redis::RedisBroker;
use redis::AsyncTypedCommands;

/// Removes all keys under `prefix`, in small steps.
pub async fn keys(broker: &RedisBroker, prefix: &str) -> anyhow::Result<()> {
    let mut connection = broker.connection().await?;
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{prefix}:*"))
            .arg("COUNT")
            .arg(500)
            .query_async(&mut connection)
            .await
            .context("removing the keys of the measurement")?;
        if !keys.is_empty() {
            connection.unlink(keys).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
