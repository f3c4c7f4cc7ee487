//! A store, a queue, a clock that is moved by hand, and the rules that most tests play by.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alerting::{Alert, Details, Labels, Matcher, RouteSpec, Routes, Severity, State, Step};
use jiff::Timestamp;
use job::{Clock, IdSource, ManualClock, QueueName};
use queue::sqlite::SqliteBroker;
use queue::{Broker, Settings, Time};
use secrets::Keyring;
use store::{Delivery, DeliveryFilter, Incident, IncidentNotification, Store, StoreConfig};
use testkit::{Database, janitor};
use uuid::Uuid;
use worker::Context;
use worker::alerts::clockwork::{self, Looked};
use worker::alerts::{Accepted, AlertRules, Intake, Receiver, Storm};

pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 3600;

/// What a test plays on.
pub struct Stage {
    pub clock: ManualClock,
    pub context: Context,
    url: String,
    database: Option<Database>,
}

impl Stage {
    pub async fn sqlite() -> Self {
        let file = janitor::scratch_dir("alerts").join("store.db");
        Self::over(&format!("sqlite:{}", file.display()), None).await
    }

    /// Without a file: for tests of many steps.
    pub async fn in_memory() -> Self {
        Self::over("sqlite::memory:", None).await
    }

    pub async fn postgres() -> Self {
        let database = Database::create().await;
        let url = database.url().to_owned();
        Self::over(&url, Some(database)).await
    }

    async fn over(url: &str, database: Option<Database>) -> Self {
        let store = Store::open(&StoreConfig::new(url)).await.unwrap();
        store.migrate().await.unwrap();
        let stage = Self::on(store, url, "2027-03-01T09:00:00Z".parse().unwrap()).await;
        Self { database, ..stage }
    }

    /// On a store that another process has made; with a queue of its own.
    pub async fn beside(url: &str, now: Timestamp) -> Self {
        Self::on(Store::open(&StoreConfig::new(url)).await.unwrap(), url, now).await
    }

    async fn on(store: Store, url: &str, now: Timestamp) -> Self {
        let clock = ManualClock::at(now);
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let broker = a_queue(&time).await;
        let ids = Arc::new(IdSource::new(Arc::clone(&time)));
        let context = Context {
            secrets: Some(Arc::new(Keyring::ephemeral())),
            public_url: "https://post.test".to_owned(),
            ..Context::new(store, broker, ids, time)
        };
        let mut stage = Self { clock, context, url: url.to_owned(), database: None };
        stage.play_by(rules());
        stage
    }

    /// Other rules.
    pub fn play_by(&mut self, rules: AlertRules) {
        let ids = Arc::clone(&self.context.ids);
        self.context.alerts = Intake::new(self.context.store.clone(), Arc::new(rules), ids);
    }

    /// Everything at once to one person, for as long as it takes.
    pub fn without_limits(&mut self) {
        let root = RouteSpec {
            receiver: Some("ops".to_owned()),
            group_wait: Some(Duration::ZERO),
            repeat_interval: Some(Duration::from_hours(24 * 31)),
            ..RouteSpec::default()
        };
        let storm = Storm { incidents_per_minute: 100_000, ..rules().storm };
        let routes = Routes::build(&root, &|_| true).unwrap();
        self.play_by(AlertRules { routes, storm, mails_per_hour: 10_000, ..rules() });
    }

    /// What another process on the same store has.
    pub async fn another(&self) -> Context {
        let store = Store::open(&StoreConfig::new(&self.url)).await.unwrap();
        let rules = Arc::clone(self.context.alerts.rules());
        let alerts = Intake::new(store.clone(), rules, Arc::clone(&self.context.ids));
        Context { store, alerts, ..self.context.clone() }
    }

    /// Who dies before the queue hears of anything: what it enqueues is lost.
    pub async fn dying(&self) -> Context {
        Context { broker: a_queue(&self.context.clock).await, ..self.context.clone() }
    }

    /// How often transactions blocked each other for good; the stage is not to be used after that.
    pub async fn deadlocks(&self) -> i64 {
        match &self.database {
            Some(database) => database.deadlocks().await,
            None => 0,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    pub async fn accept(&self, alerts: &[Alert]) -> Vec<Accepted> {
        self.context.alerts.accept(alerts, self.now()).await.unwrap()
    }

    pub async fn fire(&self, kind: &str, severity: Severity) -> Accepted {
        self.accept(&[self.alert(kind, severity)]).await.remove(0)
    }

    pub async fn over_with(&self, kind: &str) -> Accepted {
        self.accept(&[Alert { state: State::Resolved, ..self.alert(kind, Severity::Info) }]).await.remove(0)
    }

    pub fn alert(&self, kind: &str, severity: Severity) -> Alert {
        Alert {
            kind: kind.to_owned(),
            severity,
            title: format!("{kind} is wrong"),
            message: "It is not as it should be.".to_owned(),
            labels: Labels::from_pairs([("service", "search")]).unwrap(),
            details: Details::new(),
            state: State::Firing,
            starts_at: self.now(),
            ends_at: None,
        }
    }

    /// Looks now.
    pub async fn look(&self) -> Looked {
        clockwork::once(&self.context).await.unwrap()
    }

    /// Moves the clock by so many seconds, looking each time something is due; answers how many mails and posts there were,
    /// with the second at which they were told.
    pub async fn play(&self, seconds: u64) -> Vec<(u64, usize)> {
        let mut told = Vec::new();
        for second in 1..=seconds {
            self.clock.advance(Duration::from_secs(1));
            let due = self.context.store.alerts_due().await.unwrap();
            if due.at.is_some_and(|at| at <= self.now()) {
                let looked = self.look().await;
                if looked.mails + looked.posts > 0 {
                    told.push((second, looked.mails + looked.posts));
                }
            }
        }
        told
    }

    /// Jumps.
    pub async fn after(&self, seconds: u64) -> Looked {
        self.clock.advance(Duration::from_secs(seconds));
        self.look().await
    }

    /// All mails, the oldest first.
    pub async fn mails(&self) -> Vec<Delivery> {
        let (mut mails, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let filter = DeliveryFilter::default();
            let page = self.context.store.list_deliveries(&filter, 1_000, cursor.as_deref()).await.unwrap();
            mails.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                mails.reverse();
                return mails;
            }
        }
    }

    /// Template, address and title of each mail, the oldest first.
    pub async fn told(&self) -> Vec<String> {
        let name = |mail: &Delivery| {
            let title = mail.data["title"].as_str().unwrap_or("digest");
            format!("{} {} {title}", mail.template.trim_start_matches("alert_"), mail.recipient)
        };
        self.mails().await.iter().map(name).collect()
    }

    pub async fn incident(&self, id: Uuid) -> Incident {
        self.context.store.get_incident(id).await.unwrap().unwrap()
    }

    /// What happened to an incident, as words.
    pub async fn history(&self, id: Uuid) -> Vec<&'static str> {
        let events = self.context.store.incident_events(id).await.unwrap();
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    pub async fn notifications(&self, id: Uuid) -> Vec<IncidentNotification> {
        self.context.store.incident_notifications(id).await.unwrap()
    }
}

async fn a_queue(time: &Arc<dyn Clock>) -> Arc<dyn Broker> {
    let settings = Settings {
        queues: ["emails", "default"].map(|name| QueueName::new(name).unwrap()).to_vec(),
        time: Time::Virtual(Arc::clone(time)),
        ..Settings::default()
    };
    Arc::new(SqliteBroker::open("sqlite::memory:", settings).await.unwrap())
}

/// Warnings go to `ops`, critical ones to `oncall` and after 15 minutes to `boss` as well; infos are grouped by service.
pub fn rules() -> AlertRules {
    let people = |addresses: &[&str]| Receiver {
        emails: addresses.iter().map(|address| (*address).to_owned()).collect(),
        ..Receiver::default()
    };
    let receivers: BTreeMap<String, Receiver> = [
        ("ops".to_owned(), people(&["ops@example.com"])),
        ("oncall".to_owned(), people(&["ana@example.com"])),
        ("boss".to_owned(), people(&["boss@example.com"])),
    ]
    .into();
    let route = |matcher: &str, receiver: &str| RouteSpec {
        matchers: vec![matcher.parse::<Matcher>().unwrap()],
        receiver: Some(receiver.to_owned()),
        ..RouteSpec::default()
    };
    let minutes = |n| Duration::from_secs(n * MINUTE);
    let critical = RouteSpec {
        group_wait: Some(Duration::ZERO),
        escalate: Some(vec![
            Step { after: minutes(15), receiver: "boss".to_owned() },
            Step { after: minutes(30), receiver: "ops".to_owned() },
        ]),
        ..route("severity=\"critical\"", "oncall")
    };
    let infos = RouteSpec { group_by: Some(vec!["service".to_owned()]), ..route("severity=\"info\"", "ops") };
    let root = RouteSpec { receiver: Some("ops".to_owned()), routes: vec![critical, infos], ..RouteSpec::default() };
    let routes = Routes::build(&root, &|name| receivers.contains_key(name)).unwrap();
    AlertRules { routes, receivers, ..AlertRules::default() }
}
