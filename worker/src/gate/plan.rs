//! What a domain's mail will look like to a receiver: from the configuration, and, where its key was rotated, the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use mail::DkimSigner;
use mail::gate::{KeyUse, Route, SigningKey, Subject};
use store::Domain;

/// How long the record of a key that no longer signs is needed: mail may be on its way, or be verified late.
pub const KEPT_AFTER_ROTATION: Duration = Duration::from_hours(7 * 24);

/// A key of the configuration.
#[derive(Clone)]
pub struct PlannedKey {
    /// Its selector.
    pub selector: String,
    /// The record that publishes it.
    pub public_txt: String,
    /// Signs with it.
    pub signer: Arc<DkimSigner>,
}

/// A domain that mail is sent from.
#[derive(Clone)]
pub struct Plan {
    /// Its name, in lower case.
    pub domain: String,
    /// The sender profiles at it.
    pub senders: Vec<String>,
    /// Those whose selector the configuration names: they do not follow a rotation.
    pub pinned: BTreeSet<String>,
    /// The selectors that sign according to the configuration.
    pub selectors: BTreeSet<String>,
    /// The domains of Reply-To, where those are others.
    pub reply_domains: Vec<String>,
    /// The domain of MAIL FROM.
    pub bounce_domain: String,
    /// The EHLO name.
    pub helo: String,
    /// The ways on which its mail reaches receivers, the usual one first; at least one.
    pub routes: Vec<Route>,
    /// All keys of the domain.
    pub keys: Vec<PlannedKey>,
}

impl Plan {
    /// What is to be checked, with the keys used as the store says.
    #[must_use]
    pub fn subject(&self, stored: Option<&Domain>, now: Timestamp) -> Subject {
        let keys = self.keys.iter().map(|key| SigningKey {
            selector: key.selector.clone(),
            public_txt: key.public_txt.clone(),
            signer: Arc::clone(&key.signer),
            used: self.used(&key.selector, stored, now),
        });
        Subject {
            domain: self.domain.clone(),
            senders: self.senders.clone(),
            reply_domains: self.reply_domains.clone(),
            bounce_domain: self.bounce_domain.clone(),
            bounce_local: "bounces".to_owned(),
            helo: self.helo.clone(),
            routes: self.routes.clone(),
            keys: keys.filter(|key| key.used != KeyUse::Next || self.keys.len() > 1).collect(),
        }
    }

    /// The name of the first relay; empty where none is configured.
    #[must_use]
    pub fn first_relay(&self) -> &str {
        self.routes.first().map_or("", |route| route.relay.as_str())
    }

    /// The relays that may take over, by name.
    pub fn further_relays(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().skip(1).map(|route| route.relay.as_str())
    }

    /// What a selector is used for.
    #[must_use]
    pub fn used(&self, selector: &str, stored: Option<&Domain>, now: Timestamp) -> KeyUse {
        let rotated = stored.and_then(|stored| stored.selector.as_deref()).filter(|to| self.has(to));
        let signs = match rotated {
            Some(rotated) => rotated == selector || (!self.pinned.is_empty() && self.selectors.contains(selector)),
            None => self.selectors.contains(selector),
        };
        let left = stored.filter(|stored| stored.previous_selector.as_deref() == Some(selector));
        let lately = left.and_then(|stored| stored.switched_at).is_some_and(|at| after(at, KEPT_AFTER_ROTATION) > now);
        match (signs, lately) {
            (true, _) => KeyUse::Signs,
            (false, true) => KeyUse::Previous,
            (false, false) => KeyUse::Next,
        }
    }

    /// The signer of a sender whose domain was rotated to `selector`; nothing if it does not follow, or the key is not
    /// configured here.
    #[must_use]
    pub fn rotated(&self, sender: &str, selector: &str) -> Option<Arc<DkimSigner>> {
        if self.pinned.contains(sender) {
            return None;
        }
        self.keys.iter().find(|key| key.selector == selector).map(|key| Arc::clone(&key.signer))
    }

    fn has(&self, selector: &str) -> bool {
        self.keys.iter().any(|key| key.selector == selector)
    }
}
