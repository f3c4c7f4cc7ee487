//! What mails ask for and this process does not have: a sender profile, a template.
//!
//! 1. It may be on its way: in a rolling deploy workers of two releases run beside each other. For a grace such a mail waits,
//!    and whichever worker has what it needs sends it.
//! 2. Then it is held, and the operators are told: once an hour for each thing, however many mails wait for it.
//! 3. When one of them goes on, they are told that it is over.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;

use crate::notices::{Notice, Severity};

/// How long a thing is not told of again.
const AGAIN: Duration = Duration::from_hours(1);
/// Things that are remembered at most.
const MOST: usize = 1000;

/// A thing that a mail needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lack {
    /// A sender profile, with a key that signs for it.
    Sender(String),
    /// A template.
    Template(String),
}

impl Lack {
    /// The kind of the notice.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sender(_) => "mail.sender_missing",
            Self::Template(_) => "mail.template_missing",
        }
    }

    /// What the notice is about.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let (label, name) = match self {
            Self::Sender(name) => ("sender", name),
            Self::Template(name) => ("template", name),
        };
        [(label.to_owned(), name.clone())].into()
    }

    /// What the operators are told when mail is held for want of it.
    #[must_use]
    pub fn notice(&self) -> Notice {
        let (title, lacks) = match self {
            Self::Sender(name) => (
                format!("Mail of the sender {name} is held"),
                "A worker has no such sender under [mail.senders], with a key that signs for it.",
            ),
            Self::Template(name) => (
                format!("Mail of the template {name} is held"),
                "A worker has no such template: neither its release nor its own folder has one.",
            ),
        };
        Notice {
            kind: self.kind().to_owned(),
            severity: Severity::Critical,
            title,
            detail: format!("{lacks} It leaves by itself when a worker that has it starts."),
            labels: self.labels(),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sender(name) => write!(f, "this worker has no sender {name:?} with a key that signs for it"),
            Self::Template(name) => write!(f, "this worker has no template {name:?}"),
        }
    }
}

/// How long mails wait for it, and what was told of it.
#[derive(Debug)]
pub struct Lacking {
    grace: Duration,
    told: Mutex<HashMap<(Lack, bool), Timestamp>>,
}

impl Default for Lacking {
    /// Ten minutes.
    fn default() -> Self {
        Self::new(Duration::from_mins(10))
    }
}

impl Lacking {
    /// With this grace (`queue.unknown_grace`).
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { grace, told: Mutex::default() }
    }

    /// How long a mail still waits at `now` that has lacked something since `since` and is worth nothing after `deadline`, and
    /// when to look again; `None`: it has waited long enough.
    #[must_use]
    pub fn wait(&self, since: Timestamp, deadline: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        let end = after(since, self.grace);
        let end = deadline.map_or(end, |deadline| end.min(deadline));
        let left = Duration::try_from(end.duration_since(now)).ok().filter(|left| !left.is_zero())?;
        Some((self.grace / 10).clamp(Duration::from_millis(50), Duration::from_secs(30)).min(left))
    }

    /// Whether the operators are to be told now that mail is held for want of it (`held`), or that this is over.
    pub fn is_news(&self, lack: &Lack, held: bool, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&(lack.clone(), held)).is_some_and(|at| after(*at, AGAIN) > now) {
            return false;
        }
        if told.len() >= MOST {
            told.clear();
        }
        told.remove(&(lack.clone(), !held));
        told.insert((lack.clone(), held), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        after("2027-03-01T09:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
    }

    #[test]
    fn a_mail_waits_for_the_grace_and_not_beyond_its_deadline() {
        let lacking = Lacking::new(Duration::from_secs(600));
        let wait =
            |deadline: Option<u64>, now: u64| lacking.wait(at(0), deadline.map(at), at(now)).map(|w| w.as_secs());
        assert_eq!([wait(None, 0), wait(None, 590), wait(None, 600)], [Some(30), Some(10), None]);
        assert_eq!([wait(Some(60), 0), wait(Some(60), 50), wait(Some(60), 60)], [Some(30), Some(10), None]);
        assert_eq!(Lacking::new(Duration::ZERO).wait(at(0), None, at(0)), None);
    }

    #[test]
    fn the_operators_hear_of_a_thing_once_an_hour_and_when_it_is_there_again() {
        let lacking = Lacking::default();
        let (one, two) = (Lack::Template("one".to_owned()), Lack::Sender("one".to_owned()));
        assert!(lacking.is_news(&one, true, at(0)) && lacking.is_news(&two, true, at(0)));
        assert!(!lacking.is_news(&one, true, at(3599)) && lacking.is_news(&one, true, at(3600)));
        assert!(lacking.is_news(&one, false, at(3700)) && !lacking.is_news(&one, false, at(3701)));
        assert!(lacking.is_news(&one, true, at(3702)), "it was over in between");
    }
}
