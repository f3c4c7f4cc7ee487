//! What a domain's mail will look like to a receiver: from the configuration, and, where its key was rotated, the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
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

    /// The selector that signs for all its senders, where none of them names one.
    #[must_use]
    pub fn only_selector(&self) -> Option<&str> {
        match (self.pinned.is_empty(), self.selectors.len()) {
            (true, 1) => self.selectors.first().map(String::as_str),
            _ => None,
        }
    }

    /// What a good answer is about: the keys that sign, MAIL FROM, the EHLO name, and the ways on which mail leaves. A good
    /// answer for another fingerprint says nothing of this plan.
    #[must_use]
    pub fn fingerprint(&self, stored: Option<&Domain>) -> String {
        let signs = |key: &&PlannedKey| self.used(&key.selector, stored, Timestamp::MIN) == KeyUse::Signs;
        let mut keys: Vec<_> = self.keys.iter().filter(signs).map(|key| (&key.selector, &key.public_txt)).collect();
        keys.sort_unstable();
        let mut digest = Context::new(&SHA256);
        // Each part under its length, so that no two plans read the same.
        let mut part = |text: &str| {
            digest.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(text.as_bytes());
        };
        let count = |n: usize| n.to_string();
        part(&self.domain);
        part(&self.bounce_domain);
        part(&self.helo);
        part(&count(keys.len()));
        for (selector, public) in keys {
            part(selector);
            part(public);
        }
        for route in &self.routes {
            let mut egress: Vec<String> = route.egress.iter().map(ToString::to_string).collect();
            let mut includes = route.includes.clone();
            egress.sort_unstable();
            includes.sort_unstable();
            part(&route.relay);
            part(&count(egress.len()));
            egress.iter().for_each(|address| part(address));
            part(&count(includes.len()));
            includes.iter().for_each(|name| part(name));
        }
        digest.finish().as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
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

    /// Whether the configuration has a key under this selector.
    #[must_use]
    pub fn has(&self, selector: &str) -> bool {
        self.keys.iter().any(|key| key.selector == selector)
    }
}

#[cfg(test)]
mod tests {
    use mail::DkimKey;

    use super::*;

    fn key(selector: &str, key: &DkimKey) -> PlannedKey {
        let signer = Arc::new(DkimSigner::new(key, "a.test", selector).unwrap());
        PlannedKey { selector: selector.to_owned(), public_txt: key.public_txt(), signer }
    }

    #[test]
    fn a_fingerprint_is_of_what_receivers_see() {
        let (one, two) = (DkimKey::generate().unwrap(), DkimKey::generate().unwrap());
        let ip = |text: &str| text.parse().unwrap();
        let route = |relay: &str| Route {
            relay: relay.to_owned(),
            egress: vec![ip("192.0.2.1"), ip("192.0.2.2")],
            includes: vec!["spf.a.test".to_owned()],
            link: None,
        };
        let plan = Plan {
            domain: "a.test".to_owned(),
            senders: vec!["bookings".to_owned()],
            pinned: BTreeSet::new(),
            selectors: ["s1".to_owned()].into(),
            reply_domains: Vec::new(),
            bounce_domain: "bounce.a.test".to_owned(),
            helo: "mail.a.test".to_owned(),
            routes: vec![route("relay.test:25")],
            keys: vec![key("s1", &one), key("s2", &two)],
        };
        let was = plan.fingerprint(None);
        assert_eq!((was.len(), plan.only_selector()), (32, Some("s1")));
        let same = |change: &dyn Fn(&mut Plan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            plan.fingerprint(None) == was
        };
        assert!(same(&|plan| plan.senders.clear()) && same(&|plan| plan.reply_domains.push("b.test".to_owned())));
        assert!(same(&|plan| plan.keys.truncate(1)), "a key that does not sign is not seen");
        assert!(same(&|plan| plan.routes[0].egress.reverse()));
        assert!(!same(&|plan| plan.keys[0] = key("s1", &two)), "another key under the same name");
        assert!(!same(&|plan| plan.selectors = ["s2".to_owned()].into()));
        assert!(
            !same(&|plan| plan.bounce_domain = "a.test".to_owned()) && !same(&|plan| plan.helo = "a.test".to_owned())
        );
        assert!(!same(&|plan| plan.routes[0].relay = "other.test:25".to_owned()));
        assert!(!same(&|plan| plan.routes[0].egress.truncate(1)) && !same(&|plan| plan.routes[0].includes.clear()));
        assert!(!same(&|plan| plan.routes.push(route("second.test:25"))));
        let rotated = Domain { selector: Some("s2".to_owned()), ..Domain::unknown("a.test") };
        assert_ne!(plan.fingerprint(Some(&rotated)), was);
        let unchanged = Domain { selector: Some("s1".to_owned()), ..Domain::unknown("a.test") };
        assert_eq!(plan.fingerprint(Some(&unchanged)), was);
    }
}
