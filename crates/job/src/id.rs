//! Job ids: UUIDv7 (RFC 9562 §5.7), so that they sort by age, with the tag of their queue in the last 16 bits, so that a
//! job is found by its id alone, in a Redis Cluster too.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::name::QueueName;

/// The id of a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// The id as 16 bytes, big-endian: their order is the order of age.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id from its 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id from a UUID that was stored elsewhere.
    #[must_use]
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.0
    }

    /// The tag of the queue that the id was made for: see [`QueueName::tag`].
    #[must_use]
    pub fn queue_tag(&self) -> u16 {
        let b = self.0.as_bytes();
        u16::from_be_bytes([b[14], b[15]])
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a job id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a job id: a UUID such as 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 is expected")]
pub struct InvalidId;

impl FromStr for JobId {
    type Err = InvalidId;

    fn from_str(s: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(s).map(Self).map_err(|_| InvalidId)
    }
}

/// Makes job ids. One a process: ids of one source rise strictly, also within a millisecond (RFC 9562 §6.2, method 1:
/// the 12 bits after the version count).
pub struct IdSource {
    clock: Arc<dyn Clock>,
    /// `milliseconds << 12 | counter` of the last id.
    last: AtomicU64,
    chance: Mutex<StdRng>,
}

impl IdSource {
    /// A source with the operating system's randomness.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::seeded(clock, Chance::system().bits())
    }

    /// A source that makes the same ids again for the same seed and clock.
    #[must_use]
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self { clock, last: AtomicU64::new(0), chance: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// A new id for a job of `queue`.
    #[must_use]
    pub fn next(&self, queue: &QueueName) -> JobId {
        let stamp = self.next_stamp();
        let random: u64 = match self.chance.lock() {
            Ok(mut chance) => chance.next_u64(),
            Err(poisoned) => poisoned.into_inner().next_u64(),
        };
        let (ms, counter) = (stamp >> 12, stamp & 0xfff);
        let high = (ms << 16) | 0x7000 | counter;
        let low = (1 << 63) | ((random & ((1 << 46) - 1)) << 16) | u64::from(queue.tag());
        JobId(Uuid::from_u64_pair(high, low))
    }

    fn next_stamp(&self) -> u64 {
        let now = u64::try_from(self.clock.now_ms()).unwrap_or(0) << 12;
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = now.max(last + 1);
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return next,
                Err(seen) => last = seen,
            }
        }
    }
}

impl fmt::Debug for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdSource").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn source() -> IdSource {
        IdSource::seeded(Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap())), 1)
    }

    #[test]
    fn ids_of_one_source_rise_even_when_the_clock_stands_still() {
        let (ids, queue) = (source(), QueueName::new("emails").unwrap());
        let made: Vec<JobId> = (0..10_000).map(|_| ids.next(&queue)).collect();
        assert!(made.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn an_id_is_a_version_7_uuid_that_carries_its_queues_tag() {
        let queue = QueueName::new("emails").unwrap();
        let id = source().next(&queue);
        assert_eq!(id.uuid().get_version_num(), 7);
        assert_eq!(id.uuid().get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.queue_tag(), queue.tag());
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
    }
}
