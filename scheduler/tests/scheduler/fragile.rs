//! A queue that now and then does not take jobs, or takes them and loses its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use queue::{Broker, BrokerError, Enqueue, Enqueued, Front};

/// What happens to the next enqueue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is taken.
    Well = 0,
    /// It is not taken.
    Refused = 1,
    /// It is taken, and the answer is lost.
    AnswerLost = 2,
}

/// A real queue, sometimes away.
pub struct Fragile {
    inner: Arc<dyn Broker>,
    next: AtomicU8,
}

impl Fragile {
    pub fn new(inner: Arc<dyn Broker>) -> Arc<Self> {
        Arc::new(Self { inner, next: AtomicU8::new(Next::Well as u8) })
    }

    pub fn next(&self, next: Next) {
        self.next.store(next as u8, Ordering::SeqCst);
    }
}

#[async_trait]
impl Front for Fragile {
    fn behind(&self) -> &dyn Broker {
        self.inner.as_ref()
    }

    async fn on_enqueue(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        let away = || BrokerError::Unavailable("the connection broke".to_owned());
        let next = self.next.swap(Next::Well as u8, Ordering::SeqCst);
        if next == Next::Refused as u8 {
            return Err(away());
        }
        let taken = self.inner.enqueue(jobs).await?;
        if next == Next::AnswerLost as u8 { Err(away()) } else { Ok(taken) }
    }
}
