//! The lead: taken when nobody holds it, renewed while one does, known to be lost as soon as another epoch is seen.

use std::time::Duration;

use jiff::Timestamp;
use store::{SchedulerLease, SchedulerState, Store, StoreError};
use tracing::{info, warn};

/// One scheduler's side of the lead.
#[derive(Debug)]
pub struct Lead {
    holder: String,
    lasts: Duration,
    held: Option<SchedulerLease>,
    renew_at: Timestamp,
}

impl Lead {
    /// A side that leads nothing yet. `holder` is unlike that of any other scheduler; `lasts` is how long it leads without
    /// renewing, which it does after a third of that.
    #[must_use]
    pub fn new(holder: String, lasts: Duration) -> Self {
        Self { holder, lasts, held: None, renew_at: Timestamp::MIN }
    }

    /// What it leads by, as far as it knows. Whether that still holds is checked where it is used.
    #[must_use]
    pub fn held(&self) -> Option<&SchedulerLease> {
        self.held.as_ref()
    }

    /// Takes the lead if it is free, renews it when that is due, lets go of it where another has taken it. Answers
    /// whether this scheduler leads.
    ///
    /// # Errors
    /// As the store says; whether it leads is as before then.
    pub async fn keep(&mut self, store: &Store, state: &SchedulerState, now: Timestamp) -> Result<bool, StoreError> {
        if let Some(lease) = &self.held {
            if state.epoch != lease.epoch || state.holder != lease.holder {
                self.lost();
            } else if now >= self.renew_at {
                if store.renew_scheduler_lease(lease, self.lasts, now).await? {
                    self.renew_at = self.next_renewal(now);
                } else {
                    self.lost();
                }
            }
            return Ok(self.held.is_some());
        }
        if state.expires_at > now {
            return Ok(false);
        }
        self.held = store.take_scheduler_lease(&self.holder, self.lasts, now).await?;
        if let Some(lease) = &self.held {
            info!(epoch = lease.epoch, "leading: this scheduler fires now");
            self.renew_at = self.next_renewal(now);
        }
        Ok(self.held.is_some())
    }

    /// Another one leads.
    pub fn lost(&mut self) {
        if let Some(lease) = self.held.take() {
            warn!(epoch = lease.epoch, "another scheduler leads now");
        }
    }

    /// Gives the lead back, so that another need not wait.
    pub async fn release(&mut self, store: &Store, now: Timestamp) {
        if let Some(lease) = self.held.take()
            && let Err(error) = store.release_scheduler_lease(&lease, now).await
        {
            warn!(%error, "the lead could not be given back: another scheduler waits for its end");
        }
    }

    fn next_renewal(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.lasts / 3).unwrap_or(Timestamp::MAX)
    }
}
