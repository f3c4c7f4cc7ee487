//! How a command reaches the queue and the store: without making empty ones by accident, and so that an error says which
//! server or file it was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use config::Config;
use job::QueueName;
use queue::{Broker, BrokerError};
use store::{Store, StoreError};

use super::Usage;
use crate::wire;

/// The file of a `sqlite:` URL; `None` for another one and for a database in memory.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    (path != ":memory:").then(|| Path::new(path).to_owned())
}

/// The queue. A SQLite file that is not there is an error: a new one would only hide that it is the wrong folder.
pub async fn queue(config: &Config) -> anyhow::Result<Arc<dyn Broker>> {
    must_exist("queue.url", &config.queue.url.to_string(), "nothing was enqueued here yet")?;
    wire::broker(config).await
}

/// The queue, made if it is a SQLite file that is not there yet, its folder too: for what is put into it.
pub async fn queue_or_new(config: &Config) -> anyhow::Result<Arc<dyn Broker>> {
    if let Some(folder) = sqlite_file(&config.queue.url.to_string()).as_deref().and_then(Path::parent) {
        std::fs::create_dir_all(folder).with_context(|| format!("queue.url: the folder {}", folder.display()))?;
    }
    wire::broker(config).await
}

/// The store, with its tables as this release needs them. A SQLite file that is not there is an error.
pub async fn store(config: &Config) -> anyhow::Result<Store> {
    must_exist("store.url", &config.store.url.to_string(), "`postrider migrate` makes it")?;
    let store = wire::open_store(config).await?;
    if !store.migration_status().await?.is_current() {
        bail!("the tables of {} are not those of this release: run `postrider migrate` first", config.store.url);
    }
    Ok(store)
}

fn must_exist(key: &str, url: &str, why: &str) -> anyhow::Result<()> {
    match sqlite_file(url) {
        Some(file) if !file.exists() => {
            let file = file.display();
            bail!("{key}: there is no file {file}: {why}, or this is another folder (see --data and --config)")
        }
        _ => Ok(()),
    }
}

/// The same error, with the server or file that it is about.
pub fn at_queue(error: anyhow::Error, config: &Config) -> anyhow::Error {
    match error.downcast_ref::<BrokerError>() {
        Some(e) if e.is_transient() => anyhow!("queue.url = {}: {e}", config.queue.url),
        _ => error,
    }
}

/// The same error, with the server or file that it is about.
pub fn at_store(error: anyhow::Error, config: &Config) -> anyhow::Error {
    match error.downcast_ref::<StoreError>() {
        Some(e) if e.is_transient() => anyhow!("store.url = {}: {}", config.store.url, why_away(e, config)),
        _ => error,
    }
}

/// The same error; one about the cursor of a list says which option is meant.
pub fn at_cursor(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::BadCursor => anyhow!(Usage("--cursor: not a cursor that this list gave out".to_owned())),
        other => other.into(),
    }
}

/// Why the store is away. Who waits for a connection in vain mostly waits for a server that is not there.
pub fn why_away(error: &StoreError, config: &Config) -> String {
    let said = error.to_string();
    match said.contains("pool timed out") {
        true => {
            format!("the store is away: nobody answered within {}", job::duration::format(config.store.acquire_timeout))
        }
        false => said,
    }
}

/// Every queue that is configured or has ever had a job.
pub async fn known_queues(config: &Config, broker: &dyn Broker) -> anyhow::Result<BTreeSet<QueueName>> {
    let mut known: BTreeSet<QueueName> = wire::queue_names(config)?.into_iter().collect();
    known.extend(broker.stats().await?.into_iter().map(|stats| stats.queue));
    Ok(known)
}

/// Refuses a name that is no queue's, and lists those that are.
pub fn must_be_known(what: &str, name: &QueueName, known: &BTreeSet<QueueName>) -> Result<(), Usage> {
    if known.contains(name) {
        return Ok(());
    }
    let names = known.iter().map(QueueName::as_str).collect::<Vec<_>>().join(", ");
    Err(Usage(format!("{what}: there is no queue {name}; there are {names}")))
}
