//! Who was seen where: different searchers are counted exactly, for any set of cells, with one small entry each.
//!
//! The cells that a searcher was seen in are a set, and there are few different sets: an entry holds the number of its set.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

/// The searchers of a window.
#[derive(Debug)]
pub(super) struct Crowd {
    /// The number of the set of cells that each was seen in.
    seen: HashMap<[u8; 16], u32>,
    sets: Vec<Vec<u16>>,
    /// The set that a set becomes with one more cell.
    grown: HashMap<(u32, u16), u32>,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { seen: HashMap::new(), sets: vec![Vec::new()], grown: HashMap::new() }
    }
}

impl Crowd {
    /// Notes that somebody was seen in a cell.
    pub(super) fn saw(&mut self, searcher: Uuid, cell: u16) {
        let set = self.seen.entry(searcher.into_bytes()).or_insert(0);
        let cells = &self.sets[*set as usize];
        let Err(place) = cells.binary_search(&cell) else { return };
        *set = match self.grown.get(&(*set, cell)) {
            Some(grown) => *grown,
            None => {
                let mut larger = cells.clone();
                larger.insert(place, cell);
                let number = match self.sets.iter().position(|known| *known == larger) {
                    Some(known) => known,
                    None => {
                        self.sets.push(larger);
                        self.sets.len() - 1
                    }
                };
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                self.grown.insert((*set, cell), number);
                number
            }
        };
    }

    /// How many were seen in at least one of these cells.
    pub(super) fn count(&self, cells: &HashSet<u16>) -> u64 {
        let counted: Vec<bool> = self.sets.iter().map(|set| set.iter().any(|cell| cells.contains(cell))).collect();
        self.seen.values().filter(|set| counted[**set as usize]).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_as_sets_do(seen in prop::collection::vec((0_u128..8, 0_u16..5), 0..60), asked in prop::collection::hash_set(0_u16..5, 0..4)) {
            let mut crowd = Crowd::default();
            seen.iter().for_each(|(who, cell)| crowd.saw(Uuid::from_u128(*who), *cell));
            let plain: HashSet<u128> = seen.iter().filter(|(_, cell)| asked.contains(cell)).map(|(who, _)| *who).collect();
            prop_assert_eq!(crowd.count(&asked), plain.len() as u64);
        }
    }
}
