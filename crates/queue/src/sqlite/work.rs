//! One operation's view of the database, inside a transaction that the writer opened for a whole group.
//!
//! Every move of a job from state to state is told to [`Work::moved`]; the writer puts the sums into `queues` before
//! the operation's savepoint is released, so that counts and rows never disagree.

use std::collections::HashMap;

use async_trait::async_trait;
use job::{JobState, QueueName};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::error::BrokerError;
use crate::settings::Settings;

/// Something to be done in one transaction.
#[async_trait]
pub(super) trait Operation: Send + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Does it. On an error nothing of it remains.
    async fn run(&mut self, work: &mut Work<'_>) -> Result<Self::Answer, BrokerError>;
}

/// The connection and what an operation needs to know.
pub(super) struct Work<'c> {
    /// The open transaction.
    pub(super) conn: &'c mut SqliteConnection,
    /// The time of this operation, milliseconds since the epoch.
    pub(super) now: i64,
    pub(super) settings: &'c Settings,
    /// Work was made available: those who wait should look.
    pub(super) wake: bool,
    /// A suspect appeared: those who wait should ask, although they would see nothing.
    pub(super) rouse: bool,
    known: &'c mut Known,
    moves: Vec<(i64, [i64; 7])>,
}

/// What this process knows of the queues: their numbers, as far as they are known to be committed, and when it last kept
/// house for each.
#[derive(Debug, Default)]
pub(super) struct Known {
    ids: HashMap<QueueName, i64>,
    maintained: HashMap<i64, i64>,
}

impl Known {
    /// Forgets all: after a rollback some may not exist.
    pub(super) fn forget(&mut self) {
        self.ids.clear();
    }
}

impl<'c> Work<'c> {
    pub(super) fn new(conn: &'c mut SqliteConnection, known: &'c mut Known, settings: &'c Settings, now: i64) -> Self {
        Self { conn, now, settings, wake: false, rouse: false, known, moves: Vec::new() }
    }

    /// The number of a queue, `None` if it is not known.
    pub(super) async fn find_queue(&mut self, queue: &QueueName) -> Result<Option<i64>, BrokerError> {
        if let Some(id) = self.known.ids.get(queue) {
            return Ok(Some(*id));
        }
        let sql = "SELECT id FROM queues WHERE name = ?1";
        let Some(row) = sqlx::query(sql).bind(queue.as_str()).fetch_optional(&mut *self.conn).await? else {
            return Ok(None);
        };
        let id = row.try_get(0)?;
        self.known.ids.insert(queue.clone(), id);
        Ok(Some(id))
    }

    /// The number of a queue, which is known from now on.
    pub(super) async fn queue(&mut self, queue: &QueueName) -> Result<i64, BrokerError> {
        if let Some(id) = self.find_queue(queue).await? {
            return Ok(id);
        }
        let sql = "INSERT INTO queues (name) VALUES (?1) RETURNING id";
        let id = sqlx::query(sql).bind(queue.as_str()).fetch_one(&mut *self.conn).await?.try_get(0)?;
        self.known.ids.insert(queue.clone(), id);
        Ok(id)
    }

    /// Notes that housekeeping is here now; when this process was here before.
    pub(super) fn keep_house(&mut self, queue: i64) -> Option<i64> {
        self.known.maintained.insert(queue, self.now)
    }

    /// Notes that `n` jobs of `queue` went from one state (`None`: they are new) to another (`None`: they are gone).
    pub(super) fn moved(&mut self, queue: i64, from: Option<JobState>, to: Option<JobState>, n: i64) {
        if from == to || n == 0 {
            return;
        }
        let sums = match self.moves.iter().position(|(id, _)| *id == queue) {
            Some(i) => &mut self.moves[i].1,
            None => {
                self.moves.push((queue, [0; 7]));
                &mut self.moves.last_mut().expect("it was just pushed").1
            }
        };
        for (state, step) in [(from, -n), (to, n)] {
            if let Some(i) = JobState::ALL.iter().position(|s| Some(*s) == state) {
                sums[i] += step;
            }
        }
    }

    /// Writes the sums of [`Work::moved`].
    pub(super) async fn count(&mut self) -> Result<(), BrokerError> {
        const SQL: &str = "UPDATE queues SET scheduled = scheduled + ?2, available = available + ?3,
             running = running + ?4, completed = completed + ?5, dead = dead + ?6,
             cancelled = cancelled + ?7, expired = expired + ?8
             WHERE id = ?1";
        for (queue, sums) in std::mem::take(&mut self.moves) {
            if sums.iter().any(|n| *n != 0) {
                let query = sums.iter().fold(sqlx::query(SQL).bind(queue), |query, n| query.bind(*n));
                query.execute(&mut *self.conn).await?;
            }
        }
        Ok(())
    }
}
