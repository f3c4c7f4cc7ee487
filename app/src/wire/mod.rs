//! From the configuration to the parts: the only place that knows which backend is in use.
//!
//! One file a part: `queue`, `store` (and its tables), `mailer`, `gate`, `operators`, `alerts`, `links`, `bookings`,
//! `heartbeats`, `search`, `search_report`, `runner`; [`Parts`] holds what the roles share.

mod alerts;
mod bookings;
mod gate;
mod heartbeats;
mod links;
mod mailer;
mod operators;
mod queue;
mod runner;
mod search;
mod search_report;
mod store;
mod watch;

pub use alerts::alert_rules;
pub use gate::{client, new_plan, plans, resolver};
pub use heartbeats::heartbeat_rules;
pub use links::links_must_work;
pub use operators::must_be_reachable;
pub use queue::{broker, hurried_broker, queue_names, redis_broker};
pub use runner::runner_settings;
pub use search::search_settings;
pub use store::{Schema, open_store};

use std::sync::Arc;

use ::queue::Broker;
use ::store::Store;
use anyhow::bail;
use config::Config;
use job::{Clock, IdSource, SystemClock};
use secrets::Keyring;
use telemetry::metrics::Meters;
use worker::alerts::Intake;
use worker::bookings::BookingRules;
use worker::heartbeats::HeartbeatRules;
use worker::lacking::Lacking;
use worker::{Context, Gate, Notices, Registry};

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
    /// What holds for bookings and reminders.
    pub bookings: Arc<BookingRules>,
    /// Takes alerts in.
    pub alerts: Intake,
    /// What has to report regularly.
    pub heartbeats: Arc<HeartbeatRules>,
    /// What is counted.
    pub meters: Meters,
    /// Seals and signs; none without `[secrets]`.
    pub secrets: Option<Arc<Keyring>>,
}

impl Parts {
    /// Builds the parts. A queue or store that is away is no error here: it is ridden out.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let broker = broker(&config).await?;
        Self::at(config, broker, Arc::new(SystemClock)).await
    }

    /// The same over a queue that is there, by another clock.
    pub async fn at(config: Config, broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let store = open_store(&config).await?;
        let registry = Arc::new(Registry::standard(config.debug.kinds));
        if let Some((kind, queue)) = registry.queues_without_consumer(&queue_names(&config)?).first() {
            bail!(crate::commands::Usage(format!(
                "kind {kind} waits in queue {queue}, which no worker consumes: add [queues.{queue}] to the configuration"
            )));
        }
        scheduler::configured(&config, &registry, &queue_names(&config)?)
            .map_err(|e| crate::commands::Usage(e.to_string()))?;
        let ids = Arc::new(IdSource::new(Arc::clone(&clock)));
        let secrets = crate::secrets::keyring(&config)?;
        let bookings = Arc::new(bookings::booking_rules(&config)?);
        let alerts = Intake::new(store.clone(), Arc::new(alert_rules(&config)?), Arc::clone(&ids));
        let heartbeats = Arc::new(heartbeat_rules(&config)?);
        let meters = Meters::default();
        Ok(Self { config, broker, store, registry, ids, clock, bookings, alerts, heartbeats, meters, secrets })
    }

    /// The gate, for a process that does not send itself.
    pub fn gate(&self) -> anyhow::Result<Gate> {
        gate::gate(&self.config)
    }

    /// The way to the operators.
    pub fn notices(&self) -> anyhow::Result<Notices> {
        Ok(operators::notices(&self.config, &self.broker, &self.ids, &self.clock)?
            .through(self.alerts.clone(), Arc::clone(&self.clock)))
    }

    /// What jobs may use.
    pub fn context(&self) -> anyhow::Result<Context> {
        let (broker, ids, clock) = (Arc::clone(&self.broker), Arc::clone(&self.ids), Arc::clone(&self.clock));
        Ok(Context {
            mailer: mailer::mailer(&self.config)?.map(Arc::new),
            alerts: self.alerts.clone(),
            notices: self.notices()?,
            lacking: Arc::new(Lacking::new(self.config.queue.unknown_grace)),
            bookings: Arc::clone(&self.bookings),
            watch: Arc::new(watch::watch_rules(&self.config)),
            search: search_settings(&self.config),
            heartbeats: Arc::clone(&self.heartbeats),
            search_report: Arc::new(search_report::report_rules(&self.config)),
            meters: self.meters.clone(),
            secrets: self.secrets.clone(),
            public_url: self.config.api.base_url(),
            ..Context::new(self.store.clone(), broker, ids, clock)
        })
    }
}

/// The way to the operators, for a command that has no [`Parts`].
pub fn notices(
    config: &Config,
    store: &Store,
    broker: &Arc<dyn Broker>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Notices> {
    let ids = Arc::new(IdSource::new(Arc::clone(clock)));
    let alerts = Intake::new(store.clone(), Arc::new(alert_rules(config)?), Arc::clone(&ids));
    Ok(operators::notices(config, broker, &ids, clock)?.through(alerts, Arc::clone(clock)))
}
