//! A domain that has asked for less, and the line of the mails that wait for it.
//!
//! 1. Turns come one after the other at the domain's rate. A second's worth may gather, and always one.
//! 2. Who asks gets the next turn. If it has not come, the mail stands in the line under its number and is told when to ask
//!    again; it keeps its place, whatever becomes of the rate meanwhile.
//! 3. The wait that is named reckons with a rate that doubles each quiet minute: who asks too soon is told once more, and
//!    nobody sleeps through a recovery.
//! 4. Who does not come when it is called (cancelled, or run by another worker) is passed over after a moment, and its turn
//!    goes to whoever asks next, who may well have stood in another worker's line.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use uuid::Uuid;

use super::{SLOWEST, WINDOW, seconds};

/// Mails that stand in a line at most; a further one is told the wait of the last and comes to ask for a number then.
const LONGEST: usize = 20_000;
/// How long a turn waits for its mail, in seconds: a queue promotes what is due in small steps.
const CALLED: f64 = 10.0;
/// A hair less than a turn counts as one, or rounding could make a mail wait twice.
const HAIR: f64 = 1e-6;
/// Clocks count whole milliseconds: a wait that is cut to them would end too soon.
const ROUNDED_UP: Duration = Duration::from_nanos(999_999);

#[derive(Debug)]
pub(super) struct Slowed {
    /// Mails a second.
    rate: f64,
    /// What was usual before, in mails a second.
    usual: f64,
    /// When the rate last changed.
    changed: Timestamp,
    /// Turns that have come so far, reckoned at `at`: the number `n`, from 0, may go once this is `n + 1`.
    come: f64,
    at: Timestamp,
    /// Turns that have come and whose mails did not.
    spare: f64,
    /// The number of who asks next.
    next: u32,
    /// Who waits under which number, and the other way about.
    line: BTreeMap<u32, Uuid>,
    numbers: HashMap<Uuid, u32>,
}

impl Slowed {
    /// From now on at half of what was `usual` (mails a second).
    pub(super) fn new(usual: f64, now: Timestamp) -> Self {
        Self {
            rate: (usual / 2.0).max(SLOWEST),
            usual,
            changed: now,
            come: 0.0,
            at: now,
            spare: 0.0,
            next: 0,
            line: BTreeMap::new(),
            numbers: HashMap::new(),
        }
    }

    /// Since when the rate is what it is.
    pub(super) fn changed(&self) -> Timestamp {
        self.changed
    }

    /// Half of that again.
    pub(super) fn halve(&mut self, now: Timestamp) {
        self.reckon(now);
        (self.rate, self.changed) = ((self.rate / 2.0).max(SLOWEST), now);
    }

    /// Doubles the rate for each quiet minute; whether it is beyond what was usual by now.
    pub(super) fn recovered(&mut self, now: Timestamp) -> bool {
        while seconds(self.changed, now) >= WINDOW {
            let then = after(self.changed, Duration::from_secs_f64(WINDOW));
            self.reckon(then);
            (self.rate, self.changed) = (self.rate * 2.0, then);
            if self.rate >= self.beyond() {
                return true;
            }
        }
        false
    }

    /// The rate from which on the domain is as all others.
    fn beyond(&self) -> f64 {
        self.usual.max(SLOWEST * 2.0) * 2.0
    }

    /// Takes the turn of this mail, if it has come.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub(super) fn take(&mut self, mail: Uuid, now: Timestamp) -> Result<(), Duration> {
        self.reckon(now);
        self.pass_over();
        let number = match self.numbers.get(&mail) {
            Some(number) => *number,
            None if self.spare >= 1.0 => {
                self.spare -= 1.0;
                return Ok(());
            }
            None => self.next,
        };
        if f64::from(number) + 1.0 <= self.come + HAIR {
            self.next = self.next.max(number + 1);
            self.numbers.remove(&mail);
            self.line.remove(&number);
            return Ok(());
        }
        if number == self.next && self.line.len() < LONGEST {
            self.next += 1;
            self.line.insert(number, mail);
            self.numbers.insert(mail, number);
        }
        Err(self.wait(number, now))
    }

    /// Counts the turns that have come by now.
    fn reckon(&mut self, now: Timestamp) {
        let most = f64::from(self.next) + self.rate.max(1.0);
        self.come = (self.come + self.rate * seconds(self.at, now)).min(most);
        self.at = self.at.max(now);
    }

    /// Takes out of the line whose turn came a while ago.
    fn pass_over(&mut self) {
        let long_ago = self.come - self.rate * CALLED;
        while let Some(first) = self.line.first_entry().filter(|first| f64::from(*first.key()) + 1.0 <= long_ago) {
            self.numbers.remove(&first.remove());
            self.spare = (self.spare + 1.0).min(self.rate.max(1.0));
        }
    }

    /// Until the turn of this number comes, at the soonest.
    fn wait(&self, number: u32, now: Timestamp) -> Duration {
        let (mut rate, mut waited) = (self.rate, 0.0);
        let mut turns = f64::from(number) + 1.0 - self.come;
        let mut lasts = WINDOW - seconds(self.changed, now);
        while turns > rate * lasts && rate < self.beyond() {
            turns -= rate * lasts;
            waited += lasts;
            (rate, lasts) = (rate * 2.0, WINDOW);
        }
        Duration::from_secs_f64(waited + turns / rate) + ROUNDED_UP
    }
}
