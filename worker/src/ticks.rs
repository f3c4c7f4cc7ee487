//! What ties a job to the tick of a schedule that it is for.
//!
//! 1. The job's unique key names the tick: `tick:{schedule}:{planned instant in ms}`.
//! 2. Before it runs, the tick is looked at: one that is done already is not done again, whatever the queue remembers.
//! 3. When it ends for good, the tick ends, before the queue hears of it. So the sweep can tell a tick whose job was lost
//!    from one whose job was done and trimmed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use job::{Envelope, JobId, UniqueKey};
use queue::Disposition;
use store::{JobEnd, Paused, PausedBy, TickEnd, TickEnded, TickRef, TickState};
use telemetry::redact::Text;
use tracing::warn;

use crate::context::Context;
use crate::notices::{Notice, Notices, Severity};

/// How often the end of a tick is tried to be written before it is left to the sweep, and how long between.
const TRIES: usize = 4;
const BETWEEN: Duration = Duration::from_millis(250);
/// What the operators are told of a schedule that its failures have paused.
const PAUSED: &str = "schedule.paused";
/// The longest note that is kept, in characters.
const NOTE: usize = 500;

/// The unique key of a tick's job.
#[must_use]
pub fn key(schedule: &str, planned_at: Timestamp) -> UniqueKey {
    UniqueKey::new(&format!("tick:{schedule}:{}", planned_at.as_millisecond()))
        .expect("a schedule's name is at most 64 letters, digits, dashes and underscores")
}

/// The tick that a job is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfTick {
    schedule: String,
    planned_at: Timestamp,
    job: JobId,
}

impl OfTick {
    /// Read from the job's unique key; `None` for a job that is for no tick.
    pub(crate) fn of(envelope: &Envelope) -> Option<Self> {
        let (schedule, ms) = envelope.unique_key.as_ref()?.as_str().strip_prefix("tick:")?.rsplit_once(':')?;
        let planned_at = Timestamp::from_millisecond(ms.parse().ok()?).ok()?;
        Some(Self { schedule: schedule.to_owned(), planned_at, job: envelope.id })
    }

    /// Whether the tick was done before. A store that is away does not keep the job from running: it is written so that
    /// twice is harmless.
    pub(crate) async fn is_done(&self, context: &Context) -> bool {
        let state = context.store.tick_state(&self.schedule, self.planned_at).await;
        matches!(state, Ok(Some(TickState::Done)))
    }

    /// Writes the end of the tick, if this end of its job is one.
    pub(crate) async fn settle(&self, context: &Context, disposition: &Disposition) {
        let (end, note) = match disposition {
            Disposition::Completed { .. } => (TickEnd::Done, None),
            Disposition::Dead { error } => (TickEnd::Ended(JobEnd::Dead), Some(note(error))),
            Disposition::Cancelled => (TickEnd::Ended(JobEnd::Cancelled), None),
            Disposition::Expired => (TickEnd::Ended(JobEnd::Expired), None),
            Disposition::Retry { .. } | Disposition::Snooze { .. } | Disposition::Release => return,
        };
        let (schedule, now) = (self.schedule.as_str(), context.clock.now());
        for left in (0..TRIES).rev() {
            let job = self.job.uuid();
            match context.store.end_tick(schedule, self.planned_at, job, end, note.as_deref(), now).await {
                Ok(ended) => return tell(context, schedule, ended).await,
                Err(e) if e.is_transient() && left > 0 => tokio::time::sleep(BETWEEN).await,
                Err(error) => {
                    return warn!(schedule, %error, "the end of a tick could not be written: the sweep will do it");
                }
            }
        }
    }
}

/// Ends a tick whose job the sweep has found completed.
pub(crate) async fn found_done(context: &Context, tick: &TickRef) -> Result<bool, store::StoreError> {
    let now = context.clock.now();
    let ended = context.store.end_tick(&tick.schedule, tick.planned_at, tick.job_id, TickEnd::Done, None, now).await?;
    Ok(ended.is_some())
}

/// Tells the operators of a schedule that its failures have paused.
pub(crate) async fn tell(context: &Context, schedule: &str, ended: Option<TickEnded>) {
    if let Some(TickEnded { paused_after: Some(failures) }) = ended {
        tell_paused(&context.notices, schedule, failures).await;
    }
}

/// Tells the operators that so many failures in a row have paused a schedule.
pub async fn tell_paused(notices: &Notices, schedule: &str, failures: u32) {
    let detail =
        format!("{schedule} failed {failures} times in a row; `postrider schedules show {schedule}` shows why");
    paused(notices, schedule, "a schedule is paused: it failed too often in a row", detail).await;
}

/// Tells the operators that a schedule is paused because nobody here can serve it.
pub async fn tell_stopped(notices: &Notices, schedule: &str, why: &str) {
    let detail = format!("{schedule}: {why}; `postrider schedules resume {schedule}` when that is mended");
    paused(notices, schedule, "a schedule is paused: it cannot be served", detail).await;
}

async fn paused(notices: &Notices, schedule: &str, title: &str, detail: String) {
    let notice = Notice {
        kind: PAUSED.to_owned(),
        severity: Severity::Critical,
        title: title.to_owned(),
        detail,
        labels: labels(schedule),
    };
    notices.raise(notice).await;
}

/// Tells the operators that a pause has ended of which they were told: one that a person made was no news.
pub async fn tell_resumed(notices: &Notices, schedule: &str, ended: Option<&Paused>) {
    if ended.is_some_and(|paused| paused.by == PausedBy::Failures) {
        notices.resolve(PAUSED, labels(schedule)).await;
    }
}

/// The same of schedules that a new configuration has changed or taken out.
pub async fn tell_unpaused(notices: &Notices, schedules: &[String]) {
    for schedule in schedules {
        notices.resolve(PAUSED, labels(schedule)).await;
    }
}

fn labels(schedule: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("schedule".to_owned(), schedule.to_owned())])
}

fn note(error: &str) -> String {
    Text(error).to_string().chars().take(NOTE).collect()
}

#[cfg(test)]
mod tests {
    use job::{Kind, QueueName};
    use serde_json::value::RawValue;

    use super::*;

    fn envelope(key: Option<UniqueKey>) -> Envelope {
        let args = RawValue::from_string("{}".to_owned()).unwrap();
        let id = JobId::from_bytes([7; 16]);
        let mut envelope = Envelope::raw(
            id,
            Kind::new("debug.noop").unwrap(),
            QueueName::new("debug").unwrap(),
            args,
            Timestamp::UNIX_EPOCH,
        );
        envelope.unique_key = key;
        envelope
    }

    #[test]
    fn a_job_names_its_tick_by_its_key() {
        let planned_at: Timestamp = "2026-11-24T04:00:00.250Z".parse().unwrap();
        let of = OfTick::of(&envelope(Some(key("search-report-daily", planned_at)))).unwrap();
        assert_eq!((of.schedule.as_str(), of.planned_at), ("search-report-daily", planned_at));
    }

    #[test]
    fn other_keys_name_none() {
        for text in ["booking:bk_1:v1", "tick:", "tick:x", "tick:x:soon", "tick:x:99999999999999999"] {
            assert_eq!(OfTick::of(&envelope(Some(UniqueKey::new(text).unwrap()))), None, "{text}");
        }
        assert_eq!(OfTick::of(&envelope(None)), None);
    }
}
