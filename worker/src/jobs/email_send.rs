//! `email.send`: one mail to one person.
//!
//! Enqueued for a row of the ledger, under `delivery:{id}:r{release}`. Effect: the mail is rendered, signed and handed to the
//! relay, and each step is written in the ledger.
//! Twice is harmless: an attempt begins only from a waiting row; before the first byte of the body the row is moved to
//! phase `data` under this attempt's lease token, so that of two attempts one finds out that it is late and drops its
//! connection; a row found in phase `data` after a crash becomes `unknown`, not another mail.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Attempt, Completed, Job, Outcome, Shield, Unfinished};
use mail::{Accepted, Draft, EmailAddress, Envelope, Mailbox, MessageId, SendError, SendErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AttemptReport, Begun, Delivery, OnTheWire, StoreError};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use crate::context::Context;
use crate::jobs::store_failed;
use crate::mailer::{Mailer, Sender};

/// The waits between attempts to reach a relay; the last one repeats until the mail's deadline.
const WAITS: [u64; 7] = [15, 30, 60, 120, 300, 600, 900];
/// How long the ledger is tried after the relay took the mail, before the row is left to become `unknown`.
const LEDGER_PATIENCE: Duration = Duration::from_secs(20);

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
        let send = Send { context, mailer, attempt, id: self.delivery_id, token: attempt.lease };
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
                warn!(delivery_id = %self.id, "an earlier attempt died while it sent: whether the mail arrived is unknown");
                return Ok(Completed::with(json!({ "delivery": "unknown" })));
            }
            Begun::Missing => return Err(Unfinished::fail(format!("no delivery {} is stored", self.id))),
        };
        if delivery.deadline.is_some_and(|deadline| deadline <= self.now()) {
            return self.end("expired", &said("its deadline has passed")).await;
        }
        let ready = match self.prepare(&delivery) {
            Ok(ready) => ready,
            Err(why) => {
                self.end("failed", &said(&why)).await?;
                return Err(Unfinished::fail(why));
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

    /// Speaks to the relay. From the ledger's mark to the ledger's word on the answer, nothing cuts this off.
    async fn hand_over(&self, delivery: &Delivery, ready: Ready) -> Outcome {
        let began = Instant::now();
        let shield: Mutex<Option<Shield>> = Mutex::new(None);
        let at_data = || async {
            *shield.lock().await = Some(self.attempt.control.shield());
            match self.context.store.mark_data(self.id, self.token, &ready.on_the_wire, self.now()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("another attempt has taken this mail over".to_owned()),
                Err(e) => Err(e.to_string()),
            }
        };
        let sent = self.mailer.transport.send(&ready.envelope, &ready.bytes, at_data).await;
        let took = began.elapsed();
        let outcome = match sent {
            Ok(accepted) => self.accepted(&accepted, took).await,
            Err(e) => self.refused(delivery, &e, took).await,
        };
        drop(shield);
        outcome
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
        // The mail has left. The ledger must hear of it: try for a while before it is left as unknown.
        let patience = Instant::now() + LEDGER_PATIENCE;
        loop {
            match self.context.store.mark_sent(self.id, self.token, &report, self.now()).await {
                Ok(true) => break,
                Ok(false) => {
                    warn!(delivery_id = %self.id, "the mail was sent, but its row has moved on under another attempt");
                    break;
                }
                Err(e) if e.is_transient() && Instant::now() < patience => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(e) => return Err(store_failed(&e)),
            }
        }
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
            // Nothing was sent: the ledger said no, or did not answer. The next attempt finds out which.
            return Err(Unfinished::snooze(&e.text, Duration::from_secs(2)));
        }
        if e.is_uncertain() && !may_be_sent_twice(delivery) {
            warn!(delivery_id = %self.id, relay = e.relay, error = e.text, "no answer after the dot: unknown");
            return self.end("unknown", &report).await;
        }
        if e.is_permanent() {
            return self.end("failed", &report).await;
        }
        let wait = WAITS[usize::min(delivery.attempts as usize, WAITS.len() - 1)];
        let again = after(self.now(), Duration::from_secs(wait));
        if delivery.deadline.is_some_and(|deadline| again >= deadline) {
            return self.end("expired", &report).await;
        }
        self.write(|| self.context.store.mark_deferred(self.id, self.token, &report, again, self.now())).await?;
        self.context.meters.delivery("deferred");
        Err(Unfinished::snooze(format!("{} at {}: {}", e.relay, e.phase, e.text), Duration::from_secs(wait)))
    }

    /// Writes a final state; the job is done with it.
    async fn end(&self, state: &'static str, report: &AttemptReport) -> Outcome {
        let store = &self.context.store;
        let (id, token) = (self.id, self.token);
        match state {
            "expired" => self.write(|| store.mark_expired(id, token, report, self.now())).await?,
            "unknown" => self.write(|| store.mark_unknown(id, token, report, self.now())).await?,
            _ => self.write(|| store.mark_failed(id, token, report, self.now())).await?,
        }
        self.context.meters.delivery(state);
        Ok(Completed::with(json!({ "delivery": state, "reason": report.text })))
    }

    async fn write<F>(&self, change: impl FnOnce() -> F) -> Result<(), Unfinished>
    where
        F: Future<Output = Result<bool, StoreError>>,
    {
        if !change().await.map_err(|e| store_failed(&e))? {
            warn!(delivery_id = %self.id, "another attempt has taken this mail over");
        }
        Ok(())
    }
}

/// Alerts are rather sent twice than not at all; everything else is not.
fn may_be_sent_twice(delivery: &Delivery) -> bool {
    delivery.class == "alert"
}

fn said(text: &str) -> AttemptReport {
    AttemptReport { text: Some(text.to_owned()), ..AttemptReport::default() }
}
