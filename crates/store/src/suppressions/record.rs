//! A suppression as it is kept.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::{At, Record, Row};
use crate::deliveries::Category;
use crate::error::StoreError;
use crate::words::words;

words! {
    /// Which mails a suppression holds.
    pub enum Covers {
        /// All of them.
        All = "all",
        /// Reports, the one category that people can unsubscribe from.
        Report = "report",
    }
}

words! {
    /// Why an address is suppressed.
    pub enum SuppressionReason {
        /// A receiver said that there is no such address (RFC 3463, 5.1.x).
        HardBounce = "hard_bounce",
        /// Its owner told their provider that our mail is unwanted (RFC 5965).
        Complaint = "complaint",
        /// Its owner unsubscribed (RFC 8058).
        Unsubscribe = "unsubscribe",
        /// Somebody here said so.
        Manual = "manual",
    }
}

impl Covers {
    /// Whether mails of `category` are held.
    #[must_use]
    pub fn includes(self, category: Category) -> bool {
        match self {
            Self::All => true,
            Self::Report => category == Category::Report,
        }
    }
}

/// A reason not to write to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Its id.
    pub id: Uuid,
    /// The address in lower case; none once its owner was erased.
    pub address: Option<String>,
    /// Which mails it holds.
    pub covers: Covers,
    /// Why.
    pub reason: SuppressionReason,
    /// What the receiver or the operator said.
    pub detail: Option<String>,
    /// The mail that led to it.
    pub delivery_id: Option<Uuid>,
    /// Who or what added it.
    pub actor: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was lifted; none: it is in force.
    pub lifted_at: Option<Timestamp>,
    /// Who lifted it.
    pub lifted_by: Option<String>,
}

/// Names the columns of [`Suppression`].
macro_rules! suppression_columns {
    () => {
        "id, address, covers, reason, detail, delivery_id, actor, created_at, lifted_at, lifted_by"
    };
}
pub(super) use suppression_columns;

impl Record for Suppression {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            address: row.get("address")?,
            covers: row.get("covers")?,
            reason: row.get("reason")?,
            detail: row.get("detail")?,
            delivery_id: row.get("delivery_id")?,
            actor: row.get("actor")?,
            created_at: row.get::<At>("created_at")?.0,
            lifted_at: row.get::<Option<At>>("lifted_at")?.map(|at| at.0),
            lifted_by: row.get("lifted_by")?,
        })
    }
}
