//! The sweep: rows that should have a job and have none are enqueued again; rows whose job has ended are ended with it.
//!
//! 1. The store names rows that had no news for a while (half a minute) and are not at their end, a page at a time, until
//!    a page is not full. Their jobs are looked up, several at a time.
//! 2. A row whose job still lives is left alone.
//! 3. A row whose job an operator, poison or its own failures have ended (dead, cancelled, expired) is not repeated behind
//!    people's backs: it ends too, with the reason. Redriven, the job takes it up again.
//! 4. The others lost their job, with a flushed Redis or a process that died between the row and the enqueue: they are
//!    enqueued again under the same id and key. Any number of workers may sweep at once.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use job::clock::before;
use job::{JobId, JobState, Unfinished};
use queue::{BrokerError, Enqueue, JobRecord};
use store::{Closed, DeliveryState, Intent, JobEnd, StoreError, TickEnded};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::context::Context;
use crate::jobs::{queue_failed, store_failed};
use crate::{intents, ticks};

/// How often a worker looks.
const EVERY: Duration = Duration::from_secs(5);
/// How many rows are looked at together.
const PAGE: u32 = 500;
/// How many jobs are looked up at a time.
const LOOKUPS: usize = 16;

/// Sweeps rows that had no news for `quiet_for`, until `end`.
pub(crate) async fn run(context: Arc<Context>, quiet_for: Duration, end: CancellationToken) {
    let sweeping = async {
        loop {
            tokio::time::sleep(EVERY).await;
            match once(&context, quiet_for).await {
                Ok(Swept { enqueued: 0, closed: 0 }) => {}
                Ok(Swept { enqueued, closed }) => {
                    info!(enqueued, closed, "swept up rows whose jobs were lost or ended")
                }
                // Whatever is away is reported by those who need it more.
                Err(error) => debug!(%error, "no sweep"),
            }
        }
    };
    // A sweep that is cut short leaves rows for the next one.
    end.run_until_cancelled(sweeping).await;
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Rows whose lost job was enqueued again.
    pub enqueued: usize,
    /// Rows that ended with their job.
    pub closed: usize,
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

impl SweepError {
    /// What a job says of it.
    pub(crate) fn unfinished(&self) -> Unfinished {
        match self {
            Self::Store(e) => store_failed(e),
            Self::Queue(e) => queue_failed(e),
        }
    }
}

/// One sweep over all rows that had no news for `quiet_for`.
pub async fn once(context: &Context, quiet_for: Duration) -> Result<Swept, SweepError> {
    let now = context.clock.now();
    let silent_since = before(now, quiet_for);
    let mut swept = Swept::default();
    loop {
        let rows = context.store.stale_intents(quiet_for, PAGE, now).await?;
        if rows.is_empty() {
            return Ok(swept);
        }
        let ids: Vec<JobId> = rows.iter().map(|row| JobId::from_uuid(row.job_id())).collect();
        let jobs: Vec<Option<JobRecord>> =
            futures::stream::iter(ids).map(|id| context.broker.get(id)).buffered(LOOKUPS).try_collect().await?;
        let mut lost = Vec::new();
        for (row, job) in rows.iter().zip(jobs) {
            match job.as_ref().and_then(ended) {
                Some((ended, reason)) => {
                    let closed = context.store.close_intent(row, ended, &reason, silent_since, now).await?;
                    swept.closed += usize::from(closed.is_some());
                    match (closed, row) {
                        (Some(Closed::Delivery(state)), _) => tell(context, row, state),
                        (Some(Closed::Notification), Intent::Notification(message)) => {
                            error!(notification_id = %message.id, job_id = %message.job_id, reason, "a message to the operators was not taken");
                        }
                        (Some(Closed::Tick(paused_after)), Intent::Tick(tick)) => {
                            ticks::tell(context, &tick.schedule, Some(TickEnded { paused_after })).await;
                        }
                        _ => {}
                    }
                }
                None => lost.extend(again(context, row, job.map(|job| job.state), now).await?),
            }
        }
        let answers = context.broker.enqueue(&lost).await?;
        swept.enqueued += answers.iter().filter(|answer| **answer == queue::Enqueued::New).count();
        context.store.touch_intents(&rows, now).await?;
        if rows.len() < PAGE as usize {
            return Ok(swept);
        }
    }
}

/// How a job ended without doing what it was for, and the reason in words.
fn ended(job: &JobRecord) -> Option<(JobEnd, String)> {
    Some(match job.state {
        JobState::Dead => {
            let error = job.errors.last().map_or("for an unknown reason", |past| &past.error);
            (JobEnd::Dead, format!("its job is dead: {error}"))
        }
        JobState::Cancelled => (JobEnd::Cancelled, "its job was cancelled".to_owned()),
        JobState::Expired => (JobEnd::Expired, "its job expired".to_owned()),
        JobState::Scheduled | JobState::Available | JobState::Running | JobState::Completed => return None,
    })
}

/// The job to enqueue for a row whose job is gone; none for one whose job lives.
async fn again(
    context: &Context,
    row: &Intent,
    state: Option<JobState>,
    now: Timestamp,
) -> Result<Option<Enqueue>, SweepError> {
    if !matches!(state, None | Some(JobState::Completed)) {
        return Ok(None);
    }
    if let (Intent::Tick(tick), Some(_)) = (row, state) {
        // Unlike a mail's row, a tick has no word of its own on whether it was done: its job's word counts.
        ticks::found_done(context, tick).await?;
        return Ok(None);
    }
    let Some(mut envelope) = intents::envelope(row, now) else { return Ok(None) };
    if state.is_some() {
        // The job says done, the row says not: it gets a new job, because the old id is taken.
        envelope.id = context.ids.next(&envelope.queue);
        if !context.store.renew_job(row, envelope.id.uuid()).await? {
            return Ok(None);
        }
    }
    // A leader that stood still since it wrote the tick must not enqueue it again when this job is long trimmed.
    let once = matches!(row, Intent::Tick(_));
    Ok(Some(Enqueue { envelope, once }))
}

/// Counts a mail's end. The job's own end was told by who ended it; that nobody knows what became of a mail was not.
fn tell(context: &Context, row: &Intent, state: DeliveryState) {
    context.meters.delivery(state.as_str());
    if let (Intent::Delivery(mail), DeliveryState::Unknown) = (row, state) {
        error!(delivery_id = %mail.id, job_id = %mail.job_id, "the job ended while it sent: whether the mail arrived is unknown");
    }
}
