//! Until when a caller listens, told in Redis's own time.
//!
//! A call that is not answered in time is given up, but it may still lie in a socket and be carried out minutes later, when a
//! server that stood still goes on. If it leased jobs then, nobody would run them until their leases ran out. So each such
//! call says until when its answer is waited for:
//! 1. every answer brings the server's time, and from it how far its clock is ahead of this process's;
//! 2. from that and the response timeout follows the time after which nobody listens any more.
//!
//! Kept by queue, because the queues of a Cluster live on servers with clocks of their own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use job::QueueName;
use tokio::time::Instant;

/// See the module.
pub(super) struct Patience {
    response_timeout: Duration,
    /// None with a virtual clock, which does not go on while a call waits.
    born: Option<Instant>,
    /// How far the clock of a queue's server is ahead of the time since `born`, in milliseconds.
    ahead: Mutex<HashMap<QueueName, i64>>,
}

impl Patience {
    pub(super) fn new(response_timeout: Duration, is_virtual: bool) -> Self {
        let born = if is_virtual { None } else { Some(Instant::now()) };
        Self { response_timeout, born, ahead: Mutex::default() }
    }

    /// The server's time, in milliseconds, after which nobody waits for an answer to a call sent now; `None` before the
    /// first answer.
    pub(super) fn until(&self, queue: &QueueName) -> Option<i64> {
        let passed = elapsed_ms(self.born?) + i64::try_from(self.response_timeout.as_millis()).ok()?;
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).get(queue).map(|ahead| passed + ahead)
    }

    /// An answer arrived that was given at `now` by the server's clock.
    pub(super) fn heard(&self, queue: &QueueName, now: Timestamp) {
        let Some(born) = self.born else { return };
        let ahead = now.as_millisecond() - elapsed_ms(born);
        let mut all = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(queue) {
            Some(known) => *known = ahead,
            None => {
                all.insert(queue.clone(), ahead);
            }
        }
    }
}

fn elapsed_ms(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_one_timeout_after_the_call_by_the_servers_clock() {
        let (jobs, mails) = (QueueName::new("jobs").unwrap(), QueueName::new("mails").unwrap());
        let patience = Patience::new(Duration::from_secs(500), false);
        assert_eq!(patience.until(&jobs), None, "nothing is known of the server's clock");
        patience.heard(&jobs, Timestamp::from_millisecond(1_000_000).unwrap());
        let until = patience.until(&jobs).unwrap();
        assert!((1_500_000..1_600_000).contains(&until), "{until}");
        assert_eq!(patience.until(&mails), None, "another server may have another clock");
        assert_eq!(Patience::new(Duration::from_secs(5), true).until(&jobs), None);
    }
}
