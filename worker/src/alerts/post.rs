//! Posting messages to other people's servers, with a breaker: a server that is away is not asked by every message.
//!
//! 1. After a few failures in a row the breaker opens: for a while nothing is sent there, and messages wait without losing
//!    an attempt.
//! 2. Then one message tries. If it is taken the breaker closes; if not, it opens for twice as long, up to five minutes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;

use crate::notices::{Refused, Webhook};

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long it is open at first, and at most.
const OPEN: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(300);

/// A way to post messages.
pub struct Post {
    webhook: Webhook,
    breaker: Mutex<Breaker>,
}

/// Why a message was not posted.
#[derive(Debug, thiserror::Error)]
pub enum NotPosted {
    /// The breaker is open until then.
    #[error("it was not taken lately; the next try is at {0}")]
    Resting(Timestamp),
    /// It was not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}

#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
}

impl Breaker {
    /// Whether a message may try; if the breaker was open it is the only one for a while.
    fn enter(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        match self.open_until {
            Some(until) if until > now => Err(until),
            Some(_) => {
                self.open_until = Some(after(now, OPEN));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            let doubled = OPEN.saturating_mul(1 << (self.failures - FAILURES).min(8));
            self.open_until = Some(after(now, doubled.min(LONGEST)));
        }
    }
}

impl Post {
    /// A way through this webhook.
    #[must_use]
    pub fn new(webhook: Webhook) -> Self {
        Self { webhook, breaker: Mutex::default() }
    }

    /// Posts a body. `id` stays the same when it is posted again, so that receivers see that it is the same.
    ///
    /// # Errors
    /// [`NotPosted`].
    pub async fn send(&self, id: &str, body: String, now: Timestamp) -> Result<(), NotPosted> {
        self.breaker().enter(now).map_err(NotPosted::Resting)?;
        let sent = self.webhook.send(id, body, now).await;
        match &sent {
            // A server that answers is there, whatever it says of this message.
            Err(error) if error.is_transient() => self.breaker().failed(now),
            Ok(()) | Err(_) => self.breaker().succeeded(),
        }
        Ok(sent?)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_lets_one_try_and_closes_with_success() {
        let at = |seconds| after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.enter(at(0)), Ok(()));
            breaker.failed(at(0));
        }
        assert_eq!(breaker.enter(at(14)), Err(at(15)));
        assert_eq!(breaker.enter(at(15)), Ok(()), "one tries");
        assert_eq!(breaker.enter(at(15)), Err(at(30)), "and no other meanwhile");
        breaker.failed(at(16));
        assert_eq!(breaker.enter(at(45)), Err(at(46)), "twice as long");
        for _ in 0..20 {
            breaker.failed(at(50));
        }
        assert_eq!(breaker.enter(at(51)), Err(at(350)), "five minutes at most");
        assert_eq!(breaker.enter(at(350)), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker.enter(at(350)), Ok(()));
        breaker.failed(at(350));
        assert_eq!(breaker.enter(at(350)), Ok(()), "one failure is nothing yet");
    }
}
