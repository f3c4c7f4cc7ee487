//! What a check has changed is told: a line in the log, and to the operators a notice when mail begins to be held, or when
//! that is over.

use std::collections::BTreeMap;

use store::{Domain, DomainRelay};
use tracing::{info, warn};

use super::policy::Turn;
use super::{Gate, Means, Plan, may_leave};
use crate::notices::{Notice, Severity};

/// The kind of the notice that mail of a domain is held.
pub const HELD: &str = "domain.held";
/// The kind of the notice that the second relay cannot take over, because mail that it sends would not authenticate.
pub const FALLBACK_HELD: &str = "domain.fallback_held";
/// What has changed with a check, for the first relay and for each further one.
pub(super) struct Turns {
    pub(super) first: Turn,
    pub(super) further: Vec<Turn>,
}

impl Gate {
    pub(super) async fn tell(&self, means: Means<'_>, plan: &Plan, stored: &Domain, turns: Turns) {
        let labels = BTreeMap::from([("domain".to_owned(), plan.domain.clone())]);
        let reason = stored.reason.clone().unwrap_or_default();
        match turns.first {
            Turn::Nothing => {}
            Turn::Doubted => warn!(domain = plan.domain, reason, "a domain is in doubt: its mail is still sent"),
            Turn::Held => {
                let title = match may_leave(plan, stored, means.clock.now()) {
                    true => format!("Mail of {} leaves by its second relay only", plan.domain),
                    false => format!("Mail of {} is held", plan.domain),
                };
                let notice = Notice {
                    kind: HELD.to_owned(),
                    severity: Severity::Critical,
                    title,
                    detail: format!("It would not authenticate at its receivers: {reason}"),
                    labels: labels.clone(),
                };
                means.notices.raise(notice).await;
            }
            Turn::Mended => {
                info!(domain = plan.domain, "a domain authenticates again");
                means.notices.resolve(HELD, labels.clone()).await;
            }
        }
        for (relay, turn) in stored.relays.iter().zip(turns.further) {
            let mut labels = labels.clone();
            labels.insert("relay".to_owned(), relay.relay.clone());
            self.tell_of_relay(means, plan, stored, relay, turn, labels).await;
        }
    }

    /// What has changed with a further relay.
    async fn tell_of_relay(
        &self,
        means: Means<'_>,
        plan: &Plan,
        stored: &Domain,
        relay: &DomainRelay,
        turn: Turn,
        labels: BTreeMap<String, String>,
    ) {
        let reason = relay.reason.clone().unwrap_or_default();
        match turn {
            Turn::Nothing => {}
            Turn::Doubted => warn!(domain = plan.domain, relay = relay.relay, reason, "a second relay is in doubt"),
            Turn::Held => {
                let (severity, title) = match may_leave(plan, stored, means.clock.now()) {
                    true => (Severity::Warning, format!("No second relay for mail of {}", plan.domain)),
                    false => (Severity::Critical, format!("Mail of {} is held: no relay may take it", plan.domain)),
                };
                let detail = format!("What {} sends would not authenticate at its receivers: {reason}", relay.relay);
                means.notices.raise(Notice { kind: FALLBACK_HELD.to_owned(), severity, title, detail, labels }).await;
            }
            Turn::Mended => {
                info!(domain = plan.domain, relay = relay.relay, "a second relay may take over again");
                means.notices.resolve(FALLBACK_HELD, labels).await;
            }
        }
    }
}
