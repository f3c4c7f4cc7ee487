//! `[alerts]`: who is told of what goes wrong, when, and how.
//!
//! 1. A receiver is a name for people and addresses (`receivers`). One is always there: `operators`, who are reached by what
//!    stands in this section itself.
//! 2. The root of the routes is this section, too: what no route takes goes to its `receiver`, so everything reaches
//!    somebody. Routes are checked here, before anything starts (`routes`).
//! 3. What explains what is in `inhibit`; the other tables bound how much anybody is told at once.

mod inhibit;
mod limits;
mod receivers;
mod routes;

use std::collections::BTreeMap;
use std::time::Duration;

use alerting::{Inhibition, Routes};
use serde::Deserialize;

pub use inhibit::InhibitEntry;
pub use limits::{Cap, Storm};
pub use receivers::Receiver;
pub use routes::{EscalationStep, RouteEntry};

use crate::check::Check;
use crate::mail::Mail;
use crate::outbound::Outbound;
use crate::secret::Secret;
use crate::webhook::{WebhookUrl, check_callable, check_secret};
use crate::{duration, list};

/// The receiver that is always there.
pub const OPERATORS: &str = "operators";

/// Who is told, when, and how.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// The addresses of the operators. None, and no other way to them: where answers to the sender `alerts` go.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub email: Vec<String>,
    /// Where the operators are told by a signed POST; notices go there too.
    #[serde(default)]
    pub webhook: Option<WebhookUrl>,
    /// Signs them (Standard Webhooks): `whsec_` and base64.
    #[serde(default)]
    pub webhook_secret: Option<Secret>,
    /// An incoming webhook as Slack and Mattermost have them.
    #[serde(default)]
    pub slack: Option<WebhookUrl>,
    /// That there is no other way to the operators than mail is meant so.
    pub mail_only: bool,
    /// Who is told of what no route takes.
    pub receiver: String,
    /// What is told together: names of labels.
    #[serde(deserialize_with = "list::deserialize")]
    pub group_by: Vec<String>,
    /// How long the first of a group waits for others, 0…1 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub group_wait: Duration,
    /// How long until a group may tell of what is new in it, 1 s…1 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub group_interval: Duration,
    /// How long until it is said again, 1 min…31 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub repeat_interval: Duration,
    /// Who is told if nobody acknowledges.
    #[serde(default)]
    pub escalate: Vec<EscalationStep>,
    /// An alert that brings no end of its own is over when it was not repeated for so long, 1 min…31 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub resolve_timeout: Duration,
    /// An incident that comes back within this is the same one, and flaps, 0…1 d.
    #[serde(deserialize_with = "duration::deserialize")]
    pub flap_window: Duration,
    /// When many begin at once.
    pub storm: Storm,
    /// How much one person is mailed.
    pub cap: Cap,
    /// Further receivers, by name.
    #[serde(default)]
    pub receivers: BTreeMap<String, Receiver>,
    /// Who takes what, the first that fits.
    #[serde(default)]
    pub routes: Vec<RouteEntry>,
    /// What explains what; none: the standard rule.
    #[serde(default)]
    pub inhibit: Option<Vec<InhibitEntry>>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            email: Vec::new(),
            webhook: None,
            webhook_secret: None,
            slack: None,
            mail_only: false,
            receiver: OPERATORS.to_owned(),
            group_by: vec!["alertname".to_owned()],
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_mins(5),
            repeat_interval: Duration::from_hours(4),
            escalate: Vec::new(),
            resolve_timeout: Duration::from_hours(24),
            flap_window: Duration::from_mins(10),
            storm: Storm::default(),
            cap: Cap::default(),
            receivers: BTreeMap::new(),
            routes: Vec::new(),
            inhibit: None,
        }
    }
}

impl Alerts {
    /// All receivers by name, the operators among them.
    #[must_use]
    pub fn receivers(&self, mail: &Mail) -> BTreeMap<String, Receiver> {
        let mut all = self.receivers.clone();
        all.insert(OPERATORS.to_owned(), self.operators(mail));
        all
    }

    /// How the operators are reached: as this section says; if it says nothing, where answers to the sender `alerts` go.
    /// Empty only where there is neither a way nor such a sender.
    #[must_use]
    pub fn operators(&self, mail: &Mail) -> Receiver {
        let mut operators = Receiver {
            email: self.email.clone(),
            webhook: self.webhook.clone(),
            webhook_secret: self.webhook_secret.clone(),
            slack: self.slack.clone(),
        };
        if operators.is_empty() {
            operators.email.extend(mail.profile("alerts").map(|sender| sender.reply_to.unwrap_or(sender.address)));
        }
        operators
    }

    /// The tree of routes, checked.
    ///
    /// # Panics
    /// In a configuration that was changed after it was checked.
    #[must_use]
    pub fn tree(&self) -> Routes {
        self.build().expect("the routes were checked when the configuration was loaded")
    }

    /// What explains what.
    ///
    /// # Panics
    /// As [`Alerts::tree`].
    #[must_use]
    pub fn inhibitions(&self) -> Vec<Inhibition> {
        let Some(rules) = &self.inhibit else { return Inhibition::standard() };
        rules
            .iter()
            .map(|rule| rule.rule().expect("the rules were checked when the configuration was loaded"))
            .collect()
    }

    fn build(&self) -> Result<Routes, Vec<alerting::Invalid>> {
        let knows = |name: &str| name == OPERATORS || self.receivers.contains_key(name);
        Routes::build(&routes::root(self), &knows)
    }

    pub(crate) fn validate(&self, outbound: &Outbound, check: &mut Check) {
        check_callable(check, "webhook", self.webhook.as_ref(), outbound);
        check_callable(check, "slack", self.slack.as_ref(), outbound);
        check_secret(check, "webhook_secret", self.webhook_secret.as_ref(), self.webhook.as_ref());
        receivers::check_addresses(check, "email", &self.email);
        for (name, receiver) in &self.receivers {
            receiver.validate(name, outbound, check);
        }
        if let Err(wrong) = self.build() {
            for invalid in wrong {
                check.that(false, &invalid.field, invalid.message);
            }
        }
        for (i, rule) in self.inhibit.iter().flatten().enumerate() {
            rule.validate(&format!("inhibit[{i}]"), check);
        }
        check.time("resolve_timeout", self.resolve_timeout, Duration::from_mins(1)..=Duration::from_hours(31 * 24));
        check.time("flap_window", self.flap_window, Duration::ZERO..=Duration::from_hours(24));
        self.storm.validate(check);
        self.cap.validate(check);
    }
}
