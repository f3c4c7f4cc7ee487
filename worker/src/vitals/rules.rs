//! From when on something is told.

use std::time::Duration;

/// The thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRules {
    /// Whether anybody looks.
    pub enabled: bool,
    /// How often each worker looks.
    pub every: Duration,
    /// The span in which failures are counted.
    pub window: Duration,
    /// How long the oldest due job of a queue may wait.
    pub oldest_job: Duration,
    /// So many dead letters of a queue within the window are too many.
    pub dead_letters: u32,
    /// So many mails that failed, or whose fate is unknown, within the window are too many.
    pub failed_mails: u32,
    /// How long a mail may be held.
    pub held_mails: Duration,
    /// How late a schedule may be.
    pub schedule_late: Duration,
}

impl Default for WatchRules {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            enabled: true,
            every: Duration::from_secs(30),
            window: minutes(10),
            oldest_job: minutes(5),
            dead_letters: 20,
            failed_mails: 10,
            held_mails: minutes(60),
            schedule_late: minutes(5),
        }
    }
}
