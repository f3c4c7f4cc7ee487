//! A store, a queue, a clock, and schedulers on them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use job::{Chance, Clock, IdSource, JobId, ManualClock, QueueName};
use queue::sqlite::SqliteBroker;
use queue::{Broker, Filter, Settings, Time};
use scheduler::{Parts, Ticker};
use serde_json::json;
use store::{CatchUp, Overlap, ScheduleSpec, Store, StoreConfig, Tick, TickEnd, TickState};
use telemetry::metrics::Meters;
use testkit::{Database, janitor};
use worker::{Context, Notices, Registry};

use crate::fragile::Fragile;

/// How long a scheduler leads without renewing: between two steps of these tests there may be minutes.
pub const LEASE: Duration = Duration::from_secs(15 * 60);

/// What a test plays on.
pub struct Stage {
    pub clock: ManualClock,
    pub store: Store,
    pub broker: Arc<Fragile>,
    pub context: Context,
    registry: Arc<Registry>,
    _database: Option<Database>,
}

impl Stage {
    pub async fn sqlite() -> Self {
        let file = janitor::scratch_dir("scheduler").join("store.db");
        Self::over(&format!("sqlite:{}", file.display()), None).await
    }

    pub async fn postgres() -> Self {
        let database = Database::create().await;
        let url = database.url().to_owned();
        Self::over(&url, Some(database)).await
    }

    async fn over(url: &str, database: Option<Database>) -> Self {
        let store = Store::open(&StoreConfig::new(url)).await.unwrap();
        store.migrate().await.unwrap();
        let clock = ManualClock::at(at("2026-10-30T00:00:00Z"));
        let virtual_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let settings = Settings {
            queues: vec![QueueName::new("debug").unwrap()],
            time: Time::Virtual(Arc::clone(&virtual_clock)),
            ..Settings::default()
        };
        let broker = Fragile::new(Arc::new(SqliteBroker::open("sqlite::memory:", settings).await.unwrap()));
        let ids = Arc::new(IdSource::new(Arc::clone(&virtual_clock)));
        let context = Context::new(store.clone(), Arc::clone(&broker) as Arc<dyn Broker>, ids, virtual_clock);
        let registry = Arc::new(Registry::standard(true));
        Self { clock, store, broker, context, registry, _database: database }
    }

    /// A scheduler with these schedules in its configuration.
    pub fn scheduler(&self, configured: &[(String, ScheduleSpec)]) -> Ticker {
        self.scheduler_that_tells(configured, &self.context.notices)
    }

    /// The same, with a way to the operators.
    pub fn scheduler_that_tells(&self, configured: &[(String, ScheduleSpec)], notices: &Notices) -> Ticker {
        self.scheduler_by(&self.clock, configured, notices)
    }

    /// The same, by a clock that nobody else goes by.
    pub fn scheduler_by(
        &self,
        clock: &ManualClock,
        configured: &[(String, ScheduleSpec)],
        notices: &Notices,
    ) -> Ticker {
        let parts = Parts {
            store: self.store.clone(),
            broker: Arc::clone(&self.context.broker),
            registry: Arc::clone(&self.registry),
            queues: vec![QueueName::new("debug").unwrap()],
            ids: Arc::clone(&self.context.ids),
            clock: Arc::new(clock.clone()),
            meters: Meters::default(),
            notices: notices.clone(),
        };
        Ticker::new(parts, configured.to_vec(), format!("{:016x}", Chance::system().bits()), LEASE)
    }

    pub fn move_to(&self, to: Timestamp) {
        let ahead = to.duration_since(self.clock.now());
        self.clock.advance(Duration::try_from(ahead).unwrap_or_default());
    }

    /// Steps until a scheduler has nothing more to do at this moment.
    pub async fn settle(&self, scheduler: &mut Ticker) {
        while scheduler.step().await.unwrap() <= self.clock.now() {}
    }

    /// All ticks of a schedule, in order.
    pub async fn ticks(&self, name: &str) -> Vec<Tick> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.list_ticks(name, None, 1_000, cursor.as_deref()).await.unwrap();
            all.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                all.reverse();
                return all;
            }
        }
    }

    /// Instants and states of a schedule's ticks.
    pub async fn states(&self, name: &str) -> Vec<(String, TickState)> {
        let ticks = self.ticks(name).await;
        ticks.iter().map(|t| (t.tick.planned_at.strftime("%dT%H:%M").to_string(), t.tick.state)).collect()
    }

    /// The ids of all jobs in the queue: each is there once.
    pub async fn jobs(&self) -> BTreeSet<JobId> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.broker.list(&Filter::default(), 1_000, cursor).await.unwrap();
            all.extend(page.items.into_iter().map(|job| job.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let distinct: BTreeSet<JobId> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len());
        distinct
    }

    /// The job of the open tick at `time` is done.
    pub async fn done(&self, name: &str, time: &str) {
        let ticks = self.ticks(name).await;
        let open = ticks.iter().find(|t| t.tick.planned_at == at(time)).unwrap_or_else(|| panic!("no tick at {time}"));
        let (planned_at, job) = (open.tick.planned_at, open.tick.job_id);
        let now = self.clock.now();
        let ended = self.store.end_tick(name, planned_at, job, TickEnd::Done, None, now).await.unwrap();
        assert!(ended.is_some(), "it was open: {open:?}");
    }
}

pub fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

pub fn spec(cron: &str, zone: &str, catch_up: CatchUp, overlap: Overlap) -> ScheduleSpec {
    ScheduleSpec {
        cron: cron.to_owned(),
        timezone: zone.to_owned(),
        kind: "debug.noop".to_owned(),
        queue: "debug".to_owned(),
        args: json!({}),
        catch_up,
        max_lateness: Duration::from_secs(31 * 86_400),
        overlap,
        jitter: Duration::ZERO,
        failure_limit: None,
    }
}
