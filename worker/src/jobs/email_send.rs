//! `email.send`: one mail to one person.
//!
//! Enqueued for a row of the ledger, under `delivery:{id}:r{release}`. Effect: the mail is rendered, signed and handed to the
//! relay, and each step is written in the ledger.
//! Twice is harmless: an attempt begins only from a waiting row; before the first byte of the body the row is moved to
//! phase `data` under this attempt's lease token, so that of two attempts one finds out that it is late and drops its
//! connection; a row found in phase `data` after a crash becomes `unknown`, not another mail.
//!
//! How an attempt ended is written patiently, under a shield: a store that is away for a moment makes no mail `unknown`.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Attempt, Completed, Job, Outcome, Shield, Unfinished};
use mail::{Accepted, Draft, EmailAddress, Envelope, Mailbox, MessageId, SendError, SendErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AttemptReport, Begun, Delivery, DeliveryState, OnTheWire, StoreError};
use telemetry::redact::Text;
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::context::Context;
use crate::jobs::store_failed;
use crate::mailer::{Mailer, Sender};

/// The waits after the first, second … attempt to reach a relay, in seconds; the last one repeats until the mail's deadline.
const WAITS: [f64; 7] = [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0];
/// The wait after a mail was ready to go and the ledger did not let it.
const LEDGER_WAIT: Duration = Duration::from_secs(2);
/// How long the end of an attempt is tried to be written, before the row is left to who comes next.
const LEDGER_PATIENCE: Duration = Duration::from_secs(20);
/// How often.
const LEDGER_EVERY: Duration = Duration::from_millis(250);

/// The arguments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailSend {
    /// The row of the ledger.
    pub delivery_id: Uuid,
}

impl Job for EmailSend {
    const KIND: &'static str = "email.send";
    const QUEUE: &'static str = "emails";
    const TIMEOUT: Duration = Duration::from_secs(120);
    const INTERNAL: bool = true;
    type Context = Context;

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let Some(mailer) = &context.mailer else {
            return Err(Unfinished::snooze("no relay or no sender is configured (mail.*)", Duration::from_secs(30)));
        };
        let shield = OnceLock::new();
        let send = Send { context, mailer, attempt, id: self.delivery_id, token: attempt.lease, shield };
        send.run().await
    }
}

/// One attempt to send.
struct Send<'a> {
    context: &'a Context,
    mailer: &'a Mailer,
    attempt: &'a Attempt,
    id: Uuid,
    token: u64,
    /// Once up, it holds until the attempt is over.
    shield: OnceLock<Shield>,
}

/// A mail that is ready to go.
struct Ready {
    envelope: Envelope,
    bytes: Vec<u8>,
    on_the_wire: OnTheWire,
}

impl Send<'_> {
    async fn run(self) -> Outcome {
        let began = self.context.store.begin_sending(self.id, self.token, self.now()).await;
        let delivery = match began.map_err(|e| store_failed(&e))? {
            Begun::Begun(delivery) => *delivery,
            Begun::NotSendable(state) => return Ok(Completed::with(json!({ "delivery": state.as_str() }))),
            Begun::BecameUnknown => {
                self.context.meters.delivery("unknown");
                error!(delivery_id = %self.id, "an earlier attempt died while it sent: whether the mail arrived is unknown");
                return Ok(Completed::with(json!({ "delivery": "unknown" })));
            }
            Begun::Missing => return Err(Unfinished::fail(format!("no delivery {} is stored", self.id))),
        };
        if delivery.deadline.is_some_and(|deadline| deadline <= self.now()) {
            return self.end(DeliveryState::Expired, &said("its deadline has passed")).await;
        }
        let ready = match self.prepare(&delivery) {
            Ok(ready) => ready,
            Err(why) => {
                let (report, now) = (said(&why), self.now());
                let store = &self.context.store;
                self.patiently(|| store.mark_unsendable(self.id, self.token, &report, now)).await?;
                self.context.meters.delivery("failed");
                return Err(Unfinished::fail(Text(&why)));
            }
        };
        self.hand_over(&delivery, ready).await
    }

    fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    fn sender(&self, delivery: &Delivery) -> Result<&Sender, String> {
        let senders = &self.mailer.senders;
        senders.get(&delivery.sender).ok_or_else(|| format!("no sender {:?} is configured", delivery.sender))
    }

    /// Renders and signs. What fails here fails again: the template, the address or the sender is at fault.
    fn prepare(&self, delivery: &Delivery) -> Result<Ready, String> {
        let sender = self.sender(delivery)?;
        let to = EmailAddress::parse(&delivery.recipient).map_err(|e| e.to_string())?;
        let mailbox = Mailbox::new(delivery.recipient_name.as_deref(), to.clone()).map_err(|e| e.to_string())?;
        let content = self.mailer.renderer.render(&delivery.template, &delivery.data).map_err(|e| e.to_string())?;
        let id = delivery.id.to_string();
        let message_id = match &delivery.message_id {
            Some(kept) => MessageId::parse(kept),
            None => MessageId::for_delivery(&id, sender.profile.address.domain()),
        }
        .map_err(|e| e.to_string())?;
        let date = delivery.mail_date.unwrap_or(delivery.created_at);
        let draft = Draft {
            sender: &sender.profile,
            to: &mailbox,
            content: &content,
            message_id: &message_id,
            date,
            boundary_seed: &id,
        };
        let message = draft.build().map_err(|e| e.to_string())?;
        let bytes = sender.signer.sign(&message, date).map_err(|e| e.to_string())?;
        let on_the_wire = OnTheWire { message_id: message_id.as_str().to_owned(), subject: content.subject };
        Ok(Ready { envelope: Envelope { from: Some(sender.bounce.clone()), to }, bytes, on_the_wire })
    }

    /// From here to the end of the attempt nothing cuts it off.
    fn shield(&self) {
        self.shield.get_or_init(|| self.attempt.control.shield());
    }

    /// Speaks to the relay. From the ledger's mark to the ledger's word on the answer, nothing cuts this off.
    async fn hand_over(&self, delivery: &Delivery, ready: Ready) -> Outcome {
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
        if e.kind == SendErrorKind::Aborted {
            // Nothing of the body was written, whatever became of the mark: without this word the row might read as if.
            return self.put_off(e, &report, LEDGER_WAIT).await;
        }
        if e.is_uncertain() && !may_be_sent_twice(delivery) {
            error!(delivery_id = %self.id, relay = e.relay, error = %Text(&e.text), "no answer after the dot: unknown");
            return self.end(DeliveryState::Unknown, &report).await;
        }
        if e.is_permanent() {
            return self.end(DeliveryState::Failed, &report).await;
        }
        // Chance: mails that one outage put off together do not come back together.
        let wait = wait(delivery.attempts, rand::random());
        if delivery.deadline.is_some_and(|deadline| after(self.now(), wait) >= deadline) {
            return self.end(DeliveryState::Expired, &report).await;
        }
        self.put_off(e, &report, wait).await
    }

    /// Writes that the mail waits, and lets the job wait as long.
    async fn put_off(&self, e: &SendError, report: &AttemptReport, wait: Duration) -> Outcome {
        let (store, now) = (&self.context.store, self.now());
        let again = after(now, wait);
        self.patiently(|| store.mark_deferred(self.id, self.token, report, again, now)).await?;
        self.context.meters.delivery("deferred");
        Err(Unfinished::snooze(format!("{} at {}: {}", e.relay, e.phase, Text(&e.text)), wait))
    }

    /// Writes a final state; the job is done with it.
    async fn end(&self, state: DeliveryState, report: &AttemptReport) -> Outcome {
        let (store, now) = (&self.context.store, self.now());
        let (id, token) = (self.id, self.token);
        match state {
            DeliveryState::Expired => self.patiently(|| store.mark_expired(id, token, report, now)).await?,
            DeliveryState::Unknown => self.patiently(|| store.mark_unknown(id, token, report, now)).await?,
            _ => self.patiently(|| store.mark_failed(id, token, report, now)).await?,
        }
        self.context.meters.delivery(state.as_str());
        let reason = report.text.as_deref().map(|text| Text(text).to_string());
        Ok(Completed::with(json!({ "delivery": state.as_str(), "reason": reason })))
    }

    /// Writes how the attempt ended. The ledger must hear of it: where it is away, it is tried for a while, shielded.
    async fn patiently<F>(&self, write: impl Fn() -> F) -> Result<(), Unfinished>
    where
        F: Future<Output = Result<bool, StoreError>>,
    {
        self.shield();
        let patience = Instant::now() + LEDGER_PATIENCE;
        loop {
            match write().await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    warn!(delivery_id = %self.id, "an attempt has ended, but its mail has moved on under another one");
                    return Ok(());
                }
                Err(e) if e.is_transient() && Instant::now() < patience => tokio::time::sleep(LEDGER_EVERY).await,
                Err(e) => return Err(store_failed(&e)),
            }
        }
    }
}

/// The wait after the `attempt`th one (from 1), up to a fifth shorter or longer; `chance` is uniform in `0.0..1.0`.
fn wait(attempt: u32, chance: f64) -> Duration {
    let n = usize::min(attempt.saturating_sub(1) as usize, WAITS.len() - 1);
    Duration::from_secs_f64(WAITS[n] * (0.8 + 0.4 * chance))
}

/// Alerts are rather sent twice than not at all; everything else is not.
fn may_be_sent_twice(delivery: &Delivery) -> bool {
    delivery.class == "alert"
}

fn said(text: &str) -> AttemptReport {
    AttemptReport { text: Some(text.to_owned()), ..AttemptReport::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wait_follows_the_first_attempt_and_the_last_one_repeats() {
        let middle = |attempt| wait(attempt, 0.5).as_secs_f64().round();
        assert_eq!([1, 2, 3, 7, 8, 400].map(middle), [15.0, 30.0, 60.0, 900.0, 900.0, 900.0]);
    }

    #[test]
    fn a_wait_varies_by_a_fifth_either_way() {
        let between = wait(2, 0.0).as_secs_f64()..=wait(2, 1.0).as_secs_f64();
        assert!((between.start() - 24.0).abs() < 1e-9 && (between.end() - 36.0).abs() < 1e-9, "{between:?}");
    }
}
