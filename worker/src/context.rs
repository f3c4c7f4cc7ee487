//! What a job may use while it runs.

use std::sync::Arc;

use job::{Chance, Clock, IdSource};
use queue::Broker;
use secrets::Keyring;
use store::Store;
use telemetry::metrics::Meters;

use crate::alerts::Intake;
use crate::bookings::BookingRules;
use crate::heartbeats::HeartbeatRules;
use crate::lacking::Lacking;
use crate::mailer::Mailer;
use crate::notices::Notices;
use crate::search::SearchSettings;
use crate::search_report::ReportRules;
use crate::vitals::WatchRules;

/// The context of every job. Made by [`Context::new`] and what differs: `Context { mailer, ..Context::new(…) }`.
#[derive(Clone)]
pub struct Context {
    /// The relational store.
    pub store: Store,
    /// The queues, to enqueue what follows.
    pub broker: Arc<dyn Broker>,
    /// Ids for new jobs.
    pub ids: Arc<IdSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for what should not happen to all at the same moment.
    pub chance: Arc<Chance>,
    /// The way out for mail; `None` while no relay or sender is configured: mail waits.
    pub mailer: Option<Arc<Mailer>>,
    /// Takes alerts in, and knows whom they are told to.
    pub alerts: Intake,
    /// The way to the operators.
    pub notices: Notices,
    /// What mails ask for and this process does not have.
    pub lacking: Arc<Lacking>,
    /// What holds for bookings and reminders.
    pub bookings: Arc<BookingRules>,
    /// From when on the platform tells of itself.
    pub watch: Arc<WatchRules>,
    /// What holds for search events.
    pub search: SearchSettings,
    /// What has to report regularly.
    pub heartbeats: Arc<HeartbeatRules>,
    /// Who is told what people searched for, and which figures are an alert.
    pub search_report: Arc<ReportRules>,
    /// What is counted.
    pub meters: Meters,
    /// Seals and signs; `None` where no key is configured.
    pub secrets: Option<Arc<Keyring>>,
    /// The base of links in mails, without a slash at its end.
    pub public_url: String,
}

impl Context {
    /// What no job can do without. The rest is as it is where nothing is configured: no way out for mail, no keys, notices
    /// to the log only, the default rules.
    #[must_use]
    pub fn new(store: Store, broker: Arc<dyn Broker>, ids: Arc<IdSource>, clock: Arc<dyn Clock>) -> Self {
        Self {
            alerts: Intake::new(store.clone(), Arc::default(), Arc::clone(&ids)),
            store,
            broker,
            ids,
            clock,
            chance: Arc::new(Chance::system()),
            mailer: None,
            notices: Notices::default(),
            lacking: Arc::default(),
            bookings: Arc::default(),
            watch: Arc::default(),
            search: SearchSettings::default(),
            heartbeats: Arc::default(),
            search_report: Arc::default(),
            meters: Meters::default(),
            secrets: None,
            public_url: String::new(),
        }
    }
}
