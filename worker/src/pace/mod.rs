//! How fast the domains of recipients want their mail.
//!
//! 1. Nobody is slowed down until a domain says so: 421, or an enhanced code 4.7.x (RFC 3463 §3.8), about a mail.
//! 2. Then its mails come at half the pace at which they came in the last minute, each in its turn (`slowed`). Each
//!    further word halves again, unless it comes so soon that it may be about mails that were under way already. Other
//!    domains notice nothing.
//! 3. Each minute without such a word doubles the pace, until it is beyond what was there before; then it is forgotten.

mod slowed;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use slowed::Slowed;

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

impl Paces {
    /// Takes the right to send this mail to `domain` (in lower case) now. A mail that has to wait has a place in the line
    /// from then on: each is told another moment, and they go in the order in which they asked first.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn take(&self, domain: &str, mail: Uuid, now: Timestamp) -> Result<(), Duration> {
        let mut domains = self.domains();
        if domains.len() >= HELD && !domains.contains_key(domain) {
            domains.retain(|_, pace| pace.is_slow(now) || seconds(pace.since, now) < WINDOW);
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
        if pace.is_slow(now)
            && let Some(slowed) = &mut pace.slowed
        {
            slowed.take(mail, now)?;
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
            Some(slowed) if seconds(slowed.changed(), now) < ECHO => {}
            Some(slowed) => slowed.halve(now),
            None => pace.slowed = Some(Slowed::new(usual, now)),
        }
    }

    fn domains(&self) -> MutexGuard<'_, HashMap<String, Pace>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// Whether the domain is slowed down still.
    fn is_slow(&mut self, now: Timestamp) -> bool {
        if self.slowed.as_mut().is_some_and(|slowed| slowed.recovered(now)) {
            self.slowed = None;
        }
        self.slowed.is_some()
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(seconds: f64) -> Timestamp {
        let epoch: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
        job::clock::after(epoch, Duration::from_secs_f64(seconds))
    }

    /// Mails to one domain that ask, wait as long as they are told, and ask again.
    struct Crowd<'a> {
        paces: &'a Paces,
        domain: &'static str,
        /// When who asks next.
        due: BTreeSet<(Timestamp, u128)>,
        mails: u128,
        asked: u32,
        gone: Vec<u128>,
    }

    impl<'a> Crowd<'a> {
        fn of(paces: &'a Paces, domain: &'static str) -> Self {
            Self { paces, domain, due: BTreeSet::new(), mails: 0, asked: 0, gone: Vec::new() }
        }

        /// So many further ones come, `apart` seconds after each other.
        fn comes(&mut self, count: u32, from: f64, apart: f64) {
            for n in 0..count {
                self.due.insert((at(from + f64::from(n) * apart), self.mails));
                self.mails += 1;
            }
        }

        /// Everything up to then; how many went.
        fn until(&mut self, end: f64) -> usize {
            let before = self.gone.len();
            while let Some((now, mail)) = self.due.first().copied().filter(|(due, _)| *due < at(end)) {
                self.due.pop_first();
                self.asked += 1;
                match self.paces.take(self.domain, Uuid::from_u128(mail), now) {
                    Ok(()) => self.gone.push(mail),
                    Err(wait) => drop(self.due.insert((job::clock::after(now, wait), mail))),
                }
            }
            self.gone.len() - before
        }

        /// A hundred a second for so long; how many went.
        fn hurries(&mut self, from: f64, length: f64) -> usize {
            self.until(from);
            self.comes((length * 100.0) as u32, from, 0.01);
            self.until(from + length)
        }
    }

    #[test]
    fn nobody_is_slowed_down_without_a_word() {
        assert_eq!(Crowd::of(&Paces::default(), "a.test").hurries(0.0, 10.0), 1_000);
    }

    #[test]
    fn a_domain_that_asks_gets_half_and_half_again_and_its_neighbour_everything() {
        let paces = Paces::default();
        let mut crowd = Crowd::of(&paces, "a.test");
        assert_eq!(crowd.hurries(0.0, 10.0), 1_000);
        paces.slow_down("a.test", at(10.0));
        let half = crowd.hurries(10.0, 10.0);
        assert!((490..=501).contains(&half), "{half}");
        paces.slow_down("a.test", at(20.0));
        let quarter = crowd.hurries(20.0, 10.0);
        assert!((245..=251).contains(&quarter), "{quarter}");
        assert_eq!(Crowd::of(&paces, "b.test").hurries(20.0, 10.0), 1_000);
    }

    #[test]
    fn a_thousand_that_wait_go_one_after_the_other_in_their_order_and_are_not_asked_again_and_again() {
        let paces = Paces::default();
        paces.take("a.test", Uuid::from_u128(u128::MAX), at(0.0)).unwrap();
        paces.slow_down("a.test", at(0.0));
        let mut crowd = Crowd::of(&paces, "a.test");
        crowd.comes(1_000, 0.0, 0.0);
        // The domain goes on complaining for a quarter of an hour: the slowest pace.
        for n in 1..=15 {
            crowd.until(f64::from(n) * 59.0);
            paces.slow_down("a.test", at(f64::from(n) * 59.0));
        }
        let (gone, asked) = (crowd.gone.len(), crowd.asked);
        assert!((50..=100).contains(&gone), "four a minute: {gone}");
        assert!(asked < 4_000, "1,000 mails asked {asked} times in a quarter of an hour");
        // Then it is content: the pace doubles each minute, and nobody sleeps through that.
        crowd.until(1_180.0);
        assert!(crowd.gone.len() > 200 && crowd.gone.is_sorted(), "in their order: {:?}", crowd.gone);
        crowd.until(1_600.0);
        assert_eq!(crowd.gone.len(), 1_000, "all of them within twelve minutes");
        assert!(crowd.asked < 7_000, "{}", crowd.asked);
    }

    #[test]
    fn who_comes_later_stands_behind_those_who_wait() {
        let paces = Paces::default();
        paces.take("a.test", Uuid::from_u128(99), at(0.0)).unwrap();
        paces.slow_down("a.test", at(0.0));
        let take = |mail: u128, now: f64| paces.take("a.test", Uuid::from_u128(mail), at(now));
        // One in two seconds.
        assert_eq!([take(1, 0.0), take(2, 0.0), take(1, 1.0)].map(|wait| wait.unwrap_err().as_secs()), [2, 4, 1]);
        assert_eq!(take(3, 2.5).unwrap_err().as_millis(), 3_500, "although the turn of 1 has come");
        assert_eq!((take(1, 2.5), take(2, 4.0), take(3, 6.0)), (Ok(()), Ok(()), Ok(())));
    }

    #[test]
    fn the_turns_of_mails_that_do_not_come_are_given_to_others() {
        let paces = Paces::default();
        let mut crowd = Crowd::of(&paces, "a.test");
        crowd.hurries(0.0, 10.0);
        paces.slow_down("a.test", at(10.0));
        // Of 5,000 that wait, none comes back: another worker has them, and this one gets those of the other.
        for mail in 1_000_000..1_005_000_u128 {
            paces.take("a.test", Uuid::from_u128(mail), at(10.0)).unwrap_err();
        }
        let asks = (0..2_000_u32).map(|n| (u128::from(n) + 2_000_000, 30.0 + f64::from(n) / 50.0));
        let went = asks.filter(|(mail, now)| paces.take("a.test", Uuid::from_u128(*mail), at(*now)).is_ok()).count();
        assert!(went > 1_900, "{went} of 2,000 in 40 s at 50 a second");
    }

    #[test]
    fn quiet_minutes_bring_the_pace_back_until_it_is_forgotten() {
        let paces = Paces::default();
        let mut crowd = Crowd::of(&paces, "a.test");
        assert_eq!(crowd.hurries(0.0, 10.0), 1_000);
        paces.slow_down("a.test", at(10.0));
        let later = crowd.hurries(75.0, 5.0);
        assert!((400..=500).contains(&later), "the usual again: {later}");
        assert_eq!(crowd.hurries(200.0, 10.0), 1_000);
        assert!(paces.domains().get("a.test").unwrap().slowed.is_none());
    }

    #[test]
    fn the_wait_that_is_named_is_enough_and_the_slowest_pace_is_four_a_minute() {
        let paces = Paces::default();
        let take = |mail: u128, now: f64| paces.take("a.test", Uuid::from_u128(mail), at(now));
        take(0, 0.0).unwrap();
        for n in 0..20 {
            paces.slow_down("a.test", at(f64::from(n) * 6.0));
        }
        let last = 19.0 * 6.0;
        take(1, last).unwrap();
        let wait = take(2, last).unwrap_err();
        assert_eq!(wait.as_secs(), 15);
        take(2, last + wait.as_secs_f64()).unwrap();
        assert!(take(3, last + wait.as_secs_f64()).is_err());
    }

    #[test]
    fn answers_to_mails_that_were_under_way_halve_once() {
        let paces = Paces::default();
        let mut crowd = Crowd::of(&paces, "a.test");
        assert_eq!(crowd.hurries(0.0, 10.0), 1_000);
        for n in 0..16 {
            paces.slow_down("a.test", at(10.0 + f64::from(n) * 0.1));
        }
        let half = crowd.hurries(12.0, 10.0);
        assert!((490..=620).contains(&half), "{half}");
    }

    #[test]
    fn a_word_at_the_beginning_of_a_minute_halves_what_was_usual_before_it() {
        let paces = Paces::default();
        let mut crowd = Crowd::of(&paces, "a.test");
        assert_eq!(crowd.hurries(0.0, 60.5), 6_050);
        paces.slow_down("a.test", at(60.5));
        let half = crowd.hurries(60.5, 10.0);
        assert!((490..=550).contains(&half), "{half}");
    }

    #[test]
    fn strangers_do_not_fill_the_memory_and_neither_do_domains_that_were_slow_once() {
        let paces = Paces::default();
        for n in 0..20_000_u32 {
            let (domain, now) = (format!("d{n}.test"), at(f64::from(n) / 10.0));
            paces.take(&domain, Uuid::from_u128(n.into()), now).unwrap();
            paces.slow_down(&domain, now);
        }
        assert!(paces.domains().len() <= HELD);
        assert!(paces.domains().contains_key("d19999.test"), "what was slow half an hour ago has made room");
    }
}
