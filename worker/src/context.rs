//! What a job may use while it runs.

use std::sync::Arc;

use job::{Clock, IdSource};
use queue::Broker;
use secrets::Keyring;
use store::Store;
use telemetry::metrics::Meters;

use crate::bookings::BookingRules;
use crate::mailer::Mailer;
use crate::notices::Notices;

/// The context of every job.
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
    /// The way out for mail; `None` while no relay or sender is configured: mail waits.
    pub mailer: Option<Arc<Mailer>>,
    /// The way to the operators.
    pub notices: Notices,
    /// What holds for bookings and reminders.
    pub bookings: Arc<BookingRules>,
    /// What is counted.
    pub meters: Meters,
    /// Seals and signs; `None` where no key is configured.
    pub secrets: Option<Arc<Keyring>>,
    /// The base of links in mails, without a slash at its end.
    pub public_url: String,
}
