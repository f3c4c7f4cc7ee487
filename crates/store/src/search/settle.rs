//! Interactions whose search was not known when they came.
//!
//! 1. They wait. Each roll-up looks again whether their search is there ([`Store::settle_searches`]).
//! 2. One that has waited for `orphan_after` counts as an orphan, in the hour in which it took place.
//! 3. A search that comes later still takes its orphans over (`ingest`); they stop counting as such.
//!
//! Whatever changes here marks the hours whose counts it changes.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::marks::{self, slot_of};
use super::rules::{CLOCKS_APART, SearchRules, before, ms};
use super::window::Granularity;
use crate::db::{At, Backend, Record, Row, Store};
use crate::error::StoreError;

/// A search may be committed at the same moment at which its interaction becomes an orphan: those that just did are
/// looked at once more.
const JUST_ORPHANED: Duration = Duration::from_secs(30 * 60);
/// How long one statement may take: many may wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of interactions that waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Their search was found.
    pub found: u64,
    /// They count as orphans now.
    pub orphaned: u64,
}

/// An interaction that was given its search.
pub(super) struct Resolved {
    occurred_at: Timestamp,
    search_at: Timestamp,
}

impl Record for Resolved {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { occurred_at: row.get::<At>("occurred_at")?.into(), search_at: row.get::<At>("search_at")?.into() })
    }
}

impl Resolved {
    /// The hours whose counts this changes: that of the search, and that in which it may have counted as an orphan.
    pub(super) fn hours(&self) -> [Timestamp; 2] {
        [self.occurred_at, self.search_at].map(|at| Granularity::Hour.floor(at))
    }
}

struct Orphaned(Timestamp);

impl Record for Orphaned {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<At>("occurred_at")?.into()))
    }
}

/// The statement that gives interactions which wait their search, where it is known: those of which `which` holds. It
/// binds the attribution and [`CLOCKS_APART`] in milliseconds, then what `which` wants from `$3`.
pub(super) fn resolving(backend: Backend, which: &str) -> String {
    let (earliest, latest) = match backend {
        Backend::Postgres => {
            ("i.occurred_at - $1 * INTERVAL '1 millisecond'", "i.occurred_at + $2 * INTERVAL '1 millisecond'")
        }
        Backend::Sqlite => ("i.occurred_at - $1", "i.occurred_at + $2"),
    };
    let search = format!(
        "SELECT s.occurred_at FROM searches s
         WHERE s.id = i.search_id AND s.occurred_at >= {earliest} AND s.occurred_at <= {latest}"
    );
    format!(
        "UPDATE search_interactions AS i SET search_at = ({search} ORDER BY s.occurred_at LIMIT 1), orphaned_at = NULL
         WHERE i.search_at IS NULL AND {which} AND EXISTS ({search})
         RETURNING occurred_at, search_at"
    )
}

impl Store {
    /// Looks after the interactions that wait for their search. `token` is this call's own.
    ///
    /// # Errors
    /// As the database says; then nothing has changed.
    pub async fn settle_searches(
        &self,
        rules: &SearchRules,
        token: Uuid,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut session = self.begin().await?.patient(PATIENCE);
        let recently = before(now, JUST_ORPHANED);
        let which = "(i.orphaned_at IS NULL OR i.orphaned_at >= $3)";
        let found: Vec<Resolved> = session
            .sql(AssertSqlSafe(resolving(self.backend(), which)))
            .unprepared()
            .bind(ms(rules.attribution))
            .bind(ms(CLOCKS_APART))
            .bind(At(recently))
            .all()
            .await?;
        let orphaned: Vec<Orphaned> = session
            .sql(
                "UPDATE search_interactions SET orphaned_at = $1
                 WHERE search_at IS NULL AND orphaned_at IS NULL AND received_at < $2
                 RETURNING occurred_at",
            )
            .bind(At(now))
            .bind(At(before(now, rules.orphan_after)))
            .all()
            .await?;
        let mut hours: BTreeSet<Timestamp> = found.iter().flat_map(Resolved::hours).collect();
        hours.extend(orphaned.iter().map(|Orphaned(at)| Granularity::Hour.floor(*at)));
        marks::set(&mut session, Granularity::Hour, &hours, slot_of(token), token, now).await?;
        session.commit().await?;
        Ok(Settled { found: found.len() as u64, orphaned: orphaned.len() as u64 })
    }
}
