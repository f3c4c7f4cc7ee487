//! Step 4: may this person be written to? And what is learned, from a receiver's refusal, for the next mail.

use std::time::Duration;

use mail::report::is_bad_address;
use mail::{EmailAddress, SendError, SendPhase};
use store::{Covers, Delivery, ERASED_ADDRESS, NewSuppression, Suppression, SuppressionReason};
use telemetry::redact::Text;
use tracing::{info, warn};

use super::{Halt, Send};

/// When a store that did not answer is asked again.
const WAIT: Duration = Duration::from_secs(5);

impl Send<'_> {
    /// Nobody is written to whose address bounced, who complained, or whom an operator named; who unsubscribed gets no
    /// reports, and everything else.
    pub(super) async fn pass_suppression(&self, delivery: &Delivery) -> Result<(), Halt> {
        if delivery.recipient == ERASED_ADDRESS {
            return Err(Halt::Suppressed("the person was erased".to_owned()));
        }
        let address = delivery.recipient.to_lowercase();
        let ring = self.context.secrets.as_ref();
        let hashes = ring.map(|ring| ring.shadows(&address)).unwrap_or_default();
        match self.context.store.find_suppression(&address, &hashes, delivery.category).await {
            Ok(None) => Ok(()),
            Ok(Some(found)) => Err(Halt::Suppressed(why(&found))),
            Err(e) => {
                Err(Halt::Later { why: format!("the store did not say whether it may be sent: {e}"), wait: WAIT })
            }
        }
    }

    /// A receiver that says "no such address" (5.1.x) to RCPT is believed: the person is suppressed. Nothing else is:
    /// a policy (5.7.x), a full mailbox and a refusal of the message say nothing about the address, and what is said of
    /// the one that a test installation redirects to says nothing of the recipient.
    pub(super) async fn learn_from(&self, delivery: &Delivery, to: &EmailAddress, e: &SendError) {
        if EmailAddress::parse(&delivery.recipient).ok().as_ref() != Some(to) {
            return;
        }
        let bad = e.phase == SendPhase::Rcpt && e.is_permanent() && e.enhanced.as_deref().is_some_and(is_bad_address);
        if !bad {
            return;
        }
        let address = delivery.recipient.to_lowercase();
        let ring = self.context.secrets.as_ref();
        let new = NewSuppression {
            id: self.new_id(),
            address_hash: ring.map(|ring| ring.shadow(&address)),
            address,
            covers: Covers::All,
            reason: SuppressionReason::HardBounce,
            detail: Some(Text(&e.text).to_string()),
            delivery_id: Some(delivery.id),
            actor: format!("a refusal by {}", e.relay),
        };
        match self.context.store.add_suppression(&new, self.now()).await {
            Ok(_) => {
                info!(delivery_id = %delivery.id, status = e.enhanced, "the receiver knows no such address: suppressed")
            }
            // The next mail to it is refused the same way, and tried again to be learned from.
            Err(error) => warn!(delivery_id = %delivery.id, %error, "a bad address could not be written down"),
        }
    }
}

/// For the ledger: what, since when, and by whom.
fn why(found: &Suppression) -> String {
    let what = match found.reason {
        SuppressionReason::HardBounce => "the address bounced",
        SuppressionReason::Complaint => "its owner called our mail unwanted",
        SuppressionReason::Unsubscribe => "its owner unsubscribed from reports",
        SuppressionReason::Manual => "the address is suppressed",
    };
    let since = found.created_at.strftime("%Y-%m-%d");
    let detail = found.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{what}, since {since} by {}{detail} (suppression {})", found.actor, found.id)
}
