//! How many calls a key may make: a token bucket for each key (GCRA, by `governor`), filled at a rate, as deep as a burst.
//!
//! The bucket lives beside the key in the cache of keys and survives its refresh. It knows the machine's monotonic clock
//! only: a clock that is set back must not lock callers out.

use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::error::{ApiError, Fault};

/// A rate of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls a second in the long run; 0 counts as 1.
    pub per_second: u32,
    /// Calls at once; 0 counts as 1.
    pub burst: u32,
}

impl Rate {
    /// The rate of a key that has one of its own: as many at once as in a second.
    #[must_use]
    pub fn of_key(per_second: u32) -> Self {
        Self { per_second, burst: per_second }
    }
}

/// The bucket of one key.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    bucket: DefaultDirectRateLimiter,
}

impl Limiter {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rate.per_second)).allow_burst(at_least_one(rate.burst));
        Self { rate, bucket: RateLimiter::direct(quota) }
    }

    /// The rate it was made for.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one call out of the bucket. Errors: 429 with the whole seconds, at least 1, until there is one again.
    pub fn take(&self) -> Result<(), ApiError> {
        self.bucket.check().map_err(|not_yet| {
            let wait = not_yet.wait_time_from(DefaultClock::default().now());
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            let Rate { per_second, burst } = self.rate;
            ApiError::new(
                Fault::TooMany,
                format!("This key may make {per_second} calls a second, {burst} at once. A batch is one call."),
            )
            .retry_after(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_burst_are_told_when_to_come_back() {
        let limiter = Limiter::new(Rate { per_second: 1, burst: 3 });
        for _ in 0..3 {
            limiter.take().unwrap();
        }
        let refused = limiter.take().unwrap_err();
        assert_eq!(refused.fault(), Fault::TooMany);
    }
}
