//! The sweep: rows that should have a job and have none are enqueued again.
//!
//! 1. The store names rows that had no news for a while (half a minute) and are not at their end.
//! 2. A row whose job still lives is left alone; so is one whose job an operator or poison has ended (dead, cancelled,
//!    expired): that is shown to people, not repeated behind their backs.
//! 3. The others lost their job, with a flushed Redis or a process that died between the row and the enqueue: they are
//!    enqueued again under the same id and key. Any number of workers may sweep at once.

use std::sync::Arc;
use std::time::Duration;

use job::{JobId, JobState};
use queue::{BrokerError, Enqueue};
use store::StoreError;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::context::Context;
use crate::intents;

/// How often a worker looks.
const EVERY: Duration = Duration::from_secs(5);
/// How many rows one sweep looks at.
const AT_MOST: u32 = 500;

/// Sweeps rows that had no news for `quiet_for`, until `end`.
pub(crate) async fn run(context: Arc<Context>, quiet_for: Duration, end: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = end.cancelled() => return,
        }
        match once(&context, quiet_for).await {
            Ok(0) => {}
            Ok(enqueued) => info!(enqueued, "jobs were lost and are enqueued again"),
            // Whatever is away is reported by those who need it more.
            Err(error) => debug!(%error, "no sweep"),
        }
    }
}

/// Why a sweep did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] BrokerError),
}

/// One sweep over rows that had no news for `quiet_for`; says how many were enqueued.
pub async fn once(context: &Context, quiet_for: Duration) -> Result<usize, SweepError> {
    let now = context.clock.now();
    let rows = context.store.stale_intents(quiet_for, AT_MOST, now).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut lost = Vec::new();
    for row in &rows {
        let state = context.broker.get(JobId::from_uuid(row.job_id())).await?.map(|job| job.state);
        if matches!(state, None | Some(JobState::Completed))
            && let Some(mut envelope) = intents::envelope(row, now)
        {
            if state == Some(JobState::Completed) {
                // The job says done, the row says not: a new job, because the old id is taken.
                envelope.id = context.ids.next(&envelope.queue);
            }
            lost.push(Enqueue::from(envelope));
        }
    }
    let answers = context.broker.enqueue(&lost).await?;
    context.store.touch_intents(&rows, now).await?;
    Ok(answers.iter().filter(|answer| **answer == queue::Enqueued::New).count())
}
