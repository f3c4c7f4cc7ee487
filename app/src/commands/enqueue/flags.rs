//! Reading the flags of `enqueue`. The ranges are those of the API.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use job::Priority;

use crate::commands::Usage;

/// Ten years: the longest delay, and the longest that a key is held after its job's end.
const LONGEST: Duration = Duration::from_secs(3_653 * 86_400);
/// What the envelope can carry: 49 days.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(49 * 86_400);
/// The most tags, and the longest tag in bytes.
const TAGS: (usize, usize) = (16, 64);

pub fn priority(text: &str) -> Result<Priority, String> {
    let number = text.parse().map_err(|_| "a number from 0, the most urgent, to 9 is expected".to_owned())?;
    Priority::new(number).map_err(|e| e.to_string())
}

/// `--delay` and `--unique-for`.
pub fn long(text: &str) -> Result<Duration, String> {
    at_most(text, LONGEST)
}

pub fn timeout(text: &str) -> Result<Duration, String> {
    match at_most(text, LONGEST_TIMEOUT)? {
        Duration::ZERO => Err("at least 1ms is expected".to_owned()),
        time => Ok(time),
    }
}

fn at_most(text: &str, limit: Duration) -> Result<Duration, String> {
    match job::duration::parse(text) {
        Ok(time) if time <= limit => Ok(time),
        Ok(_) => Err(format!("at most {} is expected", job::duration::format(limit))),
        Err(_) => Err("a time such as 500ms, 30s, 5m, 24h or 7d is expected".to_owned()),
    }
}

/// `--run-at` and `--expires-at`.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "an RFC 3339 time such as 2026-11-24T09:00:00Z is expected".to_owned())
}

pub fn tag(text: &str) -> Result<String, String> {
    let (_, longest) = TAGS;
    match text.is_empty() || text.len() > longest || text.chars().any(char::is_control) {
        true => Err(format!("1 to {longest} bytes of visible text are expected")),
        false => Ok(text.to_owned()),
    }
}

/// Refuses too many tags, and one that is given twice.
pub fn distinct(tags: &[String]) -> Result<(), Usage> {
    let (most, _) = TAGS;
    if tags.len() > most {
        return Err(Usage(format!("--tag: at most {most} are allowed, not {}", tags.len())));
    }
    let mut seen = HashSet::new();
    match tags.iter().find(|tag| !seen.insert(*tag)) {
        Some(twice) => Err(Usage(format!("--tag {twice}: given twice"))),
        None => Ok(()),
    }
}
