//! From the configuration to the parts: the only place that knows which backend is in use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use config::{Config, QueueUrl, SqliteTarget};
use job::{Clock, IdSource, QueueName, SystemClock};
use mail::{DkimKey, DkimSigner, EmailAddress, Renderer, SenderProfile, SmtpTransport};
use queue::consumer::Share;
use queue::redis::{RedisBroker, RedisSettings};
use queue::sqlite::SqliteBroker;
use queue::{Broker, Retention, Settings, Time};
use secrecy::SecretString;
use store::{Store, StoreConfig};
use telemetry::metrics::Meters;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use worker::mailer::Sender;
use worker::{Context, Mailer, Registry, RunnerSettings};

use crate::process;

/// The parts that the API and the worker share.
pub struct Parts {
    /// The configuration that they were built from.
    pub config: Config,
    /// The queue.
    pub broker: Arc<dyn Broker>,
    /// The store.
    pub store: Store,
    /// All kinds of jobs.
    pub registry: Arc<Registry>,
    /// New ids.
    pub ids: Arc<IdSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub meters: Meters,
}

impl Parts {
    /// Builds the parts. A queue or store that is away is no error here: it is ridden out.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let broker = broker(&config).await?;
        let store = open_store(&config).await?;
        let registry = Arc::new(Registry::standard(config.debug.kinds));
        if let Some((kind, queue)) = registry.queues_without_consumer(&queue_names(&config)?).first() {
            bail!(crate::commands::Usage(format!(
                "kind {kind} waits in queue {queue}, which no worker consumes: add [queues.{queue}] to the configuration"
            )));
        }
        let ids = Arc::new(IdSource::new(Arc::clone(&clock)));
        Ok(Self { config, broker, store, registry, ids, clock, meters: Meters::default() })
    }

    /// What jobs may use.
    pub fn context(&self) -> anyhow::Result<Context> {
        Ok(Context {
            store: self.store.clone(),
            broker: Arc::clone(&self.broker),
            ids: Arc::clone(&self.ids),
            clock: Arc::clone(&self.clock),
            mailer: mailer(&self.config)?.map(Arc::new),
            meters: self.meters.clone(),
        })
    }
}

/// The names under `[queues]`.
pub fn queue_names(config: &Config) -> anyhow::Result<Vec<QueueName>> {
    config.queues.keys().map(|name| QueueName::new(name).with_context(|| format!("queues.{name}"))).collect()
}

/// The queue of the configuration.
pub async fn broker(config: &Config) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(match &config.queue.url {
        QueueUrl::Redis(_) => Arc::new(redis_broker(config)?.context("queue.url names a Redis")?),
        QueueUrl::Sqlite(target) => {
            let target = match target {
                SqliteTarget::File(path) => {
                    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                        std::fs::create_dir_all(folder).with_context(|| format!("queue.url: {}", folder.display()))?;
                    }
                    path.display().to_string()
                }
                SqliteTarget::Memory => "sqlite::memory:".to_owned(),
            };
            Arc::new(SqliteBroker::open(&target, settings(config)?).await.context("queue.url")?)
        }
    })
}

/// The Redis of the configuration, if the queue is there: for what only Redis can be asked.
pub fn redis_broker(config: &Config) -> anyhow::Result<Option<RedisBroker>> {
    let QueueUrl::Redis(url) = &config.queue.url else { return Ok(None) };
    let redis = &config.queue.redis;
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("queue.redis.ca_file: {}", path.display()))
    };
    let tuning = RedisSettings {
        prefix: config.queue.prefix.clone(),
        connect_timeout: redis.connect_timeout,
        response_timeout: redis.response_timeout,
        min_replica_acks: redis.min_replica_acks,
        ack_timeout: redis.ack_timeout,
        ca: redis.ca_file.as_ref().map(read).transpose()?,
        sentinel_user: redis.sentinel_user.clone(),
        sentinel_password: redis.sentinel_password.clone(),
    };
    Ok(Some(RedisBroker::lazy(url, tuning, settings(config)?)?))
}

fn settings(config: &Config) -> anyhow::Result<Settings> {
    let kept = &config.queue.retention;
    Ok(Settings {
        lease: config.queue.lease,
        silence: (config.queue.lease - config.queue.heartbeat) / 2,
        retention: Retention {
            completed_count: kept.completed_count,
            completed_age: kept.completed_age,
            ended_count: kept.dead_count,
            ended_age: kept.dead_age,
        },
        time: Time::Server,
        queues: queue_names(config)?,
    })
}

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

/// How this process's worker runs; `queues` narrows the configured ones and gives them other weights.
pub fn runner_settings(
    config: &Config,
    queues: Option<Vec<Share>>,
    concurrency: Option<usize>,
) -> anyhow::Result<RunnerSettings> {
    let configured = config.queues.iter().map(|(name, share)| {
        let queue = QueueName::new(name).with_context(|| format!("queues.{name}"))?;
        Ok(Share { queue, weight: share.weight, limit: share.concurrency.map(|n| n as usize) })
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(RunnerSettings {
        queues: match queues {
            Some(queues) => queues,
            None => configured.collect::<anyhow::Result<_>>()?,
        },
        concurrency: concurrency.unwrap_or(config.worker.concurrency as usize),
        loops: config.worker.loops_on(cores),
        heartbeat: config.queue.heartbeat,
        unknown_grace: config.queue.unknown_grace,
        soft: config.worker.shutdown_soft,
        hard: config.worker.shutdown_hard,
        sweep_after: config.worker.sweep_after,
        worker: process::start_id(),
    })
}

/// The way out for mail; `None` without a relay or without a sender that can sign.
fn mailer(config: &Config) -> anyhow::Result<Option<Mailer>> {
    let mail = &config.mail;
    let Some(relay) = &mail.transport else { return Ok(None) };
    let mut senders = HashMap::new();
    let mut ehlo = None;
    for profile in mail.profiles() {
        let Some(dkim) = &profile.dkim else { continue };
        let file = &dkim.key_file;
        let pem = std::fs::read_to_string(file).with_context(|| format!("mail.dkim: {}", file.display()))?;
        let key = DkimKey::from_pem(&pem).with_context(|| format!("mail.dkim: {}", file.display()))?;
        let address = |text: &str| EmailAddress::parse(text).with_context(|| format!("mail.senders.{}", profile.name));
        ehlo.get_or_insert_with(|| mail.helo_name(&profile.domain));
        let sender = Sender {
            signer: Arc::new(DkimSigner::new(&key, &profile.domain, &dkim.selector)?),
            bounce: address(&format!("bounces@{}", mail.bounce_domain(&profile.domain)))?,
            profile: SenderProfile {
                key: profile.name.clone(),
                address: address(&profile.address)?,
                display_name: Some(profile.display_name.clone()).filter(|name| !name.is_empty()),
                reply_to: profile.reply_to.as_deref().map(address).transpose()?,
                dkim_selector: dkim.selector.clone(),
                class: match profile.class {
                    config::MailClass::Alert => mail::MailClass::Alert,
                    config::MailClass::Transactional | config::MailClass::Security => mail::MailClass::Transactional,
                },
            },
        };
        senders.insert(profile.name.clone(), sender);
    }
    let Some(ehlo_name) = ehlo else { return Ok(None) };
    let credentials = relay.user.clone().zip(relay.password.as_ref()).map(|(username, password)| mail::Credentials {
        username,
        password: SecretString::from(password.expose().to_owned()),
    });
    let waits = &mail.timeouts;
    let transport = SmtpTransport::new(mail::RelayConfig {
        name: format!("{}:{}", relay.host, relay.port),
        host: relay.host.clone(),
        port: relay.port,
        security: match relay.tls {
            config::RelayTls::None => mail::Security::Plain,
            config::RelayTls::StartTls => mail::Security::StartTls,
            config::RelayTls::Implicit => mail::Security::ImplicitTls,
        },
        credentials,
        ehlo_name,
        timeouts: mail::Timeouts {
            connect: waits.connect,
            greeting: waits.greeting,
            command: waits.command,
            data: waits.data,
            body: waits.body,
            dot: waits.dot,
        },
        max_connections: mail.max_connections as usize,
        max_messages_per_connection: mail.max_messages,
        max_idle: mail.idle_timeout,
        roots: mail::TlsRoots::System,
    })
    .context("mail.transport")?;
    let renderer = Renderer::new(mail.templates_dir.as_deref()).context("mail.templates_dir")?;
    Ok(Some(Mailer { renderer, senders, transport }))
}
