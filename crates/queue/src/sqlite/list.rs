//! Lists of jobs, page by page, over all queues that are asked for.
//!
//! 1. Lists go place by place (see [`Place::LISTED`]); within a place each queue is read from its last rank down, along
//!    the one index, and the queues are merged.
//! 2. A page ends when it is full, when [`LOOK`] rows were looked at, or at the end. The cursor is the place, rank and
//!    id of the last row looked at: what moves away or in meanwhile neither repeats nor hides any other job.
//! 3. Only then the records of the page are read, in the same transaction.

use std::cmp::Reverse;
use std::str::FromStr;

use async_trait::async_trait;
use job::JobId;
use sqlx::Row;

use super::entry;
use super::look::records;
use super::place::Place;
use super::work::{Operation, Work};
use crate::error::BrokerError;
use crate::record::{Cursor, Filter, Page};

/// The most rows that one call looks at.
const LOOK: usize = 2_000;

/// The most jobs on a page.
const PAGE: usize = 1_000;

/// The last row that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    place: Place,
    rank: i64,
    id: JobId,
}

impl From<Position> for Cursor {
    fn from(at: Position) -> Self {
        Self(format!("{}.{}.{}", at.place.code(), at.rank, at.id.uuid().simple()))
    }
}

impl Position {
    fn parse(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.0.split('.');
        let place = Place::from_code(parts.next()?.parse().ok()?).ok()?;
        let rank = parts.next()?.parse().ok()?;
        let id = JobId::from_str(parts.next()?).ok()?;
        let at = Self { place, rank, id };
        // Only what was written here is read: no second spelling of the same place.
        (Cursor::from(at) == *cursor).then_some(at)
    }
}

/// A page.
pub(super) struct Listing {
    filter: Filter,
    limit: usize,
    from: Option<Position>,
}

impl Listing {
    /// Refuses a limit out of range and a cursor that is not of this list.
    pub(super) fn new(filter: &Filter, limit: usize, cursor: Option<Cursor>) -> Result<Self, BrokerError> {
        if !(1..=PAGE).contains(&limit) {
            return Err(BrokerError::Invalid(format!("a limit of 1 to {PAGE} is expected")));
        }
        let from = match cursor {
            None => None,
            Some(cursor) => {
                let at = Position::parse(&cursor).filter(|at| filter.state.is_none_or(|s| s == at.place.state()));
                Some(at.ok_or_else(|| BrokerError::Invalid("this is no cursor of this list".into()))?)
            }
        };
        Ok(Self { filter: filter.clone(), limit, from })
    }

    async fn queues(&self, work: &mut Work<'_>) -> Result<Vec<i64>, BrokerError> {
        if let Some(queue) = &self.filter.queue {
            return Ok(work.find_queue(queue).await?.into_iter().collect());
        }
        let rows = sqlx::query("SELECT id FROM queues").fetch_all(&mut *work.conn).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The places that are still to be shown.
    fn places(&self) -> impl Iterator<Item = Place> {
        let wanted = Place::LISTED.into_iter().filter(|place| self.filter.state.is_none_or(|s| s == place.state()));
        wanted.skip_while(|place| self.from.is_some_and(|from| from.place != *place))
    }
}

#[async_trait]
impl Operation for Listing {
    type Answer = Page;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Page, BrokerError> {
        let queues = self.queues(work).await?;
        let mut page = Found { ids: Vec::new(), looked: 0, last: None };
        let mut unfinished = false;
        for place in self.places() {
            let from = self.from.filter(|from| from.place == place);
            unfinished = self.look(work, &queues, place, from, &mut page).await?;
            if unfinished {
                break;
            }
        }
        let next = page.last.filter(|_| unfinished).map(Cursor::from);
        Ok(Page { items: records(work, &page.ids).await?, next })
    }
}

/// What was found so far.
struct Found {
    ids: Vec<JobId>,
    looked: usize,
    last: Option<Position>,
}

impl Listing {
    /// Looks through one place, merged over the queues. True: there may be more of it.
    async fn look(
        &self,
        work: &mut Work<'_>,
        queues: &[i64],
        place: Place,
        from: Option<Position>,
        page: &mut Found,
    ) -> Result<bool, BrokerError> {
        const SQL: &str = "SELECT rank, id, ?6 IS NULL OR kind = ?6 FROM jobs
             WHERE queue = ?1 AND state = ?2 AND (rank, id) < (?3, ?4) ORDER BY rank DESC, id DESC LIMIT ?5";
        let (rank, id) = from.map_or((i64::MAX, vec![0xff; 17]), |from| (from.rank, from.id.as_bytes().to_vec()));
        // One row more than the page can take tells whether it goes on.
        let wanted = self.limit - page.ids.len() + 1;
        let each = if self.filter.kind.is_none() { wanted } else { (LOOK / queues.len().max(1)).max(wanted.min(64)) };
        let mut rows = Vec::new();
        // The furthest rank and id down to which every queue was read.
        let mut floor = None;
        for queue in queues {
            let query = sqlx::query(SQL).bind(*queue).bind(place.code()).bind(rank).bind(id.clone());
            let query = query.bind(each as i64).bind(self.filter.kind.as_ref().map(|kind| kind.as_str().to_owned()));
            let found = query.fetch_all(&mut *work.conn).await?;
            for row in &found {
                rows.push((row.try_get::<i64, _>(0)?, entry::id(row.try_get(1)?)?, row.try_get::<bool, _>(2)?));
            }
            if found.len() == each {
                floor = floor.max(rows.last().map(|(rank, id, _)| (*rank, *id)));
            }
        }
        rows.sort_unstable_by_key(|(rank, id, _)| Reverse((*rank, *id)));
        for (rank, id, fits) in rows {
            if page.ids.len() == self.limit || page.looked >= LOOK {
                return Ok(true);
            }
            page.looked += 1;
            page.last = Some(Position { place, rank, id });
            if fits {
                page.ids.push(id);
            }
            if floor == Some((rank, id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let at = Position { place: Place::Dead, rank: 1_764_000_000_123, id: JobId::from_bytes([7; 16]) };
        assert_eq!(Position::parse(&Cursor::from(at)), Some(at));
        for bad in [
            "",
            "4",
            "4.1",
            "9.1.07070707070707070707070707070707",
            "4.+1.07070707070707070707070707070707",
            "4.1.07070707070707070707070707070707.",
            "4.x.y",
            "04.1.07070707070707070707070707070707",
        ] {
            assert_eq!(Position::parse(&Cursor(bad.into())), None, "{bad}");
        }
    }
}
