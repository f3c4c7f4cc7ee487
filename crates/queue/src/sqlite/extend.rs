//! The heartbeat: leases are renewed in one statement; what is lost or to be cancelled is told.

use std::collections::HashMap;

use async_trait::async_trait;
use job::{JobId, QueueName};
use sqlx::Row;

use super::enqueue::{json, packed};
use super::work::{Operation, Work};
use crate::error::BrokerError;
use crate::lease::{Extended, Lease};

/// Renews leases.
pub(super) struct Extending {
    pub(super) queue: QueueName,
    pub(super) leases: Vec<Lease>,
}

#[async_trait]
impl Operation for Extending {
    type Answer = Vec<Extended>;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<Vec<Extended>, BrokerError> {
        const SQL: &str = "UPDATE jobs SET rank = ?4
             FROM json_each(?2) e
             WHERE jobs.id = substr(?1, e.key * 16 + 1, 16) AND jobs.token = e.value
               AND +jobs.state = 2 AND +jobs.queue = ?3
             RETURNING jobs.id, jobs.token, jobs.cancel";
        let Some(queue) = work.find_queue(&self.queue).await? else {
            return Ok(vec![Extended::Lost; self.leases.len()]);
        };
        if self.leases.is_empty() {
            return Ok(Vec::new());
        }
        let lease = i64::try_from(work.settings.lease.as_millis()).unwrap_or(i64::MAX);
        let tokens: Vec<i64> = self.leases.iter().map(|lease| lease.token.cast_signed()).collect();
        let query = sqlx::query(SQL).bind(packed(self.leases.iter().map(|lease| lease.id))).bind(json(&tokens));
        let query = query.bind(queue).bind(work.now.saturating_add(lease));
        let mut renewed: HashMap<(JobId, i64), bool> = HashMap::with_capacity(self.leases.len());
        for row in query.fetch_all(&mut *work.conn).await? {
            renewed.insert((super::entry::id(row.try_get(0)?)?, row.try_get(1)?), row.try_get(2)?);
        }
        let answers = self.leases.iter().map(|lease| match renewed.get(&(lease.id, lease.token.cast_signed())) {
            None => Extended::Lost,
            Some(false) => Extended::Renewed,
            Some(true) => Extended::CancelRequested,
        });
        Ok(answers.collect())
    }
}
