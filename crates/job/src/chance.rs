//! Chance, passed in like the time. Logic draws from a [`Chance`]; only [`Chance::system`] asks the machine, and
//! `clippy.toml` keeps it so.
//!
//! It is for shares of a wait, for ids of a process and for seeds, not for secrets: those come from the operating system,
//! in `secrets` and where keys are made.

use std::sync::atomic::{AtomicU64, Ordering};

/// The step between two states: odd, so that all 2⁶⁴ are met before one comes again.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of numbers, shared by all who draw from it. The same seed gives the same numbers again, in the order of the
/// draws: SplitMix64, which needs no lock (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug)]
pub struct Chance(AtomicU64);

impl Chance {
    /// Chance with a seed of the operating system's.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for chance")]
    #[must_use]
    pub fn system() -> Self {
        Self::seeded(rand::random())
    }

    /// The same numbers for the same seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next 64 bits.
    #[must_use]
    pub fn bits(&self) -> u64 {
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A uniform number in `0.0..1.0`.
    #[must_use]
    pub fn share(&self) -> f64 {
        // The 53 bits that a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "both numbers are at most 2⁵³")]
        let (drawn, of) = ((self.bits() >> 11) as f64, (1_u64 << 53) as f64);
        drawn / of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The reference implementation's first numbers for the seed 1234567.
        let chance = Chance::seeded(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| chance.bits()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn shares_are_spread_evenly_below_one() {
        let chance = Chance::seeded(7);
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            let share = chance.share();
            assert!((0.0..1.0).contains(&share));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
            let tenth = (share * 10.0) as usize;
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|n| (850..1150).contains(n)), "{tenths:?}");
    }

    #[test]
    fn two_sources_of_the_machine_differ() {
        assert_ne!(Chance::system().bits(), Chance::system().bits());
    }
}
