//! A stage for one case: an empty broker, a clock that stands until it is moved, and short words for what cases do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use job::{Clock, Envelope, IdSource, JobId, JobState, Kind, ManualClock, Priority, QueueName, UniqueKey};
use queue::{
    Broker, Disposition, Enqueue, Enqueued, Exchange, Filter, Finish, FinishResult, JobRecord, LeaseRequest, Leased,
    Maintained, Settings, Time,
};
use serde_json::value::RawValue;

use crate::backend::Backend;

pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// How often housekeeping comes by on the stage: well within [`Settings::silence`].
const ROUND: Duration = Duration::from_secs(4);

pub struct Stage {
    pub broker: Arc<dyn Broker>,
    pub clock: ManualClock,
    /// The queue that jobs go to unless a case says otherwise.
    pub queue: QueueName,
    /// Another one.
    pub other: QueueName,
    settings: Settings,
    backend: Box<dyn Backend>,
    ids: IdSource,
    tokens: AtomicU64,
}

impl Stage {
    pub async fn set(backend: impl Backend + 'static) -> Self {
        Self::set_with(Box::new(backend), |_| ()).await
    }

    /// A fresh, empty stage on another backend of the same sort, with other settings.
    pub async fn anew(&self, change: impl FnOnce(&mut Settings)) -> Self {
        Self::set_with(self.backend.another().await, change).await
    }

    async fn set_with(backend: Box<dyn Backend>, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap());
        let ids = IdSource::seeded(Arc::new(clock.clone()), 1);
        let (queue, other) = (QueueName::new("emails").unwrap(), QueueName::new("reports").unwrap());
        let queues = vec![queue.clone(), other.clone()];
        let mut settings = Settings { time: Time::Virtual(Arc::new(clock.clone())), queues, ..Settings::default() };
        change(&mut settings);
        let broker = backend.open(settings.clone()).await;
        // Tokens use all 64 bits.
        Self { broker, clock, queue, other, settings, backend, ids, tokens: AtomicU64::new(u64::MAX - 5) }
    }

    /// Another handle on the same data.
    pub async fn handle(&self) -> Arc<dyn Broker> {
        self.backend.open(self.settings.clone()).await
    }

    pub async fn plant(&self, bytes: &[u8]) -> JobId {
        let id = self.ids.next(&self.queue);
        self.backend.plant(&self.queue, id, bytes, self.clock.now_ms()).await;
        id
    }

    // Jobs on their way in.

    pub fn job_in(&self, queue: &QueueName) -> Envelope {
        let args = RawValue::from_string(r#"{"to":"zoë@example.test"}"#.into()).unwrap();
        Envelope::raw(self.ids.next(queue), kind("email.send"), queue.clone(), args, self.clock.now())
    }

    /// A job for the stage's queue, due now.
    pub fn job(&self) -> Envelope {
        self.job_in(&self.queue)
    }

    /// The same, due after `delay`.
    pub fn job_after(&self, delay: Duration) -> Envelope {
        let mut job = self.job();
        job.run_at = job::clock::after(job.created_at, delay);
        job
    }

    pub fn job_with_priority(&self, priority: u8) -> Envelope {
        Envelope { priority: Priority::new(priority).unwrap(), ..self.job() }
    }

    pub fn job_under(&self, key: &str, unique_for: Duration) -> Envelope {
        Envelope { unique_for, ..self.job().with_unique_key(UniqueKey::new(key).unwrap()) }
    }

    pub async fn try_put(&self, job: Envelope) -> Enqueued {
        let answers = self.broker.enqueue(&[Enqueue::from(job)]).await.unwrap();
        assert_eq!(answers.len(), 1);
        answers[0]
    }

    /// Enqueues a job that is new.
    pub async fn put(&self, job: Envelope) -> JobId {
        let id = job.id;
        assert_eq!(self.try_put(job).await, Enqueued::New);
        id
    }

    /// Enqueues `n` new jobs; their ids in order.
    pub async fn put_many(&self, n: usize) -> Vec<JobId> {
        let jobs: Vec<Enqueue> = (0..n).map(|_| self.job().into()).collect();
        let answers = self.broker.enqueue(&jobs).await.unwrap();
        assert_eq!(answers, vec![Enqueued::New; n]);
        jobs.iter().map(|job| job.envelope.id).collect()
    }

    // Jobs on their way out.

    pub fn request(&self, max: usize) -> LeaseRequest {
        LeaseRequest { max, token: self.tokens.fetch_sub(1, Ordering::Relaxed), worker: 1, idle: false }
    }

    pub async fn ask(&self, request: LeaseRequest) -> Exchange {
        self.broker.exchange(&self.queue, &[], Some(request)).await.unwrap()
    }

    /// Leases up to `max` for a busy worker.
    pub async fn lease(&self, max: usize) -> Vec<Leased> {
        self.ask(self.request(max)).await.leased
    }

    /// Leases the one job that is there.
    pub async fn lease_one(&self) -> Leased {
        let mut leased = self.lease(1).await;
        assert_eq!(leased.len(), 1, "one job is there to be leased");
        leased.remove(0)
    }

    /// What an idle worker is given.
    pub async fn lease_idle(&self) -> Vec<Leased> {
        self.ask(LeaseRequest { idle: true, ..self.request(10) }).await.leased
    }

    pub async fn finish_all(&self, finishes: &[Finish]) -> Vec<FinishResult> {
        self.broker.exchange(&self.queue, finishes, None).await.unwrap().finished
    }

    pub async fn finish(&self, leased: &Leased, disposition: Disposition) -> FinishResult {
        self.finish_all(&[end(leased, disposition)]).await[0]
    }

    /// Enqueues, leases and finishes a job.
    pub async fn ended(&self, job: Envelope, disposition: Disposition) -> JobId {
        let id = self.put(job).await;
        let leased = self.lease_one().await;
        assert_eq!(leased.lease.id, id);
        assert_eq!(self.finish(&leased, disposition).await, FinishResult::Done);
        id
    }

    // Time and housekeeping.

    pub async fn maintain(&self) -> Maintained {
        self.broker.maintain(&self.queue).await.unwrap()
    }

    /// Lets time pass with housekeeping at work; what it did in all.
    pub async fn pass(&self, time: Duration) -> Maintained {
        let mut all = self.maintain().await;
        let mut left = time;
        while !left.is_zero() || all.more {
            let step = left.min(ROUND);
            self.clock.advance(step);
            left -= step;
            let done = self.maintain().await;
            all.promoted += done.promoted;
            all.reaped += done.reaped;
            all.crashed += done.crashed;
            all.trimmed += done.trimmed;
            all.cancel_requested = done.cancel_requested;
            all.more = done.more;
        }
        all
    }

    /// The workers of all leases are lost: nobody renews them, and housekeeping takes the jobs back.
    pub async fn lose_workers(&self) -> Maintained {
        self.pass(20 * SECOND).await
    }

    /// Enqueues a job and loses two workers with it.
    pub async fn suspect(&self) -> JobId {
        let id = self.put(self.job()).await;
        for _ in 0..2 {
            assert_eq!(self.lease_one().await.lease.id, id);
            assert_eq!(self.lose_workers().await.reaped, 1);
        }
        id
    }

    // What is there to be seen.

    pub async fn record(&self, id: JobId) -> JobRecord {
        self.broker.get(id).await.unwrap().expect("the job is there")
    }

    pub async fn state(&self, id: JobId) -> JobState {
        self.record(id).await.state
    }

    pub async fn count(&self, state: JobState) -> u64 {
        let stats = self.broker.stats().await.unwrap();
        stats.iter().find(|stats| stats.queue == self.queue).map_or(0, |stats| stats.count(state))
    }

    /// All jobs that match, page by page.
    pub async fn list(&self, filter: &Filter, limit: usize) -> Vec<JobId> {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.broker.list(filter, limit, cursor).await.unwrap();
            assert!(page.items.len() <= limit);
            ids.extend(page.items.iter().map(|job| job.id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return ids,
            }
        }
    }
}

pub fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

pub fn in_state(state: JobState) -> Filter {
    Filter { state: Some(state), ..Filter::default() }
}

/// The finish of a leased job, as a worker says it.
pub fn end(leased: &Leased, disposition: Disposition) -> Finish {
    let envelope = leased.envelope.as_ref().ok();
    Finish {
        lease: leased.lease,
        disposition,
        priority: envelope.map_or_else(Priority::default, |e| e.priority),
        unique: envelope.and_then(|e| e.unique_key.clone().map(|key| (key, e.unique_for))),
    }
}

pub fn completed() -> Disposition {
    Disposition::Completed { result: None }
}

pub fn retry_after(delay: Duration) -> Disposition {
    Disposition::Retry { delay, error: "the relay said 451".into() }
}

pub fn snooze(delay: Duration) -> Disposition {
    Disposition::Snooze { delay, reason: "the relay is away".into(), unknown_since: None }
}

pub fn dead() -> Disposition {
    Disposition::Dead { error: "no such mailbox".into() }
}

pub fn ids(leased: &[Leased]) -> Vec<JobId> {
    leased.iter().map(|leased| leased.lease.id).collect()
}
