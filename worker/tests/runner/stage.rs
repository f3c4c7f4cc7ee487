//! A queue, a store and, when asked for, a runner.

use std::sync::Arc;
use std::time::Duration;

use job::{Chance, Clock, Envelope, IdSource, JobId, JobState, Kind, ManualClock, QueueName, SystemClock};
use queue::consumer::Share;
use queue::redis::RedisBroker;
use queue::sqlite::SqliteBroker;
use queue::{Broker, JobRecord, Settings, Time};
use serde_json::Value;
use store::{Store, StoreConfig};
use testkit::Hook;
use worker::notices::Webhook;
use worker::{Context, Notices, Registry, Runner, RunnerSettings};

/// How long a case may wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a case plays on.
pub struct Stage {
    pub context: Context,
}

impl Stage {
    pub async fn sqlite() -> Self {
        Self::with(Arc::new(SqliteBroker::open("sqlite::memory:", settings()).await.unwrap())).await
    }

    pub async fn redis(url: &str) -> Self {
        Self::with(Arc::new(RedisBroker::connect(url, "runner", settings()).await.unwrap())).await
    }

    /// Everything by a clock that is moved by hand.
    pub async fn at(clock: &ManualClock) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let settings = Settings { time: Time::Virtual(Arc::clone(&clock)), ..settings() };
        let broker = SqliteBroker::open("sqlite::memory:", settings).await.unwrap();
        Self::by(Arc::new(broker), clock).await
    }

    async fn with(broker: Arc<dyn Broker>) -> Self {
        Self::by(broker, Arc::new(SystemClock)).await
    }

    async fn by(broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Self {
        let store = Store::open(&StoreConfig::new("sqlite::memory:")).await.unwrap();
        store.migrate().await.unwrap();
        let ids = Arc::new(IdSource::new(Arc::clone(&clock)));
        Self {
            context: Context {
                secrets: Some(Arc::new(secrets::Keyring::ephemeral())),
                public_url: "http://127.0.0.1:8080".to_owned(),
                ..Context::new(store, broker, ids, clock)
            },
        }
    }

    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.context.broker
    }

    /// From now on the operators are told by this webhook.
    pub fn tells(&mut self, hook: &Hook, secret: Option<&str>) {
        let settings =
            outbound::Settings { allow: vec!["127.0.0.1/32".parse().unwrap()], ..outbound::Settings::default() };
        let client = outbound::Client::new(settings, Arc::new(outbound::SystemResolver));
        let hook = Webhook::new(hook.url(), secret, client).unwrap();
        let context = &mut self.context;
        let (broker, ids, clock) = (Arc::clone(&context.broker), Arc::clone(&context.ids), Arc::clone(&context.clock));
        context.notices = Notices::posted(broker, ids, clock, hook);
    }

    /// A runner with a grace of a second for unknown kinds and short deadlines, changed by `change`.
    pub fn runner(&self, change: impl FnOnce(&mut RunnerSettings)) -> Runner {
        self.runner_of(Registry::standard(true), change)
    }

    /// The same, of these kinds.
    pub fn runner_of(&self, registry: Registry, change: impl FnOnce(&mut RunnerSettings)) -> Runner {
        let share = |name: &str, weight| Share { weight, ..share(name) };
        let mut settings = RunnerSettings {
            queues: vec![share("debug", 2), share("bookings", 1), share("emails", 1)],
            concurrency: 32,
            loops: 2,
            heartbeat: Duration::from_secs(2),
            unknown_grace: Duration::from_secs(1),
            soft: Duration::from_millis(300),
            hard: Duration::from_secs(30),
            sweep_after: Duration::from_secs(30),
            worker: Chance::system().bits(),
        };
        change(&mut settings);
        Runner::start(settings, Arc::new(registry), self.context.clone())
    }

    pub fn envelope(&self, kind: &str, args: Value) -> Envelope {
        self.envelope_in("debug", kind, args)
    }

    pub fn envelope_in(&self, name: &str, kind: &str, args: Value) -> Envelope {
        let queue = queue(name);
        let args = serde_json::value::to_raw_value(&args).unwrap();
        let id = self.context.ids.next(&queue);
        Envelope::raw(id, Kind::new(kind).unwrap(), queue, args, self.context.clock.now())
    }

    pub async fn enqueue(&self, envelope: Envelope) -> JobId {
        let id = envelope.id;
        self.broker().enqueue(&[envelope.into()]).await.unwrap();
        id
    }

    pub async fn record(&self, id: JobId) -> JobRecord {
        self.broker().get(id).await.unwrap().expect("the job is kept")
    }

    /// Waits until the job is in `state`.
    pub async fn until(&self, id: JobId, state: JobState) -> JobRecord {
        testkit::wait_for(&format!("job {id} to be {state}"), PATIENCE, || async {
            let record = self.record(id).await;
            (record.state == state).then_some(record)
        })
        .await
    }

    /// How many jobs of a queue are in a state.
    pub async fn count(&self, name: &str, state: JobState) -> u64 {
        let stats = self.broker().stats().await.unwrap();
        stats.iter().find(|stats| stats.queue.as_str() == name).map_or(0, |stats| stats.count(state))
    }
}

/// A queue's share of a runner.
pub fn share(name: &str) -> Share {
    Share { queue: queue(name), weight: 1, limit: None }
}

pub fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn settings() -> Settings {
    Settings { queues: ["debug", "bookings", "emails", "default", "search"].map(queue).to_vec(), ..Settings::default() }
}
