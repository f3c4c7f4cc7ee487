//! Counting a window, and replacing what was counted of it before.
//!
//! 1. It draws a turn, reads the window's marks, then counts all of its searches anew.
//! 2. In one transaction: the window's row takes the turn, or the count is dropped because a later turn was quicker; the
//!    rows of the window are removed, so that queries which vanished leave; the new ones are written; the marks that it had
//!    read go, unless they have changed. An hour marks its day, with a mark of its own that nobody overwrites.
//! 3. A day is counted hour by hour, and each of its hours that is marked is written on the way: the events are read once.
//!    Its queries are the sums of its hours'; its other counts are taken from the events, for medians and different
//!    searchers cannot be added up.
//! 4. A day whose hourly queries may have gone with their age has its queries from the events, too. A window some of whose
//!    events may have gone stays as it was counted.
//! 5. A window of too many kinds is read once more, with the most frequent ones known (`tally`).
//!
//! So twice is harmless, at the same time too: what the last turn has seen stands, and what it has not seen is marked.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::counted::{insert_metrics, insert_queries, sum_queries};
use super::facts::Fact;
use super::marks::{self, Mark};
use super::rules::SearchRules;
use super::state;
use super::tally::{MOST_KINDS, Tally};
use super::window::Granularity;
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// How long one statement may take: a day's queries are summed in one.
const PATIENCE: Duration = Duration::from_secs(300);

/// A window that was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolledWindow {
    /// Its searches, without those that were folded.
    pub searches: u64,
    /// Whether it was written; if not, another count with a later turn was, or it is as it was (`kept`).
    pub written: bool,
    /// Some of its events have gone with their age: it stays as it was counted.
    pub kept: bool,
    /// Hours that were written: itself, or those of the day.
    pub hours: u64,
}

/// A window that is being counted.
struct Count {
    granularity: Granularity,
    starts_at: Timestamp,
    /// Drawn before the first event was read.
    turn: i64,
    /// Read before the first event was.
    marks: Vec<Mark>,
    tally: Tally,
    orphans: u64,
}

struct Kind(String);

impl Record for Kind {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("kind")?))
    }
}

struct Counted;

impl Record for Counted {
    fn read(_: &Row) -> Result<Self, StoreError> {
        Ok(Self)
    }
}

impl Store {
    /// Counts the window of this length that begins at `starts_at`; with a day, those of its hours that hold events which
    /// are not counted yet.
    ///
    /// # Errors
    /// As the database says; then windows that are not written are as they were.
    pub async fn roll_search_window(
        &self,
        granularity: Granularity,
        starts_at: Timestamp,
        rules: &SearchRules,
        now: Timestamp,
    ) -> Result<RolledWindow, StoreError> {
        if granularity == Granularity::Day {
            return self.roll_search_day(starts_at, rules, now).await;
        }
        let mut hour = self.begin_count(granularity, starts_at, true).await?;
        self.read_hour(&mut hour, None, rules).await?;
        let mark = Mark::of_turns(hour.turn, hour.turn);
        self.write_count(hour, mark, now).await
    }

    async fn roll_search_day(
        &self,
        starts_at: Timestamp,
        rules: &SearchRules,
        now: Timestamp,
    ) -> Result<RolledWindow, StoreError> {
        let with_queries = state::gone(&mut self.read().await?).await?.has_queries_of(starts_at);
        let mut day = self.begin_count(Granularity::Day, starts_at, with_queries).await?;
        let mut written = 0;
        for start in hours_of(starts_at) {
            let mut hour = self.begin_count(Granularity::Hour, start, true).await?;
            if hour.marks.is_empty() {
                self.read_again(&mut day.tally, Granularity::Hour, start, rules).await?;
                day.orphans += self.count_orphans(start, Granularity::Hour.next(start)).await?;
            } else {
                self.read_hour(&mut hour, Some(&mut day), rules).await?;
                // The mark that its own hour leaves is as good as read: it was counted with it.
                let mark = Mark::of_turns(day.turn, hour.turn);
                let rolled = self.write_count(hour, mark, now).await?;
                if rolled.written {
                    day.marks.push(mark);
                }
                written += rolled.hours;
            }
        }
        if day.tally.has_too_many_kinds() {
            day.tally = Tally::of_kinds(self.frequent_kinds(&day).await?, with_queries);
            for start in hours_of(starts_at) {
                self.read_again(&mut day.tally, Granularity::Hour, start, rules).await?;
            }
        }
        let mark = Mark::of_turns(day.turn, day.turn);
        let rolled = self.write_count(day, mark, now).await?;
        Ok(RolledWindow { hours: written, ..rolled })
    }

    async fn begin_count(
        &self,
        granularity: Granularity,
        starts_at: Timestamp,
        with_queries: bool,
    ) -> Result<Count, StoreError> {
        let turn = state::draw_turn(&mut self.write_one().await?).await?;
        let marks = marks::of(&mut self.read().await?, granularity, starts_at).await?;
        Ok(Count { granularity, starts_at, turn, marks, tally: Tally::new(with_queries), orphans: 0 })
    }

    /// Counts an hour's events, and counts them for its day too.
    async fn read_hour(
        &self,
        hour: &mut Count,
        mut day: Option<&mut Count>,
        rules: &SearchRules,
    ) -> Result<(), StoreError> {
        let (start, end) = (hour.starts_at, hour.granularity.next(hour.starts_at));
        let take = |fact: Fact| {
            if let Some(day) = &mut day {
                day.tally.add(&fact);
            }
            hour.tally.add(&fact);
        };
        self.each_search_fact(start, end, rules, true, take).await?;
        hour.orphans = self.count_orphans(start, end).await?;
        if let Some(day) = day {
            day.orphans += hour.orphans;
        }
        if hour.tally.has_too_many_kinds() {
            hour.tally = Tally::of_kinds(self.frequent_kinds(hour).await?, true);
            self.read_again(&mut hour.tally, hour.granularity, start, rules).await?;
        }
        Ok(())
    }

    /// Counts the searches of a window for `tally` alone.
    async fn read_again(
        &self,
        tally: &mut Tally,
        granularity: Granularity,
        starts_at: Timestamp,
        rules: &SearchRules,
    ) -> Result<(), StoreError> {
        let (end, with_queries) = (granularity.next(starts_at), tally.has_queries());
        self.each_search_fact(starts_at, end, rules, with_queries, |fact| tally.add(&fact)).await
    }

    /// The kinds of most of a window's searches.
    async fn frequent_kinds(&self, count: &Count) -> Result<HashSet<String>, StoreError> {
        let kinds: Vec<Kind> = self
            .read()
            .await?
            .patient(PATIENCE)
            .sql(
                "SELECT kind FROM searches WHERE occurred_at >= $1 AND occurred_at < $2
                 GROUP BY kind ORDER BY COUNT(*) DESC, kind LIMIT $3",
            )
            .bind(At(count.starts_at))
            .bind(At(count.granularity.next(count.starts_at)))
            .bind(i64::try_from(MOST_KINDS).unwrap_or(i64::MAX))
            .all()
            .await?;
        Ok(kinds.into_iter().map(|Kind(kind)| kind).collect())
    }

    /// Replaces what was counted of the window before, unless a later turn was quicker. An hour leaves `mark` at its day.
    async fn write_count(&self, count: Count, mark: Mark, now: Timestamp) -> Result<RolledWindow, StoreError> {
        let Count { granularity, starts_at, turn, marks: read, tally, orphans } = count;
        let searches = tally.searches();
        let mut session = self.begin().await?.patient(PATIENCE);
        // After the events were read: if some had gone by then, it is known by now.
        if state::gone(&mut session).await?.has_events_of(starts_at)
            && is_counted(&mut session, granularity, starts_at).await?
        {
            marks::clear(&mut session, granularity, starts_at, &read).await?;
            session.commit().await?;
            return Ok(RolledWindow { kept: true, ..RolledWindow::default() });
        }
        let ours = session
            .sql(
                "INSERT INTO search_windows (granularity, starts_at, turn, rolled_at, searches) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (granularity, starts_at) DO UPDATE
                 SET turn = excluded.turn, rolled_at = excluded.rolled_at, searches = excluded.searches
                 WHERE search_windows.turn < excluded.turn",
            )
            .bind(granularity)
            .bind(At(starts_at))
            .bind(turn)
            .bind(At(now))
            .bind(i64::try_from(searches).unwrap_or(i64::MAX))
            .run()
            .await?;
        if ours == 0 {
            return Ok(RolledWindow { searches, ..RolledWindow::default() });
        }
        for table in ["search_metrics", "search_queries"] {
            session
                .sql(AssertSqlSafe(format!("DELETE FROM {table} WHERE granularity = $1 AND starts_at = $2")))
                .bind(granularity)
                .bind(At(starts_at))
                .run()
                .await?;
        }
        // One by one, between two statements: putting cells together takes its time, too.
        for metrics in tally.metrics(starts_at, orphans) {
            insert_metrics(&mut session, granularity, &metrics).await?;
        }
        match tally.into_queries() {
            Some(queries) => insert_queries(&mut session, self.backend(), granularity, starts_at, queries).await?,
            None => {
                sum_queries(&mut session, starts_at, granularity.next(starts_at)).await?;
                if state::gone(&mut session).await?.has_queries_of(starts_at) {
                    // They are going just now: nothing is written, and the next count takes the events.
                    return Ok(RolledWindow { searches, ..RolledWindow::default() });
                }
            }
        }
        if granularity == Granularity::Hour {
            let day = BTreeSet::from([Granularity::Day.floor(starts_at)]);
            marks::set(&mut session, Granularity::Day, &day, mark, now).await?;
        }
        marks::clear(&mut session, granularity, starts_at, &read).await?;
        session.commit().await?;
        let hours = u64::from(granularity == Granularity::Hour);
        Ok(RolledWindow { searches, written: true, kept: false, hours })
    }
}

fn hours_of(day: Timestamp) -> impl Iterator<Item = Timestamp> + Send {
    let end = Granularity::Day.next(day);
    std::iter::successors(Some(day), |start| Some(Granularity::Hour.next(*start))).take_while(move |start| *start < end)
}

/// Whether the window was ever counted.
async fn is_counted(session: &mut Session, granularity: Granularity, starts_at: Timestamp) -> Result<bool, StoreError> {
    let counted: Option<Counted> = session
        .sql("SELECT turn FROM search_windows WHERE granularity = $1 AND starts_at = $2")
        .bind(granularity)
        .bind(At(starts_at))
        .optional()
        .await?;
    Ok(counted.is_some())
}
