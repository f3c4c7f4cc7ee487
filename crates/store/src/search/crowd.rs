//! Who was seen where: different searchers are counted exactly, for any set of cells, with one small entry each.
//!
//! The cells that a searcher was seen in are a set, and there are few different sets: an entry holds the number of its set.

use std::collections::HashMap;

use uuid::Uuid;

/// A set of cells: a bit each, 256 of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Cells([u64; 4]);

impl Cells {
    /// Puts a cell in; answers whether it was not there.
    pub(super) fn insert(&mut self, cell: u8) -> bool {
        let (word, bit) = (usize::from(cell / 64), 1 << (cell % 64));
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(ours, theirs)| ours & theirs != 0)
    }
}

/// The searchers of a window.
#[derive(Debug)]
pub(super) struct Crowd {
    /// The number of the set of cells that each was seen in.
    seen: HashMap<[u8; 16], u32>,
    sets: Vec<Cells>,
    numbers: HashMap<Cells, u32>,
}

impl Default for Crowd {
    fn default() -> Self {
        let none = Cells::default();
        Self { seen: HashMap::new(), sets: vec![none], numbers: HashMap::from([(none, 0)]) }
    }
}

impl Crowd {
    /// Notes that somebody was seen in a cell.
    pub(super) fn saw(&mut self, searcher: Uuid, cell: u8) {
        let set = self.seen.entry(searcher.into_bytes()).or_insert(0);
        let mut cells = self.sets[*set as usize];
        if cells.insert(cell) {
            *set = *self.numbers.entry(cells).or_insert_with(|| {
                self.sets.push(cells);
                u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX)
            });
        }
    }

    /// How many were seen in each set of cells: gone through once, for all that is asked afterwards.
    pub(super) fn by_cells(&self) -> ByCells {
        let mut counts = vec![0; self.sets.len()];
        self.seen.values().for_each(|set| counts[*set as usize] += 1);
        ByCells(self.sets.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect())
    }
}

/// How many were seen in each set of cells.
#[derive(Debug)]
pub(super) struct ByCells(Vec<(Cells, u64)>);

impl ByCells {
    /// How many were seen in at least one of these cells.
    pub(super) fn in_any_of(&self, cells: &Cells) -> u64 {
        self.0.iter().filter(|(seen, _)| seen.meets(cells)).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const PLACES: [u8; 6] = [0, 1, 63, 64, 200, 255];

    proptest! {
        #[test]
        fn it_counts_as_sets_do(seen in prop::collection::vec((0_u128..8, 0..PLACES.len()), 0..60), asked in prop::collection::hash_set(0..PLACES.len(), 0..4)) {
            let mut crowd = Crowd::default();
            seen.iter().for_each(|(who, place)| crowd.saw(Uuid::from_u128(*who), PLACES[*place]));
            let plain: HashSet<u128> = seen.iter().filter(|(_, place)| asked.contains(place)).map(|(who, _)| *who).collect();
            let mut cells = Cells::default();
            asked.iter().for_each(|place| { cells.insert(PLACES[*place]); });
            prop_assert_eq!(crowd.by_cells().in_any_of(&cells), plain.len() as u64);
        }
    }
}
