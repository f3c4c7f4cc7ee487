//! The gate at work: no mail goes to a relay before its domain is known to authenticate, and held mail leaves by itself
//! once the domain is mended.
//!
//! 1. A [`Plan`] a domain says what its mail will look like to a receiver; it comes from the configuration.
//! 2. [`Gate::pass`] is asked for every mail. It answers from what is known; a domain that nobody looked at yet is looked
//!    at then and there, once for all mails that wait for it.
//! 3. [`Gate::check`] looks, and writes what follows ([`policy`]): the domain's row, a line of history, a notice to the
//!    operators when mail begins to be held. When a domain is good, what was held for it is released (`release`).
//! 4. Where there is a second relay, [`Gate::pass_by`] is asked before it gets a mail: each relay has a verdict of its own.
//! 5. [`watch`] sees to it that every domain is looked at when it is due: at the start, hourly, and sooner when something
//!    is wrong or a receiver complained; and that nothing stays held that may leave.
//!
//! What is known is shared by all processes through the store, and read again after a few seconds. It is known of a
//! configuration: after a start with other keys or another relay what was good counts for nothing ([`policy::seen_by`]).

mod check;
mod known;
pub mod plan;
pub mod policy;
mod release;
mod tell;
pub mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::{after, before};
use job::{Clock, IdSource, QueueName};
use mail::{DkimSigner, Dns};
use queue::Broker;
use store::{Domain, Store, StoreError};
use tokio::sync::Mutex;

pub use check::{Cause, Checked};
pub use plan::{Plan, PlannedKey};
pub use policy::Decision;
pub use release::Released;
pub use tell::{FALLBACK_HELD, HELD};

use crate::context::Context;
use crate::mailer::Sender;
use crate::notices::Notices;
use known::Known;
use release::Equipment;

/// A receiver's complaint leads to a look at the DNS, but not more often than this.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(60);
/// How long a mail stays held, if nobody checks its domain meanwhile, that was released before.
const HELD_AGAIN: Duration = Duration::from_mins(5);

/// What the gate works with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Where domains and mails are kept.
    pub store: &'a Store,
    /// Where released mails go.
    pub broker: &'a Arc<dyn Broker>,
    /// Ids of their jobs.
    pub ids: &'a IdSource,
    /// The time.
    pub clock: &'a Arc<dyn Clock>,
    /// The way to the operators.
    pub notices: &'a Notices,
}

impl Context {
    /// What the gate works with.
    #[must_use]
    pub fn means(&self) -> Means<'_> {
        Means { store: &self.store, broker: &self.broker, ids: &self.ids, clock: &self.clock, notices: &self.notices }
    }
}

/// The gate of one process.
pub struct Gate {
    dns: Dns,
    client: outbound::Client,
    plans: BTreeMap<String, Plan>,
    /// One check of a domain at a time, for mails that wait for it.
    looking: BTreeMap<String, Mutex<()>>,
    known: Known,
    /// What this process has for its mails; none: whatever they ask for.
    equipment: Option<Equipment>,
}

impl Gate {
    /// A gate for these domains, which asks `dns`; `client` fetches what is published over HTTPS.
    #[must_use]
    pub fn new(dns: Dns, client: outbound::Client, plans: Vec<Plan>) -> Self {
        let plans: BTreeMap<String, Plan> = plans.into_iter().map(|plan| (plan.domain.clone(), plan)).collect();
        let looking = plans.keys().map(|domain| (domain.clone(), Mutex::default())).collect();
        Self { dns, client, plans, looking, known: Known::default(), equipment: None }
    }

    /// The same, and it releases no mail of other senders and templates than these: it would be held again.
    #[must_use]
    pub fn equipped<'a>(
        mut self,
        senders: impl IntoIterator<Item = &'a str>,
        templates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let (senders, templates) = (senders.into_iter(), templates.into_iter());
        self.equipment = Some(Equipment {
            senders: senders.map(str::to_owned).collect(),
            templates: templates.map(str::to_owned).collect(),
        });
        self
    }

    /// The domains that mail is sent from, by name.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.plans.values()
    }

    /// What is planned for a domain.
    #[must_use]
    pub fn plan(&self, domain: &str) -> Option<&Plan> {
        self.plans.get(domain)
    }

    /// Whether mail of `domain` may leave now.
    ///
    /// # Errors
    /// The store's: then nobody knows.
    pub async fn pass(&self, means: Means<'_>, domain: &str) -> Result<Decision, StoreError> {
        let now = means.clock.now();
        let known = self.read(means, domain, now).await?;
        if !policy::must_look(known.as_ref(), now) {
            return Ok(decide(known.as_ref(), now));
        }
        let Some(looking) = self.looking.get(domain) else {
            return Ok(Decision::Hold(format!("no sender of the configuration is at {domain}")));
        };
        let _alone = looking.lock().await;
        // Whoever waited here finds what the first one has seen.
        let now = means.clock.now();
        let known = self.read(means, domain, now).await?;
        if !policy::must_look(known.as_ref(), now) {
            return Ok(decide(known.as_ref(), now));
        }
        let checked = self.check(means, domain, Cause::FirstSend, false).await?;
        Ok(decide(checked.map(|checked| checked.domain).as_ref(), means.clock.now()))
    }

    /// Whether mail of `domain` may leave now by this further relay. Asked only when the first one cannot take it.
    ///
    /// # Errors
    /// The store's: then nobody knows.
    pub async fn pass_by(&self, means: Means<'_>, domain: &str, relay: &str) -> Result<Decision, StoreError> {
        let now = means.clock.now();
        let known = self.read(means, domain, now).await?;
        if !policy::must_look_by(known.as_ref(), relay, now) {
            return Ok(policy::decide_by(known.as_ref(), relay, now));
        }
        let planned = self.plans.get(domain).is_some_and(|plan| plan.further_relays().any(|known| known == relay));
        let (true, Some(looking)) = (planned, self.looking.get(domain)) else {
            return Ok(Decision::Hold(format!("nobody looks at mail of {domain} by the relay {relay}")));
        };
        let _alone = looking.lock().await;
        let now = means.clock.now();
        let known = self.read(means, domain, now).await?;
        if !policy::must_look_by(known.as_ref(), relay, now) {
            return Ok(policy::decide_by(known.as_ref(), relay, now));
        }
        let checked = self.check(means, domain, Cause::FirstSend, false).await?;
        Ok(policy::decide_by(checked.map(|checked| checked.domain).as_ref(), relay, means.clock.now()))
    }

    /// What is known of a domain with this configuration.
    async fn read(&self, means: Means<'_>, domain: &str, now: Timestamp) -> Result<Option<Domain>, StoreError> {
        if let Some(row) = self.known.fresh(domain, now) {
            return Ok(row);
        }
        self.read_afresh(means, domain, now).await
    }

    /// The same, whatever was read a moment ago.
    async fn read_afresh(&self, means: Means<'_>, domain: &str, now: Timestamp) -> Result<Option<Domain>, StoreError> {
        let stored = means.store.domain(domain).await?;
        // What was found here once must be found again when it is due, although the row never says so.
        let is_current = |own: &Domain| own.next_check_at.is_some_and(|due| due > now);
        let seen = stored.map(|stored| self.seen(stored, is_current));
        self.known.keep(domain, seen.clone(), now);
        Ok(seen)
    }

    /// Whether what is stored of a domain was found with this configuration.
    #[must_use]
    pub fn is_of_plan(&self, stored: &Domain) -> bool {
        let plan = self.plans.get(&stored.name);
        plan.is_some_and(|plan| stored.plan.as_deref() == Some(plan.fingerprint(Some(stored)).as_str()))
    }

    /// What a row says to this configuration; what this process found itself counts as far as `may` says.
    fn seen(&self, stored: Domain, may: impl FnOnce(&Domain) -> bool) -> Domain {
        let Some(plan) = self.plans.get(&stored.name) else { return stored };
        let own = self.known.own(&stored.name).filter(may);
        policy::seen_by(&plan.fingerprint(Some(&stored)), stored, own)
    }

    /// A receiver spoke of authentication: the domain is due at once, unless it was looked at just now.
    ///
    /// # Errors
    /// The store's.
    pub async fn doubt(&self, means: Means<'_>, domain: &str) -> Result<(), StoreError> {
        let now = means.clock.now();
        let known = self.read(means, domain, now).await?;
        let checked = known.and_then(|known| known.checked_at);
        let soonest = checked.map_or(now, |checked| after(checked, BETWEEN_COMPLAINTS).max(now));
        means.store.check_domain_by(domain, soonest).await
    }

    /// Releases what is held for a domain whose mail may leave: what a check began and did not bring to its end, a mail
    /// that was held in the moment in which its domain was mended, one of a template that a worker lacked and this has.
    /// What was held again after a release waits a while: workers of two configurations must not throw it to each other.
    ///
    /// # Errors
    /// The store's; what was released by then is on its way.
    pub async fn release(&self, means: Means<'_>, domain: &str) -> Result<Released, StoreError> {
        let Some(plan) = self.plans.get(domain) else { return Ok(Released::default()) };
        let now = means.clock.now();
        // Afresh, so that what leaves by it is not held again by what was known before.
        let known = self.read_afresh(means, domain, now).await?;
        if !known.is_some_and(|known| may_leave(plan, &known, now)) {
            return Ok(Released::default());
        }
        let again = before(now, HELD_AGAIN);
        release::held(means, plan, self.equipment.as_ref(), again).await
    }

    /// The key that signs for a sender: its own, unless the domain's was rotated.
    #[must_use]
    pub fn signer(&self, sender: &Sender) -> Arc<DkimSigner> {
        let domain = sender.profile.address.domain();
        let rotated = self.plans.get(domain).and_then(|plan| {
            let selector = self.known.get(domain)?.selector?;
            plan.rotated(&sender.profile.key, &selector)
        });
        rotated.unwrap_or_else(|| Arc::clone(&sender.signer))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("domains", &self.plans.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Whether mail of a domain may leave by any of its relays.
fn may_leave(plan: &Plan, stored: &Domain, now: Timestamp) -> bool {
    let holds = |decision: Decision| matches!(decision, Decision::Hold(_));
    !holds(policy::decide(stored, now))
        || plan.further_relays().any(|relay| !holds(policy::decide_by(Some(stored), relay, now)))
}

fn decide(known: Option<&Domain>, now: Timestamp) -> Decision {
    match known {
        Some(known) => policy::decide(known, now),
        None => Decision::Hold("nobody has looked at its domain yet".to_owned()),
    }
}

/// The queue of `email.send`.
fn emails() -> QueueName {
    <crate::jobs::email_send::EmailSend as job::Job>::queue()
}
