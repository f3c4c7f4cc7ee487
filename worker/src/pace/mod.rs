//! How fast the domains of recipients want their mail.
//!
//! 1. Nobody is slowed down until a domain says so: 421, or an enhanced code 4.7.x (RFC 3463 §3.8), about a mail.
//! 2. Then its mails come at half the pace at which they came in the last minute, out of a token bucket. Each further word
//!    halves again, unless it comes so soon that it may be about mails that were under way already. Other domains notice
//!    nothing.
//! 3. Each minute without such a word doubles the pace, until it is beyond what was there before; then it is forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Domains whose pace is remembered; those that are quiet go first.
const HELD: usize = 4_096;
/// Over how long the usual pace is taken, and how long a slow one lasts before it is doubled, in seconds.
const WINDOW: f64 = 60.0;
/// What is said within so many seconds of a change is about mails that had left before it.
const ECHO: f64 = 5.0;
/// The slowest, in mails a second: one in a quarter of a minute.
const SLOWEST: f64 = 1.0 / 15.0;

/// The paces of all domains that mails were sent to lately.
#[derive(Debug, Default)]
pub struct Paces {
    domains: Mutex<HashMap<String, Pace>>,
}

#[derive(Debug)]
struct Pace {
    /// Since when is counted, and how many there were.
    since: Timestamp,
    count: u32,
    /// Mails a second in the window before.
    before: f64,
    slowed: Option<Slowed>,
}

#[derive(Debug)]
struct Slowed {
    /// Mails a second.
    rate: f64,
    /// What was usual before, in mails a second.
    usual: f64,
    tokens: f64,
    /// When the tokens were counted.
    at: Timestamp,
    /// When the rate last changed.
    changed: Timestamp,
}

impl Paces {
    /// Takes the right to send a mail to `domain` (in lower case) now.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn take(&self, domain: &str, now: Timestamp) -> Result<(), Duration> {
        let mut domains = self.domains();
        if domains.len() >= HELD && !domains.contains_key(domain) {
            domains.retain(|_, pace| pace.slowed.is_some() || seconds(pace.since, now) < WINDOW);
        }
        if domains.len() >= HELD && !domains.contains_key(domain) {
            return Ok(());
        }
        let pace = match domains.get_mut(domain) {
            Some(pace) => pace,
            None => {
                domains.entry(domain.to_owned()).or_insert(Pace { since: now, count: 0, before: 0.0, slowed: None })
            }
        };
        let counted = seconds(pace.since, now);
        if counted >= WINDOW {
            let before = f64::from(pace.count) / counted;
            (pace.since, pace.count, pace.before) = (now, 0, before);
        }
        if let Some(slowed) = &mut pace.slowed {
            if slowed.recovered(now) {
                pace.slowed = None;
            } else {
                slowed.take(now)?;
            }
        }
        pace.count = pace.count.saturating_add(1);
        Ok(())
    }

    /// The domain has asked for less.
    pub fn slow_down(&self, domain: &str, now: Timestamp) {
        let mut domains = self.domains();
        let Some(pace) = domains.get_mut(domain) else { return };
        // A window that has just begun knows less than the one before it.
        let usual = (f64::from(pace.count) / seconds(pace.since, now).max(1.0)).max(pace.before);
        match &mut pace.slowed {
            Some(slowed) if seconds(slowed.changed, now) < ECHO => {}
            Some(slowed) => (slowed.rate, slowed.changed) = ((slowed.rate / 2.0).max(SLOWEST), now),
            None => {
                let rate = (usual / 2.0).max(SLOWEST);
                pace.slowed = Some(Slowed { rate, usual, tokens: 0.0, at: now, changed: now });
            }
        }
    }

    fn domains(&self) -> MutexGuard<'_, HashMap<String, Pace>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slowed {
    /// Doubles the rate for each quiet minute; whether it is what was usual by now.
    fn recovered(&mut self, now: Timestamp) -> bool {
        while seconds(self.changed, now) >= WINDOW {
            self.rate *= 2.0;
            self.changed = job::clock::after(self.changed, Duration::from_secs_f64(WINDOW));
            if self.rate >= self.usual.max(SLOWEST * 2.0) * 2.0 {
                return true;
            }
        }
        false
    }

    fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        // A second's worth may gather, and always one mail.
        self.tokens = (self.tokens + self.rate * seconds(self.at, now)).min(self.rate.max(1.0));
        self.at = now;
        // A hair less than one counts as one, or rounding could make a mail wait twice.
        if self.tokens < 1.0 - 1e-6 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        let epoch: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
        job::clock::after(epoch, Duration::from_secs_f64(seconds))
    }

    /// Mails that get through in `length` seconds from `from`, asked for every 10 ms.
    fn through(paces: &Paces, domain: &str, from: f64, length: f64) -> u32 {
        let asks = (0..(length * 100.0) as u32).map(|n| from + f64::from(n) / 100.0);
        asks.filter(|now| paces.take(domain, at(*now)).is_ok()).count() as u32
    }

    #[test]
    fn nobody_is_slowed_down_without_a_word() {
        assert_eq!(through(&Paces::default(), "a.test", 0.0, 10.0), 1_000);
    }

    #[test]
    fn a_domain_that_asks_gets_half_and_half_again_and_its_neighbour_everything() {
        let paces = Paces::default();
        assert_eq!(through(&paces, "a.test", 0.0, 10.0), 1_000);
        paces.slow_down("a.test", at(10.0));
        let half = through(&paces, "a.test", 10.0, 10.0);
        assert!((440..=505).contains(&half), "{half}");
        paces.slow_down("a.test", at(20.0));
        let quarter = through(&paces, "a.test", 20.0, 10.0);
        assert!((220..=280).contains(&quarter), "{quarter}");
        assert_eq!(through(&paces, "b.test", 20.0, 10.0), 1_000);
    }

    #[test]
    fn quiet_minutes_bring_the_pace_back_until_it_is_forgotten() {
        let paces = Paces::default();
        assert_eq!(through(&paces, "a.test", 0.0, 10.0), 1_000);
        paces.slow_down("a.test", at(10.0));
        let later = through(&paces, "a.test", 75.0, 5.0);
        assert!((400..=500).contains(&later), "the usual again: {later}");
        assert_eq!(through(&paces, "a.test", 200.0, 10.0), 1_000);
        assert!(paces.domains().get("a.test").unwrap().slowed.is_none());
    }

    #[test]
    fn the_wait_that_is_named_is_enough_and_the_slowest_pace_is_four_a_minute() {
        let paces = Paces::default();
        paces.take("a.test", at(0.0)).unwrap();
        for n in 0..20 {
            paces.slow_down("a.test", at(f64::from(n) * 6.0));
        }
        let last = 19.0 * 6.0;
        paces.take("a.test", at(last)).unwrap();
        let wait = paces.take("a.test", at(last)).unwrap_err();
        assert_eq!(wait.as_secs(), 15);
        paces.take("a.test", at(last + wait.as_secs_f64())).unwrap();
        assert!(paces.take("a.test", at(last + wait.as_secs_f64())).is_err());
    }

    #[test]
    fn answers_to_mails_that_were_under_way_halve_once() {
        let paces = Paces::default();
        assert_eq!(through(&paces, "a.test", 0.0, 10.0), 1_000);
        for n in 0..16 {
            paces.slow_down("a.test", at(10.0 + f64::from(n) * 0.1));
        }
        let half = through(&paces, "a.test", 12.0, 10.0);
        assert!((440..=620).contains(&half), "{half}");
    }

    #[test]
    fn a_word_at_the_beginning_of_a_minute_halves_what_was_usual_before_it() {
        let paces = Paces::default();
        assert_eq!(through(&paces, "a.test", 0.0, 60.5), 6_050);
        paces.slow_down("a.test", at(60.5));
        let half = through(&paces, "a.test", 60.5, 10.0);
        assert!((440..=550).contains(&half), "{half}");
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let paces = Paces::default();
        for n in 0..20_000 {
            paces.take(&format!("d{n}.test"), at(f64::from(n) / 100.0)).unwrap();
        }
        assert!(paces.domains().len() <= HELD);
    }
}
