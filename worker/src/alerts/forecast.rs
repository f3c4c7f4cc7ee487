//! Whether so much is told to somebody at about the same time that it is better gathered.
//!
//! 1. What counts are messages to one person or channel: what was decided within the last minute, and what the groups that
//!    are due within the next one would tell. What is muted, or over before it was told, is no message.
//! 2. More than the limit within any minute around now is a storm, for this target alone. So it does not matter for how
//!    long its groups waited, or whether what comes are beginnings, repeats or ends.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use store::{DueGroup, Lately, Target};

use super::decide::decide;
use super::mute::Mutes;
use super::rules::AlertRules;
use super::teller::targets;

const HALF: Duration = Duration::from_secs(30);

/// Messages to one target around now.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    /// Within the last minute, and the last half of it.
    before: [u64; 2],
    /// Within the next half minute, and the next minute.
    ahead: [u64; 2],
}

/// What is told to whom around now.
pub(super) struct Forecast {
    limit: u64,
    targets: HashMap<Target, Around>,
}

impl Forecast {
    /// From what was told lately and the groups that are due within the next minute.
    pub(super) fn new(
        rules: &AlertRules,
        mutes: &Mutes<'_>,
        lately: Vec<Lately>,
        soon: Vec<DueGroup>,
        now: Timestamp,
    ) -> Self {
        let mut all: HashMap<Target, Around> = HashMap::new();
        for told in lately {
            all.entry(told.target).or_default().before = [told.minute, told.half];
        }
        for group in soon {
            let at = group.due_at.max(now);
            let decided = decide(&rules.routes, group, |incident| mutes.reason(incident), at);
            for message in decided.messages {
                let Some(receiver) = rules.receiver(&message.receiver) else { continue };
                for target in targets(&message.receiver, receiver) {
                    let around = all.entry(target).or_default();
                    around.ahead[0] += u64::from(at <= after(now, HALF));
                    around.ahead[1] += 1;
                }
            }
        }
        Self { limit: rules.storm.incidents_per_minute.into(), targets: all }
    }

    /// Whether there is a storm for this target.
    pub(super) fn is_storm(&self, target: &Target) -> bool {
        let Around { before, ahead } = self.targets.get(target).copied().unwrap_or_default();
        [before[0], before[1] + ahead[0], ahead[1]].into_iter().any(|messages| messages > self.limit)
    }
}
