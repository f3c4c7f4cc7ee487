//! Step 6: a domain that asked for fewer mails gets fewer: each waits for its turn, before anything is made for it.

use std::time::Duration;

use mail::EmailAddress;
use store::Delivery;

use super::{Halt, Send};

/// A turn that comes this soon is waited for here, and not in the queue.
const WAIT_HERE: Duration = Duration::from_secs(1);

impl Send<'_> {
    /// Takes the mail's turn, or says when to ask for it again; not after the deadline, so that it is seen to expire.
    pub(super) async fn take_turn(&self, delivery: &Delivery, to: &EmailAddress) -> Result<(), Halt> {
        let domain = to.domain().to_lowercase();
        while let Err(wait) = self.mailer.paces.take(&domain, self.id, self.now()) {
            if wait > WAIT_HERE {
                let left = delivery.deadline.and_then(|deadline| deadline.duration_since(self.now()).try_into().ok());
                let wait = left.map_or(wait, |left| wait.min(left));
                return Err(Halt::NotYet { why: format!("{domain} asked for a slower pace"), wait });
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}
