//! `email.send`: one mail to one person.
//!
//! Enqueued for a row of the ledger, under `delivery:{id}:r{release}`. Effect: the mail goes down the path below, and each
//! step is written in the ledger.
//! Twice is harmless: only the row's own job sends it, and a release gives it another one; an attempt begins only from a
//! waiting row; before the first byte of the body the row is moved to
//! phase `data` under this attempt's lease token, so that of two attempts one finds out that it is late and drops its
//! connection; a row found in phase `data` after a crash becomes `unknown`, not another mail.
//!
//! The path, one file a step:
//! 1. `begin`: the row becomes this attempt's, or says why there is nothing to send.
//! 2. `sender`: the profile that it comes from. `lacking`: a mail whose sender or template this worker lacks waits.
//! 3. `gate`: would this domain's mail authenticate at the receiver, and by which relay? If by none, it is held.
//! 4. `destination`, `suppression`: may mail leave to this address, and may this person be written to?
//! 5. `send_time`: is it still worth sending, now?
//! 6. `turn`: a domain that asked for fewer mails gets one after the other.
//! 7. `words`, `render`: template and data, or what a caller had sealed, become a message.
//! 8. `sign`: DKIM.
//! 9. `transport`: the relay, with the ledger's mark before the first byte of the body.
//! 10. `ledger`: how it ended is written, patiently and under a shield: a store that is away for a moment makes no mail
//!     `unknown`.
//!
//! A step that stops the mail answers a [`Halt`]; `ledger` writes it.

mod begin;
mod destination;
mod gate;
mod halt;
mod lacking;
mod ledger;
mod render;
mod send_time;
mod sender;
mod sign;
mod suppression;
mod transport;
mod turn;
mod words;

pub use halt::Halt;

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use job::{Attempt, Job, Outcome, Shield, Unfinished};
use mail::EmailAddress;
use mail::verp::Verp;
use secrets::Purpose;
use serde::{Deserialize, Serialize};
use store::Delivery;
use uuid::Uuid;

use crate::context::Context;
use crate::mailer::{Mailer, Sender};

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

    /// A slow relay must not look like a worker that died: the attempt outlasts whatever its dialogues may take.
    fn at_least(context: &Context) -> Duration {
        let dialogues = context.mailer.as_ref().map(|mailer| mailer.patience());
        dialogues.unwrap_or_default() + Self::TIMEOUT
    }

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

impl<'a> Send<'a> {
    async fn run(self) -> Outcome {
        let delivery = match self.begin().await {
            Ok(delivery) => delivery,
            Err(outcome) => return outcome,
        };
        match self.prepare(&delivery).await {
            Ok(ready) => self.hand_over(&delivery, ready).await,
            Err(halt) => self.halted(halt).await,
        }
    }

    /// Everything before the relay.
    async fn prepare(&self, delivery: &Delivery) -> Result<transport::Ready, Halt> {
        let sender = self.known_sender(delivery).await?;
        let way = self.pass_gate(sender).await?;
        let to = self.destination(delivery).await?;
        self.pass_suppression(delivery).await?;
        let delivery = self.still_worth_sending(delivery).await?;
        self.take_turn(&delivery, &to.address).await?;
        let words = self.words(&delivery, to.redirected).await?;
        let letter = self.render(&delivery, sender, to, words)?;
        let bytes = sign::sign(&self.mailer.gate.signer(sender), &letter)?;
        let domain = sender.profile.address.domain().to_owned();
        Ok(transport::Ready::new(way, domain, self.bounce(sender), letter, bytes))
    }

    fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// An id for what is written down beside the mail.
    fn new_id(&self) -> Uuid {
        self.context.ids.next(&EmailSend::queue()).uuid()
    }

    /// The envelope sender: one of its own for each mail, so that a bounce tells which it is about.
    fn bounce(&self, sender: &Sender) -> EmailAddress {
        let Some(ring) = &self.context.secrets else { return sender.bounce.clone() };
        let verp = Verp { id: self.id.simple().to_string(), tag: ring.tag(Purpose::Bounce, self.id.as_bytes()) };
        // Too long a name before the @ is the one reason that it cannot be.
        verp.address(&sender.bounce).unwrap_or_else(|_| sender.bounce.clone())
    }
}
