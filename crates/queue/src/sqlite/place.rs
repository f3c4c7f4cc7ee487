//! Where a job stands in `queue.db`: its state as the table writes it, and its rank among the jobs of that state.

use job::JobState;

use crate::error::BrokerError;

/// A job's state in the table: one more than [`JobState`], because suspects wait apart from the other available jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Scheduled = 0,
    Available = 1,
    Running = 2,
    Completed = 3,
    Dead = 4,
    Cancelled = 5,
    Expired = 6,
    /// Available, but only for a worker that holds nothing else.
    Suspect = 7,
}

impl Place {
    /// All places, in the order in which lists show them.
    pub(super) const LISTED: [Self; 8] = [
        Self::Scheduled,
        Self::Available,
        Self::Suspect,
        Self::Running,
        Self::Completed,
        Self::Dead,
        Self::Cancelled,
        Self::Expired,
    ];

    pub(super) const fn code(self) -> i64 {
        self as i64
    }

    pub(super) fn from_code(code: i64) -> Result<Self, BrokerError> {
        let found = Self::LISTED.into_iter().find(|place| place.code() == code);
        found.ok_or_else(|| BrokerError::Corrupt(format!("a job in the state {code}")))
    }

    /// The state that people see.
    pub(super) const fn state(self) -> JobState {
        match self {
            Self::Scheduled => JobState::Scheduled,
            Self::Available | Self::Suspect => JobState::Available,
            Self::Running => JobState::Running,
            Self::Completed => JobState::Completed,
            Self::Dead => JobState::Dead,
            Self::Cancelled => JobState::Cancelled,
            Self::Expired => JobState::Expired,
        }
    }
}

/// One priority step among available jobs: more than any due time in milliseconds before the year 2500.
pub(super) const PRIORITY: i64 = 1 << 44;

/// In place of a suspect's priority among scheduled jobs: behind all others that are due at the same time.
pub(super) const LAST: i64 = 15;

/// The rank of a scheduled job.
pub(super) fn scheduled(priority: i64, due: i64) -> i64 {
    bounded(due) * 16 + priority
}

/// The rank that every scheduled job due at `now` is at or below.
pub(super) fn scheduled_until(now: i64) -> i64 {
    bounded(now) * 16 + 15
}

/// The rank of an available job.
pub(super) fn available(priority: i64, due: i64) -> i64 {
    priority * PRIORITY + bounded(due)
}

/// When a waiting job is or was due; `None` for one that does not wait.
pub(super) fn due(place: Place, rank: i64) -> Option<i64> {
    match place {
        Place::Scheduled => Some(rank / 16),
        Place::Available => Some(rank % PRIORITY),
        Place::Suspect => Some(rank),
        _ => None,
    }
}

fn bounded(due: i64) -> i64 {
    due.clamp(0, PRIORITY - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rank_gives_back_when_the_job_is_due(priority in 0_i64..10, at in 0_i64..PRIORITY) {
            prop_assert_eq!(due(Place::Scheduled, scheduled(priority, at)), Some(at));
            prop_assert_eq!(due(Place::Available, available(priority, at)), Some(at));
        }

        #[test]
        fn a_priority_outweighs_every_due_time(lower in 0_i64..9, early in 0..PRIORITY, late in 0..PRIORITY) {
            prop_assert!(available(lower, late) < available(lower + 1, early));
        }
    }
}
