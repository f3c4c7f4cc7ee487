//! Step 10: how the attempt ended. The ledger must hear of it: where it is away, it is tried for a while, shielded.

use std::time::Duration;

use job::clock::after;
use job::{Completed, Outcome, Unfinished};
use serde_json::json;
use store::{AttemptReport, DeliveryState, StoreError};
use telemetry::redact::Text;
use tokio::time::Instant;
use tracing::warn;

use super::{Halt, Send};
use crate::jobs::store_failed;

/// How long the end of an attempt is tried to be written, before the row is left to who comes next.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often.
const EVERY: Duration = Duration::from_millis(250);

impl Send<'_> {
    /// Writes what stopped the mail before the relay; see [`Halt`].
    pub(super) async fn halted(&self, halt: Halt) -> Outcome {
        match halt {
            Halt::Held(why) => self.end(DeliveryState::Held, &said(why)).await,
            Halt::Suppressed(why) => self.end(DeliveryState::Suppressed, &said(why)).await,
            Halt::Expired(why) => self.end(DeliveryState::Expired, &said(why)).await,
            Halt::CalledOff(why) => self.end(DeliveryState::Cancelled, &said(why)).await,
            Halt::Later { why, wait } => self.put_off(why.clone(), &said(why), wait).await,
            Halt::NotYet { why, wait } => {
                let (store, now) = (&self.context.store, self.now());
                let again = after(now, wait);
                self.patiently(|| store.put_back(self.id, self.token, &why, again, now)).await?;
                Err(Unfinished::snooze(why, wait))
            }
            Halt::Unsendable(why) => {
                let (report, now) = (said(why.clone()), self.now());
                let store = &self.context.store;
                self.patiently(|| store.mark_unsendable(self.id, self.token, &report, now)).await?;
                self.context.meters.delivery("failed");
                Err(Unfinished::fail(Text(&why)))
            }
        }
    }

    /// From here to the end of the attempt nothing cuts it off.
    pub(super) fn shield(&self) {
        self.shield.get_or_init(|| self.attempt.control.shield());
    }

    /// Writes that the mail waits, and lets the job wait as long.
    pub(super) async fn put_off(&self, reason: String, report: &AttemptReport, wait: Duration) -> Outcome {
        let (store, now) = (&self.context.store, self.now());
        let again = after(now, wait);
        self.patiently(|| store.mark_deferred(self.id, self.token, report, again, now)).await?;
        self.context.meters.delivery("deferred");
        Err(Unfinished::snooze(reason, wait))
    }

    /// Writes a final state; the job is done with it.
    pub(super) async fn end(&self, state: DeliveryState, report: &AttemptReport) -> Outcome {
        let (store, now) = (&self.context.store, self.now());
        let (id, token) = (self.id, self.token);
        match state {
            DeliveryState::Expired => self.patiently(|| store.mark_expired(id, token, report, now)).await?,
            DeliveryState::Unknown => self.patiently(|| store.mark_unknown(id, token, report, now)).await?,
            DeliveryState::Held => self.patiently(|| store.mark_held(id, token, report, now)).await?,
            DeliveryState::Suppressed => self.patiently(|| store.mark_suppressed(id, token, report, now)).await?,
            DeliveryState::Cancelled => self.patiently(|| store.mark_called_off(id, token, report, now)).await?,
            _ => self.patiently(|| store.mark_failed(id, token, report, now)).await?,
        }
        self.context.meters.delivery(state.as_str());
        let reason = report.text.as_deref().map(|text| Text(text).to_string());
        Ok(Completed::with(json!({ "delivery": state.as_str(), "reason": reason })))
    }

    /// Tries a write again while the store is away.
    pub(super) async fn patiently<F>(&self, write: impl Fn() -> F) -> Result<(), Unfinished>
    where
        F: Future<Output = Result<bool, StoreError>>,
    {
        self.shield();
        let patience = Instant::now() + PATIENCE;
        loop {
            match write().await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    warn!(delivery_id = %self.id, "an attempt has ended, but its mail has moved on under another one");
                    return Ok(());
                }
                Err(e) if e.is_transient() && Instant::now() < patience => tokio::time::sleep(EVERY).await,
                Err(e) => return Err(store_failed(&e)),
            }
        }
    }
}

fn said(text: String) -> AttemptReport {
    AttemptReport { text: Some(text), ..AttemptReport::default() }
}
