//! `[alerts.receivers.NAME]`: a name for people and addresses.

use serde::Deserialize;

use crate::check::{self, Check};
use crate::list;
use crate::outbound::Outbound;
use crate::secret::Secret;
use crate::webhook::{WebhookUrl, check_callable, check_secret};

use super::OPERATORS;

/// The most people of one receiver.
const MOST: usize = 50;

/// Who is told: by every way that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// A mail to each of these.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub email: Vec<String>,
    /// A signed POST.
    #[serde(default)]
    pub webhook: Option<WebhookUrl>,
    /// Signs it (Standard Webhooks): `whsec_` and base64.
    #[serde(default)]
    pub webhook_secret: Option<Secret>,
    /// An incoming webhook as Slack and Mattermost have them.
    #[serde(default)]
    pub slack: Option<WebhookUrl>,
}

impl Receiver {
    /// Whether it reaches nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.email.is_empty() && self.webhook.is_none() && self.slack.is_none()
    }

    pub(super) fn validate(&self, name: &str, outbound: &Outbound, check: &mut Check) {
        let key = |key: &str| format!("receivers.{name}.{key}");
        let itself = format!("receivers.{name}");
        check.name(&itself, name);
        check.that(name != OPERATORS, &itself, "is made of alerts.email, alerts.webhook and alerts.slack: set those");
        check.that(!self.is_empty(), &itself, "reaches nobody: give it email, webhook or slack");
        check_addresses(check, &key("email"), &self.email);
        check_callable(check, &key("webhook"), self.webhook.as_ref(), outbound);
        check_callable(check, &key("slack"), self.slack.as_ref(), outbound);
        check_secret(check, &key("webhook_secret"), self.webhook_secret.as_ref(), self.webhook.as_ref());
    }
}

pub(super) fn check_addresses(check: &mut Check, key: &str, addresses: &[String]) {
    check.that(addresses.len() <= MOST, key, format!("more than {MOST} addresses"));
    for (i, address) in addresses.iter().enumerate() {
        check.that(check::is_address(address), key, format!("holds {address:?}, which is no bare address"));
        let twice = addresses[..i].iter().any(|other| other.eq_ignore_ascii_case(address));
        check.that(!twice, key, format!("holds {address:?} twice"));
    }
}
