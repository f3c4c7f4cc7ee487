//! Lists of jobs, newest first.
//!
//! 1. The places are walked in the order of a job's life, each merged over the queues: of every queue a few of its next
//!    jobs are asked for, and of all these the newest are taken, down to where some queue may have more in between.
//! 2. The cursor is the last job that was shown, with its queue and score. Each queue finds its own place after it, so what
//!    moves away or in meanwhile neither repeats nor hides any other job.
//! 3. One call looks at a bounded number of jobs: a page may be short although more follows.

use std::cmp::Reverse;
use std::collections::HashMap;

use futures::future::try_join_all;
use job::{JobId, JobState, Kind, QueueName};

use super::answer::Items;
use super::{RedisBroker, script};
use crate::error::BrokerError;
use crate::record::{Cursor, Filter, JobRecord, Page};

/// How many jobs one call looks at before it answers with what it has.
const LOOKED_AT: usize = 2_000;

/// The places, by the letter of their key. Suspects are available jobs, too.
const PLACES: [(&str, JobState); 8] = [
    ("s", JobState::Scheduled),
    ("a", JobState::Available),
    ("o", JobState::Available),
    ("r", JobState::Running),
    (COMPLETED, JobState::Completed),
    ("d", JobState::Dead),
    ("x", JobState::Cancelled),
    ("e", JobState::Expired),
];

/// Its order is a list; the others are sorted sets.
const COMPLETED: &str = "c";

/// The largest score that is exact: 2⁵³.
const EXACT: i64 = 1 << 53;

/// Where a walk stands: the place, and the last job of it that was shown.
#[derive(Debug, Clone, PartialEq)]
struct Position {
    place: &'static str,
    after: Option<Row>,
}

/// A job in its place.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: JobId,
    score: i64,
    queue: QueueName,
}

impl Position {
    fn start(place: &'static str) -> Self {
        Self { place, after: None }
    }

    /// `place.queue.score.id`: by name, so that a queue that comes or goes does not move it.
    fn cursor(&self) -> Cursor {
        Cursor(match &self.after {
            Some(Row { id, score, queue }) => format!("{}.{queue}.{score}.{id}", self.place),
            None => format!("{}...", self.place),
        })
    }

    fn parse(cursor: &Cursor, places: &[&'static str], queues: &[QueueName]) -> Option<Self> {
        let mut parts = cursor.0.splitn(4, '.');
        let (place, queue, score, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let place = places.iter().find(|known| **known == place)?;
        let after = if id.is_empty() {
            None
        } else {
            let score = score.parse().ok().filter(|score| (-EXACT..=EXACT).contains(score))?;
            let queue = queues.iter().find(|known| known.as_str() == queue)?.clone();
            Some(Row { id: id.parse().ok()?, score, queue })
        };
        // Only what was written here is read: no second spelling of the same place.
        Some(Self { place, after }).filter(|position| position.cursor() == *cursor)
    }
}

impl RedisBroker {
    pub(super) async fn page(
        &self,
        filter: &Filter,
        limit: usize,
        cursor: Option<Cursor>,
    ) -> Result<Page, BrokerError> {
        if limit == 0 || limit > 1_000 {
            return Err(BrokerError::Invalid("limit must be 1 to 1000".to_owned()));
        }
        let queues = match &filter.queue {
            Some(queue) => vec![queue.clone()],
            None => self.queues().await?,
        };
        let of_state = |(_, state): &&(&str, JobState)| filter.state.is_none_or(|wanted| wanted == *state);
        let places: Vec<&'static str> = PLACES.iter().filter(of_state).map(|(place, _)| *place).collect();
        let mut at = match cursor {
            Some(cursor) => Position::parse(&cursor, &places, &queues)
                .ok_or_else(|| BrokerError::Invalid("cursor: not one that this list gave out".to_owned()))?,
            None => Position::start(places[0]),
        };
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            let (rows, more) = self.next_rows(&queues, &at, (limit - items.len()).clamp(16, 256)).await?;
            looked_at += rows.len().max(1);
            let mut records = self.records(&rows).await?;
            for row in rows {
                // A job that was trimmed between the two calls is passed over.
                let record = records.remove(&row.id);
                at.after = Some(row);
                items.extend(record.filter(|r| filter.kind.as_ref().is_none_or(|kind| is_of_kind(r, kind))));
                if items.len() == limit {
                    return Ok(Page { items, next: Some(at.cursor()) });
                }
            }
            if !more {
                match places.iter().skip_while(|place| **place != at.place).nth(1) {
                    Some(next) => at = Position::start(next),
                    None => return Ok(Page { items, next: None }),
                }
            }
            if looked_at >= LOOKED_AT {
                return Ok(Page { items, next: Some(at.cursor()) });
            }
        }
    }

    /// The next jobs of a place, at most `wanted`, and whether there may be more of it.
    async fn next_rows(
        &self,
        queues: &[QueueName],
        at: &Position,
        wanted: usize,
    ) -> Result<(Vec<Row>, bool), BrokerError> {
        let found = try_join_all(queues.iter().map(|queue| self.rows(queue, at, wanted))).await?;
        // A queue that gave as many as were asked for may go on below its last one: so far the order is certain.
        let mut rows: Vec<(Row, bool)> = Vec::new();
        for of_queue in found {
            let full = of_queue.len() == wanted;
            rows.extend(of_queue.into_iter().enumerate().map(|(n, row)| (row, full && n + 1 == wanted)));
        }
        if at.place == COMPLETED {
            // Jobs that completed at the same time stand queue by queue, as they were listed.
            rows.sort_by_key(|(row, _)| Reverse(row.score));
        } else {
            rows.sort_by_key(|(row, _)| Reverse((row.score, *row.id.as_bytes())));
        }
        let certain = rows.iter().position(|(_, is_last)| *is_last).map_or(rows.len(), |n| n + 1).min(wanted);
        let more = certain < rows.len() || rows.iter().any(|(_, is_last)| *is_last);
        rows.truncate(certain);
        Ok((rows.into_iter().map(|(row, _)| row).collect(), more))
    }

    /// The next jobs of a place in one queue.
    async fn rows(&self, queue: &QueueName, at: &Position, wanted: usize) -> Result<Vec<Row>, BrokerError> {
        let (mut score, mut id, mut same_time) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(after) = &at.after {
            score = after.score.to_string().into_bytes();
            if at.place != COMPLETED || after.queue == *queue {
                id = after.id.as_bytes().to_vec();
            } else if after.queue < *queue {
                same_time = b"1".to_vec();
            }
        }
        let (place, limit) = (at.place.as_bytes().to_vec(), wanted.to_string().into_bytes());
        let arguments = [self.now_arg(), place, limit, score, id, same_time];
        let mut items = Items::of(self.call(&script::PAGE, &self.base(queue), &arguments).await?)?;
        let mut rows: Vec<Row> = Vec::with_capacity(items.len() / 2);
        while !items.is_done() {
            let id = items.id()?;
            let mut score = items.score()?.unwrap_or_default() as i64;
            if let Some(newer) = rows.last() {
                // A server's clock that was set back must not shake the order of its list.
                score = score.min(newer.score);
            }
            rows.push(Row { id, score, queue: queue.clone() });
        }
        Ok(rows)
    }

    async fn records(&self, rows: &[Row]) -> Result<HashMap<JobId, JobRecord>, BrokerError> {
        let mut of_queue: HashMap<&QueueName, Vec<JobId>> = HashMap::new();
        for row in rows {
            of_queue.entry(&row.queue).or_default().push(row.id);
        }
        let looks = of_queue.iter().map(|(queue, ids)| self.look(queue, ids));
        Ok(try_join_all(looks).await?.into_iter().flatten().map(|record| (record.id, record)).collect())
    }
}

fn is_of_kind(record: &JobRecord, kind: &Kind) -> bool {
    record.envelope.as_ref().is_ok_and(|envelope| envelope.kind == *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let queues = [QueueName::new("emails").unwrap()];
        let id = JobId::from_bytes([7; 16]);
        let row = Row { id, score: 1_764_000_000_123, queue: queues[0].clone() };
        let parse = |text: &str| Position::parse(&Cursor(text.to_owned()), &["a", "d"], &queues);
        for at in [Position::start("d"), Position { place: "d", after: Some(row) }] {
            assert_eq!(parse(&at.cursor().0), Some(at));
        }
        for score in ["nan", "inf", "1e400", "1e-400", "-0", "+1", "01", "1.5", " 1", "9007199254740993", ""] {
            assert_eq!(parse(&format!("d.emails.{score}.{id}")), None, "{score}");
        }
        for bad in
            ["", "d", "d..", "d.emails..", "d.emails.1.", &format!("d.reports.1.{id}"), &format!("r.emails.1.{id}")]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
