//! Interactions whose search was not known when they came.
//!
//! 1. They wait. Each roll-up looks again whether their search is there ([`Store::settle_searches`]), a piece at a time, each
//!    a transaction of its own: however many wait, it gets on.
//! 2. One that has waited for `orphan_after` counts as an orphan, in the hour in which it took place.
//! 3. A search that comes later still takes its orphans over (`ingest`); they stop counting as such. One that was committed
//!    at the very moment at which they became orphans cannot: those that just did are looked at once more.
//!
//! Whatever changes here marks the hours whose counts it changes.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::marks::{self, Mark};
use super::rules::{CLOCKS_APART, SearchRules, before, ms};
use super::window::{Granularity, from_ms};
use crate::db::{At, Backend, Record, Row, Statement, Store};
use crate::error::StoreError;

/// Which orphans just became such: two roll-ups are 5 minutes apart.
const JUST_ORPHANED: Duration = Duration::from_secs(11 * 60);
/// Interactions in one transaction.
const PIECE: usize = 10_000;
/// How long one statement may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of interactions that waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Their search was found.
    pub found: u64,
    /// They count as orphans now.
    pub orphaned: u64,
    /// Whether all were looked at.
    pub finished: bool,
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

/// The two lines of interactions that are looked at, each in the order of a time.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// They wait.
    Waiting,
    /// They became orphans just now.
    Orphaned,
}

impl Line {
    /// Who stands in it.
    fn stands(self) -> &'static str {
        match self {
            Self::Waiting => "search_at IS NULL AND orphaned_at IS NULL",
            Self::Orphaned => "search_at IS NULL AND orphaned_at IS NOT NULL",
        }
    }

    /// The place of who stands in it: a row of three.
    fn place(self) -> &'static str {
        match self {
            Self::Waiting => "(received_at, occurred_at, id)",
            Self::Orphaned => "(orphaned_at, occurred_at, id)",
        }
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Place(Timestamp, Timestamp, Uuid);

impl Record for Place {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.nth::<At>(0)?.into(), row.nth::<At>(1)?.into(), row.nth(2)?))
    }
}

impl Statement<'_> {
    /// The three of a place.
    fn bind_place(self, place: Place) -> Self {
        self.bind(At(place.0)).bind(At(place.1)).bind(place.2)
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
    /// Looks after the interactions that wait for their search. Between two pieces it asks `enough` whether to stop.
    /// `token` gives a new one with each call.
    ///
    /// # Errors
    /// As the database says; the pieces before it are done.
    pub async fn settle_searches(
        &self,
        rules: &SearchRules,
        token: impl Fn() -> Uuid,
        now: Timestamp,
        enough: impl Fn() -> bool,
    ) -> Result<Settled, StoreError> {
        let mut settled = Settled { finished: true, ..Settled::default() };
        let first = |since| Place(since, from_ms(0), Uuid::nil());
        for (line, from) in [(Line::Orphaned, first(before(now, JUST_ORPHANED))), (Line::Waiting, first(from_ms(0)))] {
            let mut from = Some(from);
            while let Some(after) = from {
                if enough() {
                    settled.finished = false;
                    return Ok(settled);
                }
                from = self.settle_piece(line, after, rules, token(), now, &mut settled).await?;
            }
        }
        Ok(settled)
    }

    /// Looks at those that stand next behind `after`; answers where it ended, if more may follow.
    async fn settle_piece(
        &self,
        line: Line,
        after: Place,
        rules: &SearchRules,
        token: Uuid,
        now: Timestamp,
        settled: &mut Settled,
    ) -> Result<Option<Place>, StoreError> {
        let (stands, place) = (line.stands(), line.place());
        let columns = place.trim_matches(['(', ')']);
        let mut session = self.begin().await?.patient(PATIENCE);
        let piece: Vec<Place> = session
            .sql(AssertSqlSafe(format!(
                "SELECT {columns} FROM search_interactions WHERE {stands} AND {place} > ($1, $2, $3)
                 ORDER BY {columns} LIMIT {PIECE}"
            )))
            .unprepared()
            .bind_place(after)
            .all()
            .await?;
        let Some(last) = piece.last().copied() else { return Ok(None) };
        let these = format!("{stands} AND {place} > ($3, $4, $5) AND {place} <= ($6, $7, $8)");
        let found: Vec<Resolved> = session
            .sql(AssertSqlSafe(resolving(self.backend(), &these)))
            .unprepared()
            .bind(ms(rules.attribution))
            .bind(ms(CLOCKS_APART))
            .bind_place(after)
            .bind_place(last)
            .all()
            .await?;
        let mut hours: BTreeSet<Timestamp> = found.iter().flat_map(Resolved::hours).collect();
        settled.found += found.len() as u64;
        if matches!(line, Line::Waiting) {
            let orphaned: Vec<Orphaned> = session
                .sql(AssertSqlSafe(format!(
                    "UPDATE search_interactions SET orphaned_at = $1 WHERE {these} AND received_at < $2
                     RETURNING occurred_at"
                )))
                .unprepared()
                .bind(At(now))
                .bind(At(before(now, rules.orphan_after)))
                .bind_place(after)
                .bind_place(last)
                .all()
                .await?;
            hours.extend(orphaned.iter().map(|Orphaned(at)| Granularity::Hour.floor(*at)));
            settled.orphaned += orphaned.len() as u64;
        }
        marks::set(&mut session, Granularity::Hour, &hours, Mark::of(token), now).await?;
        session.commit().await?;
        // Times are told in milliseconds: a place that is not further on would be come to for ever.
        Ok(Some(last).filter(|last| piece.len() == PIECE && *last > after))
    }
}
