//! The settings of alerts, as the clockwork uses them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alerting::{Inhibition, RouteSpec, Routes};

use super::post::Post;

/// The receiver of an installation that configures none.
pub const OPERATORS: &str = "operators";

/// The sender profile that all mails about incidents come from.
pub const SENDER: &str = "alerts";

/// What holds for all alerts of this installation.
pub struct AlertRules {
    /// Who is told of what.
    pub routes: Routes,
    /// How each receiver is told.
    pub receivers: BTreeMap<String, Receiver>,
    /// What explains what.
    pub inhibitions: Vec<Inhibition>,
    /// An incident whose alert says nothing of its end is over when it is not repeated for so long.
    pub resolve_timeout: Duration,
    /// An incident that comes back so soon after its end is the same one.
    pub flap_window: Duration,
    /// When messages are gathered.
    pub storm: Storm,
    /// The zone in which mails tell times, an IANA name.
    pub timezone: String,
    /// Mails that a person gets within an hour, from 2: the last of them tells what is held.
    pub mails_per_hour: u32,
}

/// How a receiver is told: by all of these.
#[derive(Clone, Default)]
pub struct Receiver {
    /// Addresses of people.
    pub emails: Vec<String>,
    /// A call as Standard Webhooks has it.
    pub webhook: Option<Arc<Post>>,
    /// A message as Slack takes it.
    pub slack: Option<Arc<Post>>,
}

impl Receiver {
    /// Whether it has a way that is not mail.
    #[must_use]
    pub fn is_called(&self) -> bool {
        self.webhook.is_some() || self.slack.is_some()
    }
}

/// When so much is to be told at once that messages are gathered into digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// With more messages than this to one person or channel within a minute.
    pub incidents_per_minute: u32,
    /// Between two digests for the same person or channel.
    pub interval: Duration,
}

impl Storm {
    /// How long the first digest gathers.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.interval.min(Duration::from_secs(30))
    }
}

impl AlertRules {
    /// The receiver of a name.
    #[must_use]
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.get(name)
    }

    /// What is told when mail does not get through: the first receiver, of these or of all, that has another way.
    #[must_use]
    pub fn other_way(&self, failed: &str) -> Option<(&str, &Receiver)> {
        self.way(failed, Receiver::is_called)
    }

    /// Who gets a mail when a webhook or chat takes nothing: the first receiver, of these or of all, that has people.
    #[must_use]
    pub fn mail_way(&self, failed: &str) -> Option<(&str, &Receiver)> {
        self.way(failed, |receiver| !receiver.emails.is_empty())
    }

    fn way(&self, failed: &str, fits: impl Fn(&Receiver) -> bool) -> Option<(&str, &Receiver)> {
        let own = self.receivers.get_key_value(failed).filter(|(_, receiver)| fits(receiver));
        own.or_else(|| self.receivers.iter().find(|(_, receiver)| fits(receiver)))
            .map(|(name, receiver)| (name.as_str(), receiver))
    }
}

impl Default for AlertRules {
    /// One receiver without any way: incidents are kept, and told to nobody.
    fn default() -> Self {
        let root = RouteSpec { receiver: Some(OPERATORS.to_owned()), ..RouteSpec::default() };
        Self {
            routes: Routes::build(&root, &|name| name == OPERATORS).expect("one route to one receiver is sound"),
            receivers: BTreeMap::from([(OPERATORS.to_owned(), Receiver::default())]),
            inhibitions: Inhibition::standard(),
            resolve_timeout: Duration::from_hours(24),
            flap_window: Duration::from_secs(10 * 60),
            storm: Storm { incidents_per_minute: 30, interval: Duration::from_secs(5 * 60) },
            timezone: "UTC".to_owned(),
            mails_per_hour: 30,
        }
    }
}
