//! Step 3: would mail of this sender authenticate at the receiver? If not it is held, and nobody is told a lie. Where only
//! the second relay would do, it leaves by that.

use std::time::Duration;

use store::Delivery;
use tracing::{debug, warn};

use super::{Halt, Send};
use crate::gate::Decision;
use crate::mailer::Sender;

/// Which relays a mail may leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The first; the second, if it authenticates too, when the first is away.
    First,
    /// The second alone: what the first sends would not authenticate.
    SecondOnly,
}

/// The wait while nobody can say what is known of a domain: the store is away.
const STORE_WAIT: Duration = Duration::from_secs(2);

impl Send<'_> {
    /// Asks the gate. A domain that nobody looked at yet is looked at now.
    pub(super) async fn pass_gate(&self, sender: &Sender) -> Result<Way, Halt> {
        let domain = sender.profile.address.domain();
        let away = |error| Halt::Later { why: format!("the store is away: {error}"), wait: STORE_WAIT };
        let why = match self.mailer.gate.pass(self.context.means(), domain).await.map_err(away)? {
            Decision::Send => return Ok(Way::First),
            Decision::Warn(why) => {
                debug!(delivery_id = %self.id, domain, why, "sent although its domain is in doubt");
                return Ok(Way::First);
            }
            Decision::Hold(why) => format!("mail of {domain} would not authenticate: {why}"),
        };
        let Some(fallback) = &self.mailer.fallback else { return Err(Halt::Held(why)) };
        match self.second_authenticates(domain, fallback.transport.relay()).await {
            Ok(()) => Ok(Way::SecondOnly),
            Err(_) => Err(Halt::Held(why)),
        }
    }

    /// Whether mail that the second relay sends would authenticate. Errors: why not, for people.
    pub(super) async fn second_authenticates(&self, domain: &str, relay: &str) -> Result<(), String> {
        match self.mailer.gate.pass_by(self.context.means(), domain, relay).await {
            Ok(Decision::Send | Decision::Warn(_)) => Ok(()),
            Ok(Decision::Hold(why)) => Err(format!("mail that it sends would not authenticate: {why}")),
            Err(error) => Err(format!("the store is away: {error}")),
        }
    }

    /// A receiver refused for want of authentication: the domain is looked at again, whatever the last check said.
    pub(super) async fn doubt_domain(&self, delivery: &Delivery, enhanced: Option<&str>, text: &str) {
        if !mail::gate::speaks_of_authentication(enhanced, text) {
            return;
        }
        let Some(sender) = self.sender(delivery) else { return };
        let domain = sender.profile.address.domain();
        warn!(delivery_id = %self.id, domain, enhanced, "a receiver refused for want of authentication");
        if let Err(error) = self.mailer.gate.doubt(self.context.means(), domain).await {
            debug!(%error, "the domain is looked at when it is due");
        }
    }
}
