//! All that burns, a page at a time: memory does not grow with it.

use alerting::{Labels, Severity};
use sqlx::types::Json;

use super::record::{Incident, incident_columns, severity};
use crate::db::{Record, Row, Store};
use crate::error::StoreError;

/// Rows that are read at once.
const PAGE: i64 = 2_000;

/// What routes, silences and inhibitions look at of an incident that burns.
#[derive(Debug, Clone, PartialEq)]
pub struct Burning {
    /// The type and the labels of its alerts, hashed.
    pub fingerprint: String,
    /// The type of its alerts.
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub labels: Labels,
}

impl Burning {
    /// [`Incident::subject`].
    #[must_use]
    pub fn subject(&self) -> Labels {
        alerting::subject(&self.kind, self.severity, &self.labels)
    }
}

impl Record for Burning {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            fingerprint: row.get("fingerprint")?,
            kind: row.get("kind")?,
            severity: severity(row, "severity")?,
            labels: row.get::<Json<Labels>>("labels")?.0,
        })
    }
}

impl Store {
    /// Shows every incident that burns, in the order of their fingerprints.
    ///
    /// # Errors
    /// As the database says.
    pub async fn each_burning(&self, mut see: impl FnMut(&Burning) + Send) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            // A session a page: nobody waits for all of it.
            let page: Vec<Burning> = self
                .read()
                .await?
                .sql(
                    "SELECT fingerprint, kind, severity, labels FROM incidents
                     WHERE retired_at IS NULL AND state IN ('open', 'acknowledged') AND fingerprint > $1
                     ORDER BY fingerprint LIMIT $2",
                )
                .bind(after.as_str())
                .bind(PAGE)
                .all()
                .await?;
            page.iter().for_each(&mut see);
            match page.last() {
                Some(last) if page.len() as i64 == PAGE => after.clone_from(&last.fingerprint),
                _ => return Ok(()),
            }
        }
    }

    /// The incidents that burn whose fingerprints come after this one, in their order, up to `limit`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn burning_after(&self, fingerprint: &str, limit: u32) -> Result<Vec<Incident>, StoreError> {
        self.read()
            .await?
            .sql(concat!(
                "SELECT ",
                incident_columns!(),
                " FROM incidents
                 WHERE retired_at IS NULL AND state IN ('open', 'acknowledged') AND fingerprint > $1
                 ORDER BY fingerprint LIMIT $2"
            ))
            .bind(fingerprint)
            .bind(i64::from(limit))
            .all()
            .await
    }
}
