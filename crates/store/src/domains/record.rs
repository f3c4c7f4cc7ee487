//! A domain's row. What a check leads to is decided by the caller; the row is only changed if nobody else has meanwhile.

use jiff::Timestamp;
use sqlx::types::Json;

use super::history::{self, NewDomainCheck};
use super::relay::{self, DomainRelay, relay_columns};
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;
use crate::words::words;

words! {
    /// What is known of a domain.
    pub enum DomainState {
        /// No check has come to an answer yet.
        Unchecked = "unchecked",
        /// The last answer was good.
        Verified = "verified",
        /// The last answer was bad; it has to be confirmed by another.
        Suspect = "suspect",
        /// It was bad twice.
        Failed = "failed",
    }
}

/// A domain and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Its name, in lower case.
    pub name: String,
    /// Where it stands.
    pub state: DomainState,
    /// Raised with every change, from 1; 0 for one that is not stored yet.
    pub revision: u64,
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
    /// Whether the operators were told that its mail is held.
    pub told: bool,
    /// What is wrong, in one line.
    pub reason: Option<String>,
    /// The findings of the last check.
    pub report: Option<serde_json::Value>,
    /// The DKIM selector that signs; `None`: the configuration says.
    pub selector: Option<String>,
    /// The one that signed before.
    pub previous_selector: Option<String>,
    /// When that changed.
    pub switched_at: Option<Timestamp>,
    /// A fingerprint of the configuration that the last check was of.
    pub plan: Option<String>,
    /// Where it stands with further relays. All else here is about the first one.
    pub relays: Vec<DomainRelay>,
}

impl Domain {
    /// A domain of which nothing is known.
    #[must_use]
    pub fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: DomainState::Unchecked,
            revision: 0,
            checked_at: None,
            verified_at: None,
            failing_since: None,
            unclear_in_a_row: 0,
            next_check_at: None,
            told: false,
            reason: None,
            report: None,
            selector: None,
            previous_selector: None,
            switched_at: None,
            plan: None,
            relays: Vec::new(),
        }
    }
}

macro_rules! domain_columns {
    () => {
        "name, state, revision, checked_at, verified_at, failing_since, unclear_in_a_row, next_check_at, told, reason, \
         report, selector, previous_selector, switched_at, plan"
    };
}

impl Record for Domain {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let at = |column: &str| Ok::<_, StoreError>(row.get::<Option<At>>(column)?.map(Timestamp::from));
        Ok(Self {
            name: row.get("name")?,
            state: row.get("state")?,
            revision: row.number("revision")?,
            checked_at: at("checked_at")?,
            verified_at: at("verified_at")?,
            failing_since: at("failing_since")?,
            unclear_in_a_row: row.number("unclear_in_a_row")?,
            next_check_at: at("next_check_at")?,
            told: row.get("told")?,
            reason: row.get("reason")?,
            report: row.get::<Option<Json<serde_json::Value>>>("report")?.map(|json| json.0),
            selector: row.get("selector")?,
            previous_selector: row.get("previous_selector")?,
            switched_at: at("switched_at")?,
            plan: row.get("plan")?,
            relays: Vec::new(),
        })
    }
}

impl Store {
    /// A domain, if it was ever checked.
    ///
    /// # Errors
    /// As the database says.
    pub async fn domain(&self, name: &str) -> Result<Option<Domain>, StoreError> {
        let mut session = self.read().await?;
        let found: Option<Domain> = session
            .sql(concat!("SELECT ", domain_columns!(), " FROM domains WHERE name = $1"))
            .bind(name)
            .optional()
            .await?;
        let Some(mut domain) = found else { return Ok(None) };
        let relays: Vec<relay::Of> = session
            .sql(concat!("SELECT ", relay_columns!(), " FROM domain_relays WHERE domain = $1 ORDER BY relay"))
            .bind(name)
            .all()
            .await?;
        domain.relays = relays.into_iter().map(|relay::Of(_, relay)| relay).collect();
        Ok(Some(domain))
    }

    /// All domains that were ever checked, by name.
    ///
    /// # Errors
    /// As the database says.
    pub async fn domains(&self) -> Result<Vec<Domain>, StoreError> {
        let mut session = self.read().await?;
        let mut domains: Vec<Domain> =
            session.sql(concat!("SELECT ", domain_columns!(), " FROM domains ORDER BY name")).all().await?;
        let relays: Vec<relay::Of> = session
            .sql(concat!("SELECT ", relay_columns!(), " FROM domain_relays ORDER BY domain, relay"))
            .all()
            .await?;
        for relay::Of(name, relay) in relays {
            if let Some(domain) = domains.iter_mut().find(|domain| domain.name == name) {
                domain.relays.push(relay);
            }
        }
        Ok(domains)
    }

    /// Writes what a check has led to, if the row is still the one that was read (`revision`), together with a line of
    /// history if there is something new. Answers `false` if another check was quicker: read it again then.
    ///
    /// # Errors
    /// As the database says.
    pub async fn save_domain(
        &self,
        domain: &Domain,
        new: Option<&NewDomainCheck>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let statement = match domain.revision {
            0 => transaction.sql(
                "INSERT INTO domains (name, state, revision, checked_at, verified_at, failing_since, unclear_in_a_row,
                     next_check_at, told, reason, report, plan, selector, previous_selector, switched_at)
                 VALUES ($1, $2, $3 + 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, NULL)
                 ON CONFLICT (name) DO NOTHING",
            ),
            _ => transaction.sql(
                "UPDATE domains
                 SET state = $2, revision = revision + 1, checked_at = $4, verified_at = $5, failing_since = $6,
                     unclear_in_a_row = $7, next_check_at = $8, told = $9, reason = $10, report = $11, plan = $12,
                     selector = $13
                 WHERE name = $1 AND revision = $3",
            ),
        };
        let written = statement
            .bind(domain.name.as_str())
            .bind(domain.state)
            .bind(i64::try_from(domain.revision).unwrap_or(i64::MAX))
            .bind(domain.checked_at.map(At))
            .bind(domain.verified_at.map(At))
            .bind(domain.failing_since.map(At))
            .bind(i64::from(domain.unclear_in_a_row))
            .bind(domain.next_check_at.map(At))
            .bind(domain.told)
            .bind(domain.reason.as_deref())
            .bind(domain.report.as_ref().map(Json))
            .bind(domain.plan.as_deref())
            .bind(domain.selector.as_deref())
            .run()
            .await?;
        if written == 0 {
            return Ok(false);
        }
        relay::write(&mut transaction, domain).await?;
        if let Some(new) = new {
            history::add(&mut transaction, &domain.name, new, now).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Brings the next check of a domain forward to `at`, if it is not due before.
    ///
    /// # Errors
    /// As the database says.
    pub async fn check_domain_by(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        self.write_one()
            .await?
            .sql(
                "UPDATE domains SET next_check_at = $2, revision = revision + 1
                 WHERE name = $1 AND (next_check_at IS NULL OR next_check_at > $2)",
            )
            .bind(name)
            .bind(At(at))
            .run()
            .await?;
        Ok(())
    }

    /// From now on another selector signs. `from` is the one that signs until now. Answers `false` if the domain is not
    /// stored, another one is stored to sign, or that selector signs already.
    ///
    /// # Errors
    /// As the database says.
    pub async fn switch_selector(&self, name: &str, from: &str, to: &str, now: Timestamp) -> Result<bool, StoreError> {
        let switched = self
            .write_one()
            .await?
            .sql(
                "UPDATE domains
                 SET selector = $3, previous_selector = $2, switched_at = $4, revision = revision + 1
                 WHERE name = $1 AND COALESCE(selector, $2) = $2 AND $2 <> $3",
            )
            .bind(name)
            .bind(from)
            .bind(to)
            .bind(At(now))
            .run()
            .await?;
        Ok(switched > 0)
    }
}
