//! What every handler may use: the queue, the store, the registry of kinds, time, ids and settings. One per process,
//! cheap to clone.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use jiff::Timestamp;
use job::{Chance, Clock, IdSource, JobId, QueueName};
use queue::Broker;
use secrets::Keyring;
use store::Store;
use telemetry::metrics::Meters;
use worker::alerts::Intake;
use worker::bookings::BookingRules;
use worker::gate::Means;
use worker::heartbeats::HeartbeatRules;
use worker::search::SearchSettings;
use worker::{Gate, Notices, Registry};

use crate::auth::Keys;
use crate::error::ApiError;
use crate::limits::Rate;

/// The longest that what the store said of a key may count.
const MOST_FRESH: Duration = Duration::from_secs(5);

/// The shared state of all handlers.
#[derive(Clone)]
pub struct State(Arc<Inner>);

/// What the state is built from.
pub struct Parts {
    /// Where jobs go.
    pub broker: Arc<dyn Broker>,
    /// Bookings, deliveries and keys.
    pub store: Store,
    /// The job kinds that exist.
    pub registry: Arc<Registry>,
    /// Makes job ids.
    pub ids: Arc<IdSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the ids of requests.
    pub chance: Chance,
    /// Limits and the queues that exist.
    pub settings: Settings,
    /// What holds for bookings and reminders.
    pub bookings: Arc<BookingRules>,
    /// What has to report regularly.
    pub heartbeats: Arc<HeartbeatRules>,
    /// Counts what comes in.
    pub meters: Meters,
    /// Looks at domains; `None` where the signing keys cannot be read.
    pub gate: Option<Arc<Gate>>,
    /// Takes alerts in.
    pub alerts: Intake,
    /// The way to the operators.
    pub notices: Notices,
    /// Gives all figures of the process as Prometheus text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Set in `postrider dev` only.
    pub dev: Option<Dev>,
    /// Seals and signs; `None` where no key is configured.
    pub secrets: Option<Arc<Keyring>>,
}

/// Limits, and the queues that exist.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The largest body of a call that is no batch, in bytes.
    pub body_limit: usize,
    /// The largest body of a batch, in bytes.
    pub batch_body_limit: usize,
    /// How long one request may take before it is answered 503, and its body may take to arrive before 408.
    pub request_timeout: Duration,
    /// How many calls a key may make that has no rate of its own.
    pub rate: Rate,
    /// How long what the store said of a key counts: a revoked key works no longer than that. At most 5 s.
    pub keys_fresh_for: Duration,
    /// The queues that have a consumer: a job for another one is refused.
    pub queues: Vec<QueueName>,
    /// Who may be the From of a caller's mail.
    pub senders: Vec<config::Profile>,
    /// A folder whose templates replace the compiled-in ones.
    pub templates_dir: Option<PathBuf>,
    /// What holds for search events.
    pub search: SearchSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            batch_body_limit: 8 << 20,
            request_timeout: Duration::from_secs(30),
            rate: Rate { per_second: 50_000, burst: 100_000 },
            keys_fresh_for: MOST_FRESH,
            queues: Vec::new(),
            senders: Vec::new(),
            templates_dir: None,
            search: SearchSettings::default(),
        }
    }
}

impl Settings {
    /// The settings of a process: its `[api]` section, and the names under `[queues]`.
    #[must_use]
    pub fn from_config(api: &config::Api, queues: Vec<QueueName>) -> Self {
        Self {
            body_limit: api.body_limit,
            batch_body_limit: api.batch_body_limit,
            request_timeout: api.request_timeout,
            rate: Rate { per_second: api.rate_limit.per_second, burst: api.rate_limit.burst },
            queues,
            ..Self::default()
        }
    }
}

/// What only `postrider dev` has: the caught mails, the zone that they are verified against, and the key `dev`.
#[derive(Clone)]
pub struct Dev {
    /// The caught mails.
    pub inbox: mail::Inbox,
    /// Gives the zone as master-file text.
    pub zone: Arc<dyn Fn() -> String + Send + Sync>,
    /// The templates of mails, to be looked at.
    pub templates: Arc<mail::Renderer>,
}

/// The insides of [`State`].
pub struct Inner {
    parts: Parts,
    pub(crate) keys: Keys,
    /// When the process began.
    pub(crate) began: Timestamp,
    /// The store's schema was seen to be current: no need to ask again.
    pub(crate) schema_is_current: AtomicBool,
    /// What `/readyz` last found down, so that the log tells of changes only.
    pub(crate) told_down: Mutex<Vec<&'static str>>,
    /// The description of the API, written when the router is built.
    pub(crate) document: OnceLock<Bytes>,
    /// The templates of mails, for checking what a caller fills them with.
    renderer: OnceLock<Arc<mail::Renderer>>,
}

impl State {
    /// What the gate works with.
    pub(crate) fn means(&self) -> Means<'_> {
        Means { store: &self.store, broker: &self.broker, ids: &self.ids, clock: &self.clock, notices: &self.notices }
    }

    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let keys = Keys::new(parts.settings.rate, parts.settings.keys_fresh_for.min(MOST_FRESH), parts.dev.is_some());
        Self(Arc::new(Inner {
            began: parts.clock.now(),
            parts,
            keys,
            schema_is_current: AtomicBool::new(false),
            told_down: Mutex::default(),
            document: OnceLock::new(),
            renderer: OnceLock::new(),
        }))
    }

    /// What seals and signs. Errors: 503 where no key is configured.
    pub fn ring(&self) -> Result<&Keyring, ApiError> {
        self.secrets
            .as_deref()
            .ok_or_else(|| ApiError::unavailable("No key is configured under which this could be kept (secrets.keys)."))
    }

    /// What stands for an address once it was erased; nothing where no key is configured.
    pub fn shadow(&self, address: &str) -> Option<String> {
        self.secrets.as_deref().map(|ring| ring.shadow(address))
    }

    /// What may stand for an address that was erased; nothing where no key is configured.
    pub fn shadows(&self, address: &str) -> Vec<String> {
        self.secrets.as_deref().map(|ring| ring.shadows(address)).unwrap_or_default()
    }

    /// The templates, loaded when they are first asked for. Errors: 500 if one cannot be read.
    pub fn renderer(&self) -> Result<&mail::Renderer, ApiError> {
        if let Some(loaded) = self.renderer.get() {
            return Ok(loaded);
        }
        let loaded = match &self.dev {
            Some(dev) => Arc::clone(&dev.templates),
            None => Arc::new(mail::Renderer::new(self.settings.templates_dir.as_deref()).map_err(ApiError::internal)?),
        };
        Ok(self.renderer.get_or_init(|| loaded))
    }

    /// A new id for a job of `queue`.
    #[must_use]
    pub fn new_id(&self, queue: &QueueName) -> JobId {
        self.ids.next(queue)
    }
}

impl Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("settings", &self.settings).finish_non_exhaustive()
    }
}
