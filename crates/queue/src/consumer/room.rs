//! How long a worker makes room for a suspect job.
//!
//! 1. A suspect runs alone, so the chosen worker leases nothing until all that it holds has ended. That is work not done:
//!    after a while it gives up, and leaves the suspect to others for four times as long.
//! 2. Where every job takes longer than that while, nobody would ever get there. So each try may take twice as long as
//!    the one before, up to ten minutes, until one succeeds: a suspect waits, but not for ever.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug)]
pub(super) struct Room {
    /// How long the next try may take.
    pub patience: Duration,
    declines_until: Option<Instant>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { patience: FIRST, declines_until: None }
    }

    /// Whether another worker is to be chosen for now.
    pub(super) fn declines(&self, now: Instant) -> bool {
        self.declines_until.is_some_and(|until| until > now)
    }

    /// No room could be made in time.
    pub(super) fn given_up(&mut self, now: Instant) {
        self.declines_until = Some(now + self.patience * 4);
        self.patience = (self.patience * 2).min(LONGEST);
    }

    /// A suspect was leased.
    pub(super) fn made(&mut self) {
        self.patience = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_may_take_longer_until_one_succeeds() {
        let (mut room, mut now) = (Room::new(), Instant::now());
        let mut tries = Vec::new();
        for _ in 0..7 {
            assert!(!room.declines(now));
            tries.push(room.patience.as_secs());
            now += room.patience;
            let declining = room.patience * 4;
            room.given_up(now);
            assert!(room.declines(now + declining - Duration::from_millis(1)));
            now += declining;
        }
        assert_eq!(tries, [30, 60, 120, 240, 480, 600, 600]);
        room.made();
        assert_eq!(room.patience, FIRST);
    }
}
