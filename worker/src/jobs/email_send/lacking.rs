//! Steps 2 and 7 where this worker lacks the sender or the template: the mail waits a while for one that has it, then it is
//! held. It does not fail, for it is not at fault ([`crate::lacking`]).

use std::time::Duration;

use store::{AttemptOutcome, Delivery};

use super::{Halt, Send};
use crate::lacking::Lack;

/// When a store that did not answer is asked again.
const WAIT: Duration = Duration::from_secs(5);

impl Send<'_> {
    /// What becomes of a mail for which this is missing. How long it waits already is told by its attempts: the last ones in
    /// a row that were put off for the same reason.
    pub(super) async fn lacks(&self, delivery: &Delivery, lack: Lack) -> Halt {
        let (why, now) = (lack.to_string(), self.now());
        let attempts = match self.context.store.get_delivery(delivery.id).await {
            Ok(found) => found.map(|(_, attempts)| attempts).unwrap_or_default(),
            Err(e) => return Halt::Later { why: format!("the store is away: {e}"), wait: WAIT },
        };
        let same = attempts
            .iter()
            .rev()
            .take_while(|a| a.outcome == AttemptOutcome::Deferred && a.text.as_deref() == Some(why.as_str()));
        let since = same.last().map_or(now, |first| first.started_at);
        if let Some(wait) = self.context.lacking.wait(since, delivery.deadline, now) {
            return Halt::Later { why, wait };
        }
        if self.context.lacking.is_news(&lack, true, now) {
            self.context.notices.raise(lack.notice()).await;
        }
        Halt::Held(why)
    }

    /// A mail has what it needs: if it was held for want of that, the operators are told that it is over.
    pub(super) async fn has(&self, delivery: &Delivery, lack: Lack) {
        let was_held = delivery.release > 0 && delivery.last_error.as_deref() == Some(lack.to_string().as_str());
        if was_held && self.context.lacking.is_news(&lack, false, self.now()) {
            self.context.notices.resolve(lack.kind(), lack.labels()).await;
        }
    }
}
