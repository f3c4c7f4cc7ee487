//! Step 8: the relay. From the ledger's mark to the ledger's word on the answer, nothing cuts the attempt off.

use std::time::Duration;

use job::clock::after;
use job::{Completed, Outcome};
use mail::{Accepted, EmailAddress, Envelope, SendError, SendErrorKind};
use serde_json::json;
use store::{AttemptReport, Delivery, DeliveryState, OnTheWire};
use telemetry::redact::Text;
use tokio::time::Instant;
use tracing::{error, info};

use super::Send;
use super::render::Letter;

/// The wait after a mail was ready to go and the ledger did not let it.
const LEDGER_WAIT: Duration = Duration::from_secs(2);

/// A mail that is ready to go.
pub(super) struct Ready {
    envelope: Envelope,
    bytes: Vec<u8>,
    on_the_wire: OnTheWire,
}

impl Ready {
    pub(super) fn new(bounce: EmailAddress, letter: Letter, bytes: Vec<u8>) -> Self {
        Self {
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
        let at_data = || async {
            self.shield();
            match self.context.store.mark_data(self.id, self.token, &ready.on_the_wire, self.now()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("another attempt has taken this mail over".to_owned()),
                Err(e) => Err(e.to_string()),
            }
        };
        let sent = self.mailer.transport.send(&ready.envelope, &ready.bytes, at_data).await;
        let took = began.elapsed();
        match sent {
            Ok(accepted) => self.accepted(&accepted, took).await,
            Err(e) => self.refused(delivery, &e, took).await,
        }
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

    async fn refused(&self, delivery: &Delivery, e: &SendError, took: Duration) -> Outcome {
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
        if e.is_uncertain() && !delivery.class.resends_unknown() {
            error!(delivery_id = %self.id, relay = e.relay, error = %Text(&e.text), "no answer after the dot: unknown");
            return self.end(DeliveryState::Unknown, &report).await;
        }
        if e.is_permanent() {
            self.learn_from(delivery, e).await;
            return self.end(DeliveryState::Failed, &report).await;
        }
        let wait = delivery.class.wait(delivery.attempts, rand::random());
        if delivery.deadline.is_some_and(|deadline| after(self.now(), wait) >= deadline) {
            return self.end(DeliveryState::Expired, &report).await;
        }
        self.put_off(reason(), &report, wait).await
    }
}
