//! Where a domain stands with a further relay: the same that is known of it with the first, in a row of its own.

use jiff::Timestamp;

use super::record::{Domain, DomainState};
use crate::db::{At, Record, Row, Session};
use crate::error::StoreError;

/// What is known of mail of a domain that leaves by a further relay.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRelay {
    /// The relay's name, as in the ledger.
    pub relay: String,
    /// Where it stands.
    pub state: DomainState,
    /// When it was last checked.
    pub checked_at: Option<Timestamp>,
    /// When a check was last good.
    pub verified_at: Option<Timestamp>,
    /// Since when checks are bad, without a good one between.
    pub failing_since: Option<Timestamp>,
    /// Checks in a row that came to no answer.
    pub unclear_in_a_row: u32,
    /// When it is to be checked again.
    pub next_check_at: Option<Timestamp>,
    /// Whether the operators were told that it cannot take over.
    pub told: bool,
    /// What is wrong, in one line.
    pub reason: Option<String>,
}

impl DomainRelay {
    /// As if the domain had no other relay: the same rules hold for both.
    #[must_use]
    pub fn as_domain(&self, name: &str) -> Domain {
        Domain {
            state: self.state,
            checked_at: self.checked_at,
            verified_at: self.verified_at,
            failing_since: self.failing_since,
            unclear_in_a_row: self.unclear_in_a_row,
            next_check_at: self.next_check_at,
            told: self.told,
            reason: self.reason.clone(),
            ..Domain::unknown(name)
        }
    }

    /// The way back from [`DomainRelay::as_domain`].
    #[must_use]
    pub fn of(relay: &str, domain: Domain) -> Self {
        Self {
            relay: relay.to_owned(),
            state: domain.state,
            checked_at: domain.checked_at,
            verified_at: domain.verified_at,
            failing_since: domain.failing_since,
            unclear_in_a_row: domain.unclear_in_a_row,
            next_check_at: domain.next_check_at,
            told: domain.told,
            reason: domain.reason,
        }
    }
}

/// A row, and the domain that it is about.
pub(super) struct Of(pub(super) String, pub(super) DomainRelay);

impl Record for Of {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let at = |column: &str| Ok::<_, StoreError>(row.get::<Option<At>>(column)?.map(Timestamp::from));
        let relay = DomainRelay {
            relay: row.get("relay")?,
            state: row.get("state")?,
            checked_at: at("checked_at")?,
            verified_at: at("verified_at")?,
            failing_since: at("failing_since")?,
            unclear_in_a_row: row.number("unclear_in_a_row")?,
            next_check_at: at("next_check_at")?,
            told: row.get("told")?,
            reason: row.get("reason")?,
        };
        Ok(Self(row.get("domain")?, relay))
    }
}

/// Names the columns of [`Of`].
macro_rules! relay_columns {
    () => {
        "domain, relay, state, checked_at, verified_at, failing_since, unclear_in_a_row, next_check_at, told, reason"
    };
}
pub(super) use relay_columns;

/// Writes all rows of a domain anew: relays that are no longer configured go.
pub(super) async fn write(session: &mut Session, domain: &Domain) -> Result<(), StoreError> {
    session.sql("DELETE FROM domain_relays WHERE domain = $1").bind(domain.name.as_str()).run().await?;
    for relay in &domain.relays {
        session
            .sql(concat!(
                "INSERT INTO domain_relays (",
                relay_columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ))
            .bind(domain.name.as_str())
            .bind(relay.relay.as_str())
            .bind(relay.state)
            .bind(relay.checked_at.map(At))
            .bind(relay.verified_at.map(At))
            .bind(relay.failing_since.map(At))
            .bind(i64::from(relay.unclear_in_a_row))
            .bind(relay.next_check_at.map(At))
            .bind(relay.told)
            .bind(relay.reason.as_deref())
            .run()
            .await?;
    }
    Ok(())
}
