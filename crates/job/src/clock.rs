//! The time, passed in. Logic asks a [`Clock`]; only [`SystemClock`] asks the machine, and `clippy.toml` keeps it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Where the current time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The current instant, to the millisecond.
    fn now(&self) -> Timestamp;

    /// [`Clock::now`] as milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        truncate(Timestamp::now())
    }
}

/// A clock that stands still until it is moved: virtual time for tests and for replays.
#[derive(Debug, Clone)]
pub struct ManualClock {
    ms: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `start`, cut to the millisecond.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self { ms: Arc::new(AtomicI64::new(start.as_millisecond())) }
    }

    /// Moves the clock forward. All clones move together.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a step of less than 292 million years");
        self.ms.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_ms(self.ms.load(Ordering::SeqCst))
    }
}

/// The instant `ms` milliseconds after the Unix epoch; the nearest representable one if `ms` is out of range.
#[must_use]
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `t` without what is finer than a millisecond: the resolution at which times are stored and compared.
#[must_use]
pub fn truncate(t: Timestamp) -> Timestamp {
    from_ms(t.as_millisecond())
}

/// `t - by`, held at the first representable instant.
#[must_use]
pub fn before(t: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    from_ms(t.as_millisecond().saturating_sub(by))
}

/// `t + by`, held at the last representable instant.
#[must_use]
pub fn after(t: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    from_ms(t.as_millisecond().saturating_add(by))
}
