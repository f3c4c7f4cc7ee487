//! A clock on which a day takes a minute.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Clock, SystemClock};
use tokio::time::Instant;

/// How much faster than the wall clock the day runs: its 1,440 minutes in 60 seconds.
pub const PACE: u32 = 1_440;
/// How long the day is.
const DAY: Duration = Duration::from_secs(86_400);

/// Runs fast for a day, and then at the usual pace.
#[derive(Debug, Clone)]
pub struct DayClock {
    began: Timestamp,
    on_the_wall: Instant,
}

impl DayClock {
    /// A day that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: SystemClock.now(), on_the_wall: Instant::now() }
    }

    /// When the day began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// The moment on the wall clock at which the day has got this far.
    pub fn on_the_wall(&self, into_the_day: Duration) -> Instant {
        self.on_the_wall + into_the_day.min(DAY) / PACE
    }

    /// When the day is over, on the wall clock.
    pub fn ends(&self) -> Instant {
        self.on_the_wall(DAY)
    }
}

/// How far the day's clock has come, so long after it began on the wall.
fn elapsed(on_the_wall: Duration) -> Duration {
    let fast = on_the_wall.min(DAY / PACE);
    fast * PACE + (on_the_wall - fast)
}

impl Clock for DayClock {
    fn now(&self) -> Timestamp {
        after(self.began, elapsed(self.on_the_wall.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_takes_a_minute_and_then_time_is_as_usual() {
        let seconds = Duration::from_secs;
        assert_eq!(elapsed(seconds(0)), seconds(0));
        assert_eq!(elapsed(seconds(30)), seconds(12 * 3600));
        assert_eq!(elapsed(seconds(60)), seconds(24 * 3600));
        assert_eq!(elapsed(seconds(70)), seconds(24 * 3600 + 10));
    }
}
