//! A queue's place in the pump: what it may take, what it has to hand back, whether it ran dry.

use std::collections::VecDeque;

use job::QueueName;
use tokio::time::Instant;

use super::Share;
use crate::lease::Finish;

/// How many exchanges of one queue may be under way at a time: while Redis works at one, the others travel or are filled,
/// so that it never waits for us.
pub(super) const CALLS: usize = 4;

/// The state of one queue.
#[derive(Debug)]
pub(super) struct QueueState {
    pub queue: QueueName,
    pub weight: i64,
    pub limit: Option<usize>,
    /// Ends to be written.
    pub finishes: VecDeque<Finish>,
    /// Jobs that are buffered or running.
    pub busy: usize,
    /// Jobs asked for by calls under way.
    pub asked: usize,
    /// Calls under way.
    pub calls: usize,
    /// The last lease found nothing more: wait for a call, or for this time.
    pub dry_until: Option<Instant>,
    /// Tokens of lease calls whose answers were lost: what they leased is given back before the next call.
    pub lost: Vec<u64>,
    /// So many ends go one by one, because a call with one of them among others can never succeed.
    pub one_by_one: usize,
    /// Set while the queue is away: not before this time.
    pub retry_at: Option<Instant>,
    /// Calls that failed one after the other.
    pub failures: u32,
    /// Smooth weighted round robin: the credit that this queue has gathered.
    pub credit: i64,
}

impl QueueState {
    pub(super) fn new(share: &Share) -> Self {
        Self {
            queue: share.queue.clone(),
            weight: i64::from(share.weight.max(1)),
            limit: share.limit,
            finishes: VecDeque::new(),
            busy: 0,
            asked: 0,
            calls: 0,
            dry_until: None,
            lost: Vec::new(),
            one_by_one: 0,
            retry_at: None,
            failures: 0,
            credit: 0,
        }
    }

    /// How many more jobs this queue may have by its own limit.
    pub(super) fn room(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.busy + self.asked))
    }

    /// Whether it may be called, as far as faults go.
    pub(super) fn is_reachable(&self) -> bool {
        self.retry_at.is_none()
    }

    pub(super) fn is_dry(&self) -> bool {
        self.dry_until.is_some()
    }
}

/// Divides `room` among queues that want work, by weight: each gets at least one while there is room, in the order of
/// gathered credit, so that over time every queue gets its weight's part and none starves.
pub(super) fn divide(states: &mut [QueueState], wanting: &[usize], room: usize) -> Vec<(usize, usize)> {
    let total: i64 = wanting.iter().map(|n| states[*n].weight).sum();
    if total == 0 || room == 0 {
        return Vec::new();
    }
    for n in wanting {
        states[*n].credit += states[*n].weight;
    }
    let mut order = wanting.to_vec();
    order.sort_by_key(|n| (-states[*n].credit, *n));
    let mut left = room;
    let mut parts = Vec::with_capacity(order.len());
    for n in order {
        let fair = (room as i64 * states[n].weight / total).max(1) as usize;
        let part = fair.min(states[n].room()).min(left);
        if part > 0 {
            states[n].credit -= total;
            left -= part;
            parts.push((n, part));
        }
    }
    // What limits left over goes to the first that can use it.
    for (n, part) in &mut parts {
        let more = left.min(states[*n].room() - *part);
        *part += more;
        left -= more;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(weights: &[u32]) -> Vec<QueueState> {
        let share = |(n, weight): (usize, &u32)| {
            QueueState::new(&Share { queue: QueueName::new(&format!("q{n}")).unwrap(), weight: *weight, limit: None })
        };
        weights.iter().enumerate().map(share).collect()
    }

    #[test]
    fn room_is_divided_by_weight() {
        let mut s = states(&[3, 1]);
        assert_eq!(divide(&mut s, &[0, 1], 100), [(0, 75), (1, 25)]);
    }

    #[test]
    fn a_single_place_goes_round_by_weight_and_starves_nobody() {
        let mut s = states(&[3, 1]);
        let mut got = [0, 0];
        for _ in 0..400 {
            for (n, part) in divide(&mut s, &[0, 1], 1) {
                got[n] += part;
            }
        }
        assert_eq!(got[0] + got[1], 400);
        assert!((95..=105).contains(&got[1]), "{got:?}");
    }

    #[test]
    fn a_limit_leaves_its_rest_to_the_others() {
        let mut s = states(&[3, 1]);
        s[0].limit = Some(2);
        let parts = divide(&mut s, &[0, 1], 100);
        assert_eq!(parts.iter().find(|p| p.0 == 0).unwrap().1, 2);
        assert_eq!(parts.iter().find(|p| p.0 == 1).unwrap().1, 98);
    }
}
