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
    /// Failures in a row while it is closed.
    failures: u32,
    /// How often in a row it opened.
    opened: u32,
    open_until: Option<Timestamp>,
    /// Which tries count: those that began since it last opened or let one try.
    turn: u32,
}

/// A message that may try; of those under way when the breaker opened none says more than it knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Try(u32);

impl Breaker {
    /// Whether a message may try; if the breaker was open it is the only one for a while.
    fn enter(&mut self, now: Timestamp) -> Result<Try, Timestamp> {
        match self.open_until {
            Some(until) if until > now => return Err(until),
            Some(_) => {
                self.open_until = Some(after(now, OPEN));
                self.turn = self.turn.wrapping_add(1);
            }
            None => {}
        }
        Ok(Try(self.turn))
    }

    /// Until when nothing is sent; none: a message may try.
    fn resting(&self, now: Timestamp) -> Option<Timestamp> {
        self.open_until.filter(|until| *until > now)
    }

    fn succeeded(&mut self) {
        *self = Self { turn: self.turn, ..Self::default() };
    }

    fn failed(&mut self, of: Try, now: Timestamp) {
        if of != Try(self.turn) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.open_until.is_some() || self.failures >= FAILURES {
            let longer = OPEN.saturating_mul(1 << self.opened.min(8));
            self.open_until = Some(after(now, longer.min(LONGEST)));
            self.opened = self.opened.saturating_add(1);
            self.turn = self.turn.wrapping_add(1);
        }
    }
}

impl Post {
    /// A way through this webhook.
    #[must_use]
    pub fn new(webhook: Webhook) -> Self {
        Self { webhook, breaker: Mutex::default() }
    }

    /// Until when nothing is posted, because nothing was taken lately; none: a message may try.
    #[must_use]
    pub fn resting(&self, now: Timestamp) -> Option<Timestamp> {
        self.breaker().resting(now)
    }

    /// Posts a body. `id` stays the same when it is posted again, so that receivers see that it is the same.
    ///
    /// # Errors
    /// [`NotPosted`].
    pub async fn send(&self, id: &str, body: String, now: Timestamp) -> Result<(), NotPosted> {
        let tried = self.breaker().enter(now).map_err(NotPosted::Resting)?;
        let sent = self.webhook.send(id, body, now).await;
        match &sent {
            // A server that answers is there, whatever it says of this message.
            Err(error) if error.is_transient() => self.breaker().failed(tried, now),
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
            let tried = breaker.enter(at(0)).unwrap();
            breaker.failed(tried, at(0));
        }
        assert_eq!(breaker.enter(at(14)), Err(at(15)));
        let tried = breaker.enter(at(15)).expect("one tries");
        assert_eq!(breaker.enter(at(15)), Err(at(30)), "and no other meanwhile");
        breaker.failed(tried, at(16));
        assert_eq!(breaker.enter(at(45)), Err(at(46)), "twice as long");
        let mut now = 46;
        for _ in 0..20 {
            let tried = breaker.enter(at(now)).unwrap();
            breaker.failed(tried, at(now));
            now += 300;
        }
        now -= 300;
        assert_eq!(breaker.enter(at(now + 1)), Err(at(now + 300)), "five minutes at most");
        assert!(breaker.enter(at(now + 300)).is_ok());
        breaker.succeeded();
        let tried = breaker.enter(at(now + 300)).unwrap();
        breaker.failed(tried, at(now + 300));
        assert!(breaker.enter(at(now + 300)).is_ok(), "one failure is nothing yet");
    }

    #[test]
    fn failures_of_messages_that_were_under_way_together_open_it_once() {
        let at = |seconds| after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let mut breaker = Breaker::default();
        let burst: Vec<Try> = (0..40).map(|_| breaker.enter(at(0)).unwrap()).collect();
        burst.iter().for_each(|tried| breaker.failed(*tried, at(1)));
        assert_eq!(breaker.resting(at(2)), Some(at(16)), "not for five minutes");
        let tried = breaker.enter(at(16)).unwrap();
        breaker.failed(burst[0], at(17));
        assert_eq!(breaker.resting(at(17)), Some(at(31)), "one that began before says nothing of this try");
        breaker.failed(tried, at(18));
        breaker.failed(tried, at(18));
        assert_eq!(breaker.resting(at(18)), Some(at(48)), "one failure a try");
    }
}
