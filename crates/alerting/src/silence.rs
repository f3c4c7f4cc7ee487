//! A silence: what it matches is not told to anybody for a while.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::alert::{Invalid, later};
use crate::labels::{Labels, is_unprintable};
use crate::matcher::{Matcher, all_match};

/// A silence. Incidents that it mutes are kept and counted like all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// All of them have to match.
    pub matchers: Vec<Matcher>,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// From when it mutes.
    pub starts_at: Timestamp,
    /// Until when; this instant is no longer in it.
    pub ends_at: Timestamp,
}

/// What a silence does at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    /// It will begin.
    Pending,
    /// It mutes.
    Active,
    /// It is over.
    Expired,
}

impl SilenceState {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

impl Silence {
    /// The most matchers that a silence has.
    pub const MOST_MATCHERS: usize = 32;
    /// The longest author, in bytes.
    pub const LONGEST_AUTHOR: usize = 200;
    /// The longest comment, in bytes.
    pub const LONGEST_COMMENT: usize = 1024;
    /// How long one may last, and how far ahead it may begin: nothing is silenced for good.
    pub const LONGEST: Duration = Duration::from_hours(24 * 366);

    /// What it does at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if now < self.starts_at {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Whether it mutes at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active
    }

    /// Whether it is about an alert with these labels ([`crate::Alert::subject`]), at whatever time.
    #[must_use]
    pub fn mutes(&self, subject: &Labels) -> bool {
        all_match(&self.matchers, subject)
    }

    /// Everything that is wrong with one that is to be made, or changed, at `now`.
    ///
    /// # Errors
    /// A list that is not empty.
    pub fn validate(&self, now: Timestamp) -> Result<(), Vec<Invalid>> {
        let mut wrong = Vec::new();
        if self.matchers.is_empty() {
            wrong.push(Invalid::new("matchers", "at least one is needed"));
        } else if self.matchers.len() > Self::MOST_MATCHERS {
            wrong.push(Invalid::new("matchers", format!("at most {}", Self::MOST_MATCHERS)));
        } else if self.matchers.iter().all(|matcher| matcher.matches_value("")) {
            wrong.push(Invalid::new(
                "matchers",
                "would match everything: at least one must ask for a label to be there",
            ));
        }
        text(&mut wrong, "created_by", &self.created_by, Self::LONGEST_AUTHOR, is_unprintable);
        if self.created_by.trim().is_empty() {
            wrong.push(Invalid::new("created_by", "must not be empty"));
        }
        text(&mut wrong, "comment", &self.comment, Self::LONGEST_COMMENT, |c| is_unprintable(c) && c != '\n');
        if self.ends_at <= self.starts_at {
            wrong.push(Invalid::new("ends_at", "must be later than starts_at"));
        } else if self.ends_at <= now {
            wrong.push(Invalid::new("ends_at", "lies in the past"));
        } else if self.ends_at > later(self.starts_at, Self::LONGEST) {
            wrong.push(Invalid::new("ends_at", "lies more than 366 days after starts_at"));
        }
        if self.starts_at > later(now, Self::LONGEST) {
            wrong.push(Invalid::new("starts_at", "lies more than 366 days ahead"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn text(wrong: &mut Vec<Invalid>, field: &str, text: &str, longest: usize, bad: impl Fn(char) -> bool) {
    if text.len() > longest {
        wrong.push(Invalid::new(field, format!("has {} bytes: at most {longest}", text.len())));
    } else if text.chars().any(bad) {
        wrong.push(Invalid::new(field, "has a control character"));
    }
}
