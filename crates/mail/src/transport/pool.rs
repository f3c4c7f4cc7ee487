//! Connections that wait for work, and a limit on how many there are.
//!
//! The newest is taken first, so that the others grow old and go. Nothing is in here whose last reply was not read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::connection::Connection;

pub(super) struct Pool {
    waiting: Mutex<Waiting>,
    places: Semaphore,
    max_idle: Duration,
}

#[derive(Default)]
struct Waiting {
    /// Oldest first.
    connections: Vec<(Instant, Connection)>,
    reaping: bool,
}

impl Pool {
    pub(super) fn new(max_connections: usize, max_idle: Duration) -> Self {
        Self { waiting: Mutex::default(), places: Semaphore::new(max_connections), max_idle }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to use one connection.
    pub(super) async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("the semaphore is never closed")
    }

    pub(super) fn take(&self) -> Option<Connection> {
        let mut waiting = self.waiting();
        let (since, connection) = waiting.connections.pop()?;
        if since.elapsed() > self.max_idle {
            // The rest is older still.
            waiting.connections.clear();
            return None;
        }
        Some(connection)
    }

    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        let mut waiting = self.waiting();
        waiting.connections.push((Instant::now(), connection));
        if !std::mem::replace(&mut waiting.reaping, true) {
            tokio::spawn(reap(Arc::downgrade(self), self.max_idle));
        }
    }

    pub(super) fn idle(&self) -> usize {
        self.waiting().connections.len()
    }

    pub(super) async fn close_idle(&self) {
        let connections = std::mem::take(&mut self.waiting().connections);
        futures::future::join_all(connections.into_iter().map(|(_, connection)| connection.quit())).await;
    }

    /// Takes out what has waited too long, and says whether anything still waits; if not, the reaping has ended.
    fn overdue(&self) -> (Vec<Connection>, bool) {
        let mut waiting = self.waiting();
        let fresh = waiting.connections.partition_point(|(since, _)| since.elapsed() > self.max_idle);
        let overdue = waiting.connections.drain(..fresh).map(|(_, connection)| connection).collect();
        waiting.reaping = !waiting.connections.is_empty();
        (overdue, waiting.reaping)
    }
}

/// Says goodbye on connections that nobody used for a while; ends when none is left.
async fn reap(pool: std::sync::Weak<Pool>, max_idle: Duration) {
    loop {
        tokio::time::sleep(max_idle).await;
        let Some(pool) = pool.upgrade() else { return };
        let (overdue, more) = pool.overdue();
        let goodbyes = overdue.into_iter().map(Connection::quit);
        futures::future::join_all(goodbyes).await;
        if !more {
            return;
        }
    }
}
