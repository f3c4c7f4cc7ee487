//! What this process knows of domains: rows of the store, a few seconds old at most.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use store::{Domain, Store, StoreError};

/// How long a row counts. What another process found is heard of after so long.
const FRESH: Duration = Duration::from_secs(5);

/// Rows and when they were read.
#[derive(Default)]
pub struct Known(RwLock<HashMap<String, (Timestamp, Option<Domain>)>>);

impl Known {
    /// The row without its findings, from memory while it is fresh.
    pub async fn read(&self, name: &str, store: &Store, now: Timestamp) -> Result<Option<Domain>, StoreError> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some((read_at, row)) = kept
            && read_at <= now
            && now < after(read_at, FRESH)
        {
            return Ok(row);
        }
        self.keep(name, store.domain(name).await?, now);
        Ok(self.get(name))
    }

    /// What is in memory, however old.
    pub fn get(&self, name: &str) -> Option<Domain> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).and_then(|(_, row)| row.clone())
    }

    /// Keeps a row that was just written or read.
    pub fn write(&self, row: Domain, now: Timestamp) {
        let name = row.name.clone();
        self.keep(&name, Some(row), now);
    }

    /// Without the findings: this is read for every mail.
    fn keep(&self, name: &str, mut row: Option<Domain>, now: Timestamp) {
        if let Some(row) = &mut row {
            row.report = None;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), (now, row));
    }
}
