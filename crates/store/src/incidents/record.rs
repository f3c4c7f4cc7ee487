//! An incident as it is read.

use alerting::{Details, Labels, Severity};
use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{At, Record, Row};
use crate::error::StoreError;
use crate::words::words;

words! {
    /// Where an incident stands.
    pub enum IncidentState {
        /// It burns, and nobody has taken it on.
        Open = "open",
        /// It burns, and somebody takes care of it.
        Acknowledged = "acknowledged",
        /// It is over.
        Resolved = "resolved",
    }
}

/// Something that is, or was, wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: Uuid,
    /// The type and the labels of its alerts, hashed.
    pub fingerprint: String,
    /// The type of its alerts.
    pub kind: String,
    /// How much it matters, as the last alert told.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// In more words.
    pub message: String,
    /// What it is about.
    pub labels: Labels,
    /// What else is known of it.
    pub details: Details,
    /// Where it stands.
    pub state: IncidentState,
    /// Alerts that said that it burns.
    pub alerts: i64,
    /// Those of them that came while it burned already, and did not matter more: nobody is told of them one by one.
    pub suppressed: i64,
    /// How often it came back soon after it was over.
    pub reopened: i64,
    /// When it began, as its sender told.
    pub starts_at: Timestamp,
    /// When the first alert came.
    pub first_seen_at: Timestamp,
    /// When it was last opened or re-opened.
    pub opened_at: Timestamp,
    /// When the last alert came that said that it burns.
    pub last_seen_at: Timestamp,
    /// Not heard of until then, it is over; none: only somebody's word ends it.
    pub expires_at: Option<Timestamp>,
    /// When somebody took it on.
    pub acknowledged_at: Option<Timestamp>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// Who said so; none: an alert, or silence.
    pub resolved_by: Option<String>,
    /// When a later incident took over its fingerprint.
    pub retired_at: Option<Timestamp>,
}

/// The columns of an incident, in the order in which they are written.
macro_rules! incident_columns {
    () => {
        "id, fingerprint, kind, severity, title, message, labels, details, state, alerts, suppressed, reopened, \
         starts_at, first_seen_at, opened_at, last_seen_at, expires_at, acknowledged_at, acknowledged_by, resolved_at, \
         resolved_by, retired_at"
    };
}
pub(super) use incident_columns;

/// How many columns that are.
pub(super) const COLUMNS: usize = 22;

impl Record for Incident {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let instant = |column| Ok::<_, StoreError>(row.get::<Option<At>>(column)?.map(|at| at.0));
        Ok(Self {
            id: row.get("id")?,
            fingerprint: row.get("fingerprint")?,
            kind: row.get("kind")?,
            severity: severity(row, "severity")?,
            title: row.get("title")?,
            message: row.get("message")?,
            labels: row.get::<Json<Labels>>("labels")?.0,
            details: row.get::<Json<Details>>("details")?.0,
            state: row.get("state")?,
            alerts: row.get("alerts")?,
            suppressed: row.get("suppressed")?,
            reopened: row.get("reopened")?,
            starts_at: row.get::<At>("starts_at")?.0,
            first_seen_at: row.get::<At>("first_seen_at")?.0,
            opened_at: row.get::<At>("opened_at")?.0,
            last_seen_at: row.get::<At>("last_seen_at")?.0,
            expires_at: instant("expires_at")?,
            acknowledged_at: instant("acknowledged_at")?,
            acknowledged_by: row.get("acknowledged_by")?,
            resolved_at: instant("resolved_at")?,
            resolved_by: row.get("resolved_by")?,
            retired_at: instant("retired_at")?,
        })
    }
}

/// A severity in a column.
pub(super) fn severity(row: &Row, column: &str) -> Result<Severity, StoreError> {
    let word: String = row.get(column)?;
    word.parse().map_err(|_| StoreError::Corrupt(format!("{word:?} is no severity")))
}

impl Incident {
    /// Whether it burns.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state != IncidentState::Resolved
    }

    /// What routes, silences and inhibitions look at: its labels, `alertname`, `type` and `severity`.
    #[must_use]
    pub fn subject(&self) -> Labels {
        alerting::subject(&self.kind, self.severity, &self.labels)
    }
}
