//! The store of the configuration, and bringing its tables up to date while a role already runs.

use std::time::Duration;

use anyhow::{Context as _, bail};
use config::Config;
use store::{Store, StoreConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Parts;

/// The store of the configuration.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let store = StoreConfig {
        url: config.store.url.expose(),
        max_connections: config.store.max_connections,
        acquire_timeout: config.store.acquire_timeout,
    };
    Store::open(&store).await.context("store.url")
}

/// The store's tables, on their way to what this release needs while a role already runs.
pub struct Schema(Option<JoinHandle<anyhow::Result<()>>>);

/// How long a start waits for the tables before it goes on without them: a store that is away must not keep a process
/// from starting, nor must another process that migrates for long.
const SCHEMA_PATIENCE: Duration = Duration::from_secs(15);
/// The waits between two tries to migrate a store that is away: from the first on doubled, up to the second.
const SCHEMA_WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

impl Schema {
    /// Does what `store.migrate_on_start` says.
    ///
    /// - True: missing migrations are applied. While the store is away that is tried again and again in the background;
    ///   meanwhile `/readyz` says what is down. A migration that fails for good cancels `shutdown`, and [`Schema::end`]
    ///   answers why.
    /// - False: a store that lacks some is a mistake of whoever starts this. One that is away is not: it is ridden out.
    pub async fn prepare(parts: &Parts, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let store = parts.store.clone();
        if !parts.config.store.migrate_on_start {
            must_be_current(&store, &parts.config).await?;
            return Ok(Self(None));
        }
        let (tried, first_try) = oneshot::channel();
        let url = parts.config.store.url.to_string();
        let migrating = tokio::spawn(async move {
            let done = migrate(&store, &url, tried).await;
            if let Err(error) = &done {
                tracing::error!(error = format!("{error:#}"), "the store cannot be migrated: stopping");
                shutdown.cancel();
            }
            done
        });
        match timeout(SCHEMA_PATIENCE, first_try).await {
            Ok(Ok(())) => Ok(Self(Some(migrating))),
            // It ended within the first try and so told nothing.
            Ok(Err(_)) => migrating.await?.map(|()| Self(None)),
            Err(_) => {
                tracing::warn!("the store's tables are still being brought up to date: starting meanwhile");
                Ok(Self(Some(migrating)))
            }
        }
    }

    /// The end of the role: why migrating failed, if it did. What is still tried is given up.
    pub async fn end(self) -> anyhow::Result<()> {
        match self.0 {
            Some(migrating) if migrating.is_finished() => migrating.await?,
            Some(migrating) => {
                migrating.abort();
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Migrates, however long the store is away; `tried` hears of the first time that it was.
async fn migrate(store: &Store, url: &str, tried: oneshot::Sender<()>) -> anyhow::Result<()> {
    let (mut wait, longest) = SCHEMA_WAITS;
    let mut tried = Some(tried);
    loop {
        match store.migrate().await {
            Ok(done) => {
                if !done.is_empty() {
                    tracing::info!(steps = done.len(), "the store's tables are up to date now");
                }
                return Ok(());
            }
            Err(error) if error.is_transient() => {
                if let Some(tried) = tried.take() {
                    tracing::warn!(%error, "the store is away: its tables are looked at when it is back");
                    // Nobody listens once the start has gone on without it.
                    let _ = tried.send(());
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
            Err(error) => {
                return Err(
                    anyhow::Error::new(error).context(format!("store.url = {url}: bringing its tables up to date"))
                );
            }
        }
    }
}

async fn must_be_current(store: &Store, config: &Config) -> anyhow::Result<()> {
    let url = &config.store.url;
    match store.migration_status().await {
        Ok(status) if status.is_current() => Ok(()),
        Ok(status) if status.pending.is_empty() => {
            bail!(
                "the tables of {url} were made by another release than this one, with other content under the same steps"
            )
        }
        Ok(status) => bail!(crate::commands::Usage(format!(
            "the tables of {url} lack {} migrations, and store.migrate_on_start is false: run `postrider migrate` first",
            status.pending.len()
        ))),
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "the store is away: whether its tables are those of this release shows when it is back");
            Ok(())
        }
        Err(error) => Err(anyhow::Error::new(error).context(format!("store.url = {url}"))),
    }
}
