//! What this process knows of domains: rows of the store, a few seconds old at most, and what it found itself.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use store::Domain;

/// How long a row counts. What another process found is heard of after so long.
const FRESH: Duration = Duration::from_secs(5);

/// Rows and when they were read.
#[derive(Default)]
pub struct Known {
    rows: RwLock<HashMap<String, (Timestamp, Option<Domain>)>>,
    /// What the last check of this process has led to. It stands where another process has written what it found of another
    /// configuration.
    own: RwLock<HashMap<String, Domain>>,
}

impl Known {
    /// The row without its findings, while it is fresh; the inner one is none for a domain that is not stored.
    pub fn fresh(&self, name: &str, now: Timestamp) -> Option<Option<Domain>> {
        let (read_at, row) = self.rows.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        (read_at <= now && now < after(read_at, FRESH)).then_some(row)
    }

    /// What is in memory, however old.
    pub fn get(&self, name: &str) -> Option<Domain> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(name).and_then(|(_, row)| row.clone())
    }

    /// What this process itself found last.
    pub fn own(&self, name: &str) -> Option<Domain> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Keeps what a check of this process has led to.
    pub fn write(&self, row: Domain, now: Timestamp) {
        let name = row.name.clone();
        let row = Domain { report: None, ..row };
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), row.clone());
        self.keep(&name, Some(row), now);
    }

    /// Keeps a row that was just read, without the findings: this is looked up for every mail.
    pub fn keep(&self, name: &str, mut row: Option<Domain>, now: Timestamp) {
        if let Some(row) = &mut row {
            row.report = None;
        }
        self.rows.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), (now, row));
    }
}
