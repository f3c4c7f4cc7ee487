//! From when on the platform tells of itself, from the configuration.

use config::Config;
use worker::vitals::WatchRules;

/// The thresholds of this installation.
pub(super) fn watch_rules(config: &Config) -> WatchRules {
    let config::Watch { enabled, every, window, oldest_job, dead_letters, failed_mails, held_mails, schedule_late } =
        config.watch;
    WatchRules { enabled, every, window, oldest_job, dead_letters, failed_mails, held_mails, schedule_late }
}
