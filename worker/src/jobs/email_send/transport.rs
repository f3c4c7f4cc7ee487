//! Step 9: the relay. From the ledger's mark to the ledger's word on the answer, nothing cuts the attempt off.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Completed, Outcome};
use mail::{Accepted, EmailAddress, Envelope, SendError, SendErrorKind, SendPhase, SmtpTransport};
use serde_json::json;
use store::{AttemptReport, Delivery, DeliveryState, OnTheWire};
use telemetry::redact::Text;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Send;
use super::gate::Way;
use super::render::Letter;

/// The wait after a mail was ready to go and the ledger did not let it.
const LEDGER_WAIT: Duration = Duration::from_secs(2);
/// How long before its deadline a mail is tried for the last time.
const LAST_ATTEMPT: Duration = Duration::from_secs(10);

/// A mail that is ready to go.
pub(super) struct Ready {
    way: Way,
    /// The sender's domain.
    domain: String,
    envelope: Envelope,
    bytes: Vec<u8>,
    on_the_wire: OnTheWire,
}

impl Ready {
    pub(super) fn new(way: Way, domain: String, bounce: EmailAddress, letter: Letter, bytes: Vec<u8>) -> Self {
        Self {
            way,
            domain,
            envelope: Envelope { from: Some(bounce), to: letter.to },
            bytes,
            on_the_wire: OnTheWire { message_id: letter.message_id.as_str().to_owned(), subject: letter.subject },
        }
    }
}

impl Send<'_> {
    /// Speaks to the relay.
    pub(super) async fn hand_over(&self, delivery: &Delivery, ready: Ready) -> Outcome {
        let began = Instant::now();
        let sent = self.by_either_relay(&ready).await;
        let took = began.elapsed();
        match sent {
            Ok(accepted) => self.accepted(&accepted, took).await,
            Err(e) => {
                if e.asks_for_less() {
                    self.mailer.paces.slow_down(&domain(&ready), self.now());
                }
                self.refused(delivery, &ready.envelope.to, &e, took).await
            }
        }
    }

    /// By the first relay; by the second, if the first is away, or cannot carry the mail, and certainly does not have it.
    /// The second gets nothing that would not authenticate when it comes from there: the gate is asked for it apart.
    async fn by_either_relay(&self, ready: &Ready) -> Result<Accepted, SendError> {
        let (first, fallback) = (&self.mailer.transport, self.mailer.fallback.as_ref());
        let Some(fallback) = fallback else { return self.by(first, ready).await };
        let may_first = ready.way == Way::First;
        let mut before = None;
        if may_first && !fallback.first_rests(self.now()) {
            match self.by(first, ready).await {
                Err(e) if e.is_about_the_relay() || e.is_beyond_the_relay() => before = Some(e),
                ended => return ended,
            }
        }
        let second = fallback.transport.relay();
        if let Err(why) = self.second_authenticates(&ready.domain, second).await {
            return match before {
                Some(e) => {
                    Err(SendError { text: format!("{} (the second relay {second} is not used: {why})", e.text), ..e })
                }
                None if may_first => self.by(first, ready).await,
                // The gate has changed its mind since: the next attempt asks it again.
                None => Err(SendError {
                    relay: second.to_owned(),
                    phase: SendPhase::Connect,
                    kind: SendErrorKind::Aborted,
                    code: None,
                    enhanced: None,
                    text: why,
                }),
            };
        }
        if let Some(e) = before.as_ref().filter(|e| e.is_about_the_relay()) {
            fallback.let_first_rest(self.now());
            warn!(delivery_id = %self.id, relay = e.relay, phase = %e.phase, error = %Text(&e.text), "the second relay takes over");
        }
        let why = |text: &str| match &before {
            Some(e) => format!("{text} (before that {} at {}: {})", e.relay, e.phase, e.text),
            None => text.to_owned(),
        };
        match self.by(&fallback.transport, ready).await {
            Ok(accepted) => Ok(Accepted { text: why(&accepted.text), ..accepted }),
            // The first one was not asked, and may be able to.
            Err(e) if e.is_beyond_the_relay() && before.is_none() && may_first => self.by(first, ready).await,
            Err(e) => Err(SendError { text: why(&e.text), ..e }),
        }
    }

    async fn by(&self, relay: &SmtpTransport, ready: &Ready) -> Result<Accepted, SendError> {
        let at_data = || async {
            self.shield();
            match self.context.store.mark_data(self.id, self.token, &ready.on_the_wire, self.now()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("another attempt has taken this mail over".to_owned()),
                Err(e) => Err(e.to_string()),
            }
        };
        relay.send(&ready.envelope, &ready.bytes, at_data).await
    }

    async fn accepted(&self, accepted: &Accepted, took: Duration) -> Outcome {
        let report = AttemptReport {
            relay: Some(accepted.relay.clone()),
            phase: Some("dot".to_owned()),
            code: Some(accepted.code),
            enhanced: accepted.enhanced.clone(),
            text: Some(accepted.text.clone()),
            duration: took,
        };
        let (store, now) = (&self.context.store, self.now());
        self.patiently(|| store.mark_sent(self.id, self.token, &report, now)).await?;
        self.context.meters.delivery("sent");
        info!(delivery_id = %self.id, relay = accepted.relay, code = accepted.code, "mail sent");
        Ok(Completed::with(json!({ "delivery": "sent" })))
    }

    async fn refused(&self, delivery: &Delivery, to: &EmailAddress, e: &SendError, took: Duration) -> Outcome {
        let report = AttemptReport {
            relay: Some(e.relay.clone()),
            phase: Some(e.phase.to_string()),
            code: e.code,
            enhanced: e.enhanced.clone(),
            text: Some(e.text.clone()),
            duration: took,
        };
        let reason = || format!("{} at {}: {}", e.relay, e.phase, Text(&e.text));
        if e.kind == SendErrorKind::Aborted {
            // Nothing of the body was written, whatever became of the mark: without this word the row might read as if.
            return self.put_off(reason(), &report, LEDGER_WAIT).await;
        }
        self.doubt_domain(delivery, e.enhanced.as_deref(), &e.text).await;
        if e.is_uncertain() && (!delivery.class.resends_unknown() || self.lost_before().await) {
            error!(delivery_id = %self.id, relay = e.relay, error = %Text(&e.text), "no answer after the dot: unknown");
            return self.end(DeliveryState::Unknown, &report).await;
        }
        if e.is_permanent() {
            self.learn_from(delivery, to, e).await;
            return self.end(DeliveryState::Failed, &report).await;
        }
        let wait = delivery.class.wait(self.attempts_at_relays(delivery).await, self.context.chance.share());
        match within(wait, delivery.deadline, self.now()) {
            Some(wait) => self.put_off(reason(), &report, wait).await,
            None => self.end(DeliveryState::Expired, &report).await,
        }
    }

    /// How often a relay was asked to take the mail, this time included: the waits grow with its answers, not with what kept
    /// the mail from being asked for.
    async fn attempts_at_relays(&self, delivery: &Delivery) -> u32 {
        let before = self.context.store.attempts_at_relays(delivery.id).await;
        before.map_or(delivery.attempts, |before| before + 1)
    }

    /// Whether an earlier attempt had no answer after the dot either. Twice is better than not at all; as often as a relay
    /// loses its answer is not.
    async fn lost_before(&self) -> bool {
        let attempts = match self.context.store.get_delivery(self.id).await {
            Ok(found) => found.map(|(_, attempts)| attempts).unwrap_or_default(),
            Err(_) => return false,
        };
        let dot = SendPhase::Dot.to_string();
        attempts.iter().any(|attempt| attempt.phase.as_deref() == Some(&dot) && attempt.code.is_none())
    }
}

/// The wait before the next attempt: the usual one, or, where that would end after the deadline, until shortly before it.
/// `None` if there is no time for another attempt.
fn within(wait: Duration, deadline: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let Some(deadline) = deadline.filter(|deadline| after(now, wait) >= *deadline) else { return Some(wait) };
    let left = Duration::try_from(deadline.duration_since(now)).ok()?.checked_sub(LAST_ATTEMPT)?;
    (left >= wait / 10).then_some(left)
}

/// The recipient's domain, in lower case.
fn domain(ready: &Ready) -> String {
    ready.envelope.to.domain().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_is_shortly_before_the_deadline() {
        let now: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
        let (secs, wait) = (Duration::from_secs, Duration::from_secs(600));
        let next = |left: u64| within(wait, Some(after(now, secs(left))), now);
        assert_eq!(within(wait, None, now), Some(wait));
        assert_eq!(next(601), Some(wait));
        assert_eq!(next(600), Some(secs(590)));
        assert_eq!(next(70), Some(secs(60)), "a tenth of the wait is worth it");
        assert_eq!(next(69), None);
        assert_eq!(next(5), None);
        assert_eq!(within(wait, Some(now), after(now, secs(9))), None, "it has passed");
    }
}
