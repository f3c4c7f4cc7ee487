//! When a failed attempt is tried again.

use std::time::Duration;

/// The time between two attempts, by the number of the one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryPolicy {
    /// `attempt⁴ s + 15 s + jitter`, the jitter being up to `10 s × attempt`, so that jobs which failed together do not
    /// come back together. Twenty attempts span about eight days. The curve is Sidekiq's.
    #[default]
    Polynomial,
    /// Always the same time.
    Fixed(Duration),
    /// `base × 2^(attempt-1)`, at most `max`, of which the last quarter is jitter.
    Exponential {
        /// The first wait.
        base: Duration,
        /// The longest wait.
        max: Duration,
    },
}

impl RetryPolicy {
    /// How long to wait after attempt number `attempt` (from 1) failed. `chance` is a uniform number in `0.0..1.0`.
    #[must_use]
    pub fn delay(self, attempt: u32, chance: f64) -> Duration {
        let attempt = attempt.max(1);
        match self {
            Self::Polynomial => {
                let n = f64::from(attempt.min(100));
                Duration::from_secs_f64(n.powi(4) + 15.0 + chance * 10.0 * n)
            }
            Self::Fixed(wait) => wait,
            Self::Exponential { base, max } => {
                let full = base.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(max);
                full.mul_f64(0.75 + 0.25 * chance)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_curve_is_attempt_to_the_fourth_plus_fifteen_seconds() {
        let p = RetryPolicy::Polynomial;
        assert_eq!(p.delay(1, 0.0), Duration::from_secs(16));
        assert_eq!(p.delay(3, 0.0), Duration::from_secs(96));
        assert_eq!(p.delay(3, 0.5), Duration::from_secs(111));
    }

    proptest! {
        #[test]
        fn a_later_attempt_never_waits_less(attempt in 1_u32..200, chance in 0.0..1.0_f64) {
            for p in [
                RetryPolicy::Polynomial,
                RetryPolicy::Fixed(Duration::from_secs(3)),
                RetryPolicy::Exponential { base: Duration::from_secs(1), max: Duration::from_secs(3600) },
            ] {
                prop_assert!(p.delay(attempt + 1, chance) >= p.delay(attempt, chance));
                prop_assert!(p.delay(attempt, chance) < Duration::from_secs(4 * 365 * 86_400));
            }
        }
    }
}
