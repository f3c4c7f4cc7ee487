//! Everything that can be set, in one place, checked before anything starts.
//!
//! 1. `default.toml` is compiled in. It holds every key with its default and teaches it: meaning, unit, range, example.
//! 2. `--config FILE` (TOML) is laid over it.
//! 3. The environment is laid over that: `POSTRIDER__SECTION__KEY`, two underscores between the parts.
//! 4. Each section checks itself. An unknown key or a bad value stops the start-up with an error that names the key, the
//!    value, where it was set, and an example that works.
//!
//! One file a section; the types parse (`RedisUrl`, `Relay`, …), so nobody behind this crate reads a URL twice.

mod alerts;
mod api;
mod authority;
mod bookings;
mod check;
mod debug;
mod duration;
mod error;
mod guide;
mod heartbeats;
mod layers;
mod ledger;
mod list;
mod mail;
mod outbound;
mod queue;
mod queue_url;
mod queues;
mod reconcile;
mod redis_url;
mod reminders;
mod schedules;
mod search;
mod search_report;
mod secret;
mod secrets;
mod size;
mod store;
mod telemetry;
mod watch;
mod webhook;
mod worker;

pub use alerts::{Alerts, Cap, EscalationStep, InhibitEntry, OPERATORS, Receiver, RouteEntry, Storm};
pub use api::{Api, RateLimit};
pub use authority::{HostPort, UrlError};
pub use bookings::Bookings;
pub use debug::Debug;
pub use error::{ConfigError, Problem};
pub use heartbeats::HeartbeatEntry;
pub use ledger::{Ledger, LedgerRetention};
pub use mail::{Dkim, Mail, MailClass, MailDns, MailTimeouts, NameServer, Profile, Relay, RelayTls, Sender};
pub use outbound::Outbound;
pub use queue::{Queue, RedisTuning, Retention};
pub use queue_url::{QueueUrl, SqliteTarget};
pub use queues::QueueShare;
pub use reconcile::Reconcile;
pub use redis_url::{RedisTopology, RedisUrl};
pub use reminders::{QuietHours, Reminders};
pub use schedules::{CatchUp, Overlap, ScheduleEntry, Scheduler};
pub use search::{Search, SearchRetention};
pub use search_report::SearchReport;
pub use secret::Secret;
pub use secrets::Secrets;
pub use store::{Store, StoreUrl};
pub use telemetry::{LogFormat, Telemetry};
pub use watch::Watch;
pub use webhook::WebhookUrl;
pub use worker::Worker;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The commented defaults, as `postrider` carries them: a configuration file to start from.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// The prefix of every environment variable that sets a key.
pub const ENV_PREFIX: &str = "POSTRIDER__";

/// The whole configuration, parsed and checked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[api]`: the HTTP listener and its limits.
    pub api: Api,
    /// `[queue]`: where jobs wait, leases, retention.
    pub queue: Queue,
    /// `[queues.NAME]`: the queues there are, and the share each has of a worker.
    pub queues: BTreeMap<String, QueueShare>,
    /// `[worker]`: how much runs at once, and how it stops.
    pub worker: Worker,
    /// `[store]`: the database of bookings, deliveries and keys.
    pub store: Store,
    /// `[ledger]`: how long what has happened is kept.
    pub ledger: Ledger,
    /// `[scheduler]`: who fires schedules, by which clocks.
    pub scheduler: Scheduler,
    /// `[schedules.NAME]`: when things are done by themselves, beside and instead of the platform's own.
    #[serde(default)]
    pub schedules: BTreeMap<String, ScheduleEntry>,
    /// `[mail]`: relay, senders, DKIM keys.
    pub mail: Mail,
    /// `[secrets]`: what seals and signs.
    pub secrets: Secrets,
    /// `[alerts]`: who is told of what goes wrong, when, and how.
    pub alerts: Alerts,
    /// `[heartbeats.NAME]`: what has to report regularly.
    #[serde(default)]
    pub heartbeats: BTreeMap<String, HeartbeatEntry>,
    /// `[outbound]`: whom this installation may call.
    pub outbound: Outbound,
    /// `[bookings]`: what follows from a lesson that took place.
    pub bookings: Bookings,
    /// `[reminders]`: how long before a lesson both parties are reminded.
    pub reminders: Reminders,
    /// `[reconcile]`: how far back the ledger is compared with what must have been mailed.
    pub reconcile: Reconcile,
    /// `[watch]`: from when on the platform tells the operators of itself.
    pub watch: Watch,
    /// `[search]`: how search events are taken, counted and kept.
    pub search: Search,
    /// `[debug]`: the kinds for trying and testing.
    pub debug: Debug,
    /// `[telemetry]`: logs.
    pub telemetry: Telemetry,
}

impl Default for Config {
    /// The same values as `default.toml` (a test compares them).
    fn default() -> Self {
        Self {
            api: Api::default(),
            queue: Queue::default(),
            queues: queues::default_queues(),
            worker: Worker::default(),
            store: Store::default(),
            ledger: Ledger::default(),
            scheduler: Scheduler::default(),
            schedules: BTreeMap::new(),
            mail: Mail::default(),
            secrets: Secrets::default(),
            alerts: Alerts::default(),
            heartbeats: BTreeMap::new(),
            outbound: Outbound::default(),
            bookings: Bookings::default(),
            reminders: Reminders::default(),
            reconcile: Reconcile::default(),
            watch: Watch::default(),
            search: Search::default(),
            debug: Debug::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Config {
    /// Loads defaults, then `file`, then `env`, and checks the result.
    ///
    /// `env` is the process environment in the binary (`std::env::vars()`) and a list in tests; names without
    /// [`ENV_PREFIX`] are skipped.
    ///
    /// # Errors
    /// [`ConfigError`], always permanent: start-up must stop and print it (exit code 2).
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        layers::load(layers::Overlay::None, file, env)
    }

    /// Like [`Config::load`], with the values of `postrider dev` between the defaults and the file: SQLite files, keys and
    /// mail under `data_dir`, loopback only, debug kinds on, the sender domain [`DEV_DOMAIN`].
    ///
    /// `mail.transport` stays unset: the caller fills in the catcher's port ([`Relay::loopback`]) once it listens.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_dev(
        data_dir: &Path,
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        layers::load(layers::Overlay::Dev(data_dir), file, env)
    }

    /// [`Config::load_dev`] without file and environment: what tests start from.
    ///
    /// # Panics
    /// Never: the compiled-in layers are tested to be valid (a path that is not UTF-8 is shown lossily).
    #[must_use]
    pub fn dev(data_dir: &Path) -> Self {
        Self::load_dev(data_dir, None, []).expect("the compiled-in dev values are valid")
    }

    /// Checks every section; used by `load`, and by code that changed a loaded configuration.
    ///
    /// # Errors
    /// [`ConfigError::Keys`] with every problem found, not only the first.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Keys(problems)) }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut check = check::Check::default();
        self.api.validate(check.section("api"));
        self.queue.validate(check.section("queue"));
        queues::validate(&self.queues, check.section("queues"));
        self.worker.validate(check.section("worker"));
        self.store.validate(check.section("store"));
        self.ledger.retention.validate(check.section("ledger.retention"));
        self.scheduler.validate(check.section("scheduler"));
        self.mail.validate(check.section("mail"));
        self.secrets.validate(self.mail.transport.is_some(), check.section("secrets"));
        self.alerts.validate(&self.outbound, check.section("alerts"));
        heartbeats::validate(&self.heartbeats, check.section("heartbeats"));
        self.outbound.validate(check.section("outbound"));
        self.bookings.validate(check.section("bookings"));
        self.reminders.validate(check.section("reminders"));
        self.reconcile.validate(self.ledger.retention.mails, check.section("reconcile"));
        let kept = self.ledger.retention.mails.min(self.ledger.retention.booking_events);
        let reason =
            "must be shorter than ledger.retention.mails and .booking_events: what is gone looks as if never mailed";
        check.that(self.reconcile.window < kept, "window", reason);
        self.watch.validate(check.section("watch"));
        self.search.validate(check.section("search"));
        let known = self.mail.senders.contains_key(&self.search.report.sender);
        self.search.report.validate(known, check.section("search.report"));
        self.telemetry.validate(check.section("telemetry"));
        check.into_problems()
    }
}

/// The domain that `postrider dev` sends from; `.test` never resolves outside (RFC 6761 §6.2).
pub const DEV_DOMAIN: &str = "postrider.test";

/// The DKIM selector of [`DEV_DOMAIN`].
pub const DEV_SELECTOR: &str = "dev";
