//! Waiting for work without asking all the time.
//!
//! 1. Who waits first listens to the bell, then looks whether there is work: what is enqueued in between rings.
//! 2. The writer rings after each commit that made work available.
//! 3. Another process on the same file does not ring here, and time makes scheduled jobs due without a bell: so it
//!    looks again every 250 ms.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use job::QueueName;
use sqlx::Row;
use tokio::sync::Notify;

use super::place;
use super::work::{Operation, Work};
use crate::error::BrokerError;

/// How long to listen before looking again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Rings when there is work.
#[derive(Debug, Default)]
pub(super) struct Bell {
    notify: Notify,
    roused: AtomicU64,
}

impl Bell {
    /// Calls those who wait to look (`wake`), or to stop waiting whatever they see (`rouse`).
    pub(super) fn ring(&self, wake: bool, rouse: bool) {
        if rouse {
            self.roused.fetch_add(1, Ordering::SeqCst);
        }
        if wake || rouse {
            self.notify.notify_waiters();
        }
    }

    /// How often everybody was roused so far.
    pub(super) fn roused(&self) -> u64 {
        self.roused.load(Ordering::SeqCst)
    }

    /// The next ring.
    pub(super) fn listen(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

/// Whether a job of one of these queues could be leased now. Suspects do not count: most who ask may not have them.
pub(super) struct HasWork(pub(super) Vec<QueueName>);

#[async_trait]
impl Operation for HasWork {
    type Answer = bool;

    async fn run(&mut self, work: &mut Work<'_>) -> Result<bool, BrokerError> {
        const SQL: &str = "SELECT EXISTS (
             SELECT 1 FROM queues q
             WHERE q.name IN (SELECT value FROM json_each(?1)) AND q.paused = 0
               AND (EXISTS (SELECT 1 FROM jobs WHERE queue = q.id AND state = 1)
                 OR EXISTS (SELECT 1 FROM jobs WHERE queue = q.id AND state = 0 AND rank <= ?2)))";
        let names = serde_json::to_string(&self.0).expect("names are plain text");
        let row =
            sqlx::query(SQL).bind(names).bind(place::scheduled_until(work.now)).fetch_one(&mut *work.conn).await?;
        Ok(row.try_get(0)?)
    }
}
