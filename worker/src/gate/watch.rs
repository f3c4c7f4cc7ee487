//! Sees to it that every domain is looked at when it is due, and that no mail stays held that may leave.
//!
//! 1. Every worker asks the store every few seconds which domains are due, and enqueues `domains.check` for them, under a
//!    key that holds the due time: however many workers there are, there is one check. When a worker starts, all are due.
//! 2. Then it looks whether anything is held for a domain that is good, and releases it. So nothing hangs on whether the
//!    check that found a domain mended lived long enough to release what was held for it.

use std::sync::Arc;
use std::time::Duration;

use job::{Envelope, JobId, UniqueKey};
use queue::BrokerError;
use store::StoreError;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Cause, Gate};
use crate::context::Context;
use crate::jobs::domains_check::DomainsCheck;

/// How often a worker asks.
const EVERY: Duration = Duration::from_secs(5);

/// Watches until `end`.
pub(crate) async fn run(context: Arc<Context>, gate: Arc<Gate>, end: CancellationToken) {
    let watching = async {
        let mut cause = Cause::Start;
        loop {
            match once(&context, &gate, cause).await {
                Ok(looked) => {
                    cause = Cause::Due;
                    if looked.more {
                        continue;
                    }
                }
                // Whatever is away is reported by those who need it more.
                Err(error) => debug!(%error, "the domains that are due are not known"),
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    end.run_until_cancelled(watching).await;
}

/// Why nothing could be enqueued.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] BrokerError),
}

/// What one look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// Checks that were enqueued and that nobody else had enqueued.
    pub checks: usize,
    /// Mails that were released.
    pub released: usize,
    /// Whether there may be more to release: look again at once.
    pub more: bool,
}

/// Enqueues a check of each domain that is due, or, at the start, of all; then releases what is held and may leave.
///
/// # Errors
/// The store or the queue is away.
pub async fn once(context: &Context, gate: &Gate, cause: Cause) -> Result<Looked, WatchError> {
    let mut looked = Looked { checks: enqueue_checks(context, gate, cause).await?, ..Looked::default() };
    for plan in gate.plans() {
        let released = gate.release(context.means(), &plan.domain).await?;
        looked.released += released.mails;
        looked.more |= released.more;
    }
    Ok(looked)
}

/// Answers how many checks were new.
async fn enqueue_checks(context: &Context, gate: &Gate, cause: Cause) -> Result<usize, WatchError> {
    let now = context.clock.now();
    let mut checks = Vec::new();
    for plan in gate.plans() {
        let due = context.store.domain(&plan.domain).await?.and_then(|domain| domain.next_check_at);
        let key = match (cause, due) {
            (Cause::Start, _) => "start".to_owned(),
            (_, Some(due)) if due > now => continue,
            (_, Some(due)) => due.as_millisecond().to_string(),
            (_, None) => "first".to_owned(),
        };
        let job = DomainsCheck { domain: Some(plan.domain.clone()), cause };
        let id: JobId = context.ids.next(&<DomainsCheck as job::Job>::queue());
        let envelope = Envelope::of(&job, id, now).expect("names are always JSON");
        // A domain name has at most 253 octets; a key 200.
        let name: String = plan.domain.chars().take(150).collect();
        let key = UniqueKey::new(&format!("domain:{name}:{key}")).expect("a domain name is visible text");
        checks.push(envelope.with_unique_key(key).into());
    }
    if checks.is_empty() {
        return Ok(0);
    }
    let answers = context.broker.enqueue(&checks).await?;
    Ok(answers.iter().filter(|answer| **answer == queue::Enqueued::New).count())
}
