//! An API over a real queue and a real store, both SQLite in memory unless asked otherwise, called through its router.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::{Dev, Parts, Rate, Settings, State};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use job::{Chance, Clock, IdSource, JobId, ManualClock, QueueName, SystemClock};
use mail::zone::{dev_zone, ehlo_name};
use mail::{Catcher, DkimKey, DkimSigner, DnsServer, Verifier};
use queue::redis::RedisBroker;
use queue::sqlite::SqliteBroker;
use queue::{Broker, Disposition, Finish, LeaseRequest};
use secrecy::ExposeSecret;
use serde_json::Value;
use store::{NewApiKey, Scope, Store, StoreConfig};
use telemetry::metrics::{Meters, MetricsHandle};
use tokio::sync::OnceCell;
use tower::ServiceExt;
use uuid::Uuid;
use worker::Notices;
use worker::notices::Webhook;

pub const QUEUES: [&str; 5] = ["bookings", "emails", "default", "search", "debug"];

/// The API, its key that may do everything, and what is behind it.
pub struct App {
    pub router: Router,
    pub state: State,
    pub key: String,
    pub store: Store,
    pub broker: Arc<dyn Broker>,
}

pub struct Builder {
    broker: Option<Arc<dyn Broker>>,
    rate: Rate,
    dev: Option<Dev>,
    gate: Option<Arc<worker::Gate>>,
    migrate: bool,
    clock: Arc<dyn Clock>,
    request_timeout: Duration,
    keys_fresh_for: Duration,
    webhook: Option<Webhook>,
}

impl Builder {
    pub fn broker(mut self, broker: Arc<dyn Broker>) -> Self {
        self.broker = Some(broker);
        self
    }

    pub fn rate(mut self, per_second: u32, burst: u32) -> Self {
        self.rate = Rate { per_second, burst };
        self
    }

    pub fn dev(mut self, dev: Dev) -> Self {
        self.dev = Some(dev);
        self
    }

    pub fn gate(mut self, gate: worker::Gate) -> Self {
        self.gate = Some(Arc::new(gate));
        self
    }

    /// Notices to the operators are posted; that is, their jobs are enqueued.
    pub fn webhook(mut self, webhook: Webhook) -> Self {
        self.webhook = Some(webhook);
        self
    }

    pub fn unmigrated(mut self) -> Self {
        self.migrate = false;
        self
    }

    pub fn keys_fresh_for(mut self, time: Duration) -> Self {
        self.keys_fresh_for = time;
        self
    }

    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    pub async fn start(self) -> App {
        let store = Store::open(&StoreConfig::new("sqlite::memory:")).await.unwrap();
        let clock = self.clock;
        let mut key = String::new();
        if self.migrate {
            store.migrate().await.unwrap();
            key = new_key(&store, &[Scope::Admin], None).await;
        }
        let broker = match self.broker {
            Some(broker) => broker,
            None => queue().await,
        };
        let ids = Arc::new(IdSource::new(Arc::clone(&clock)));
        let told = |hook| Notices::posted(Arc::clone(&broker), Arc::clone(&ids), Arc::clone(&clock), hook);
        let notices = self.webhook.map(told).unwrap_or_default();
        let state = State::new(Parts {
            broker: Arc::clone(&broker),
            store: store.clone(),
            registry: Arc::new(worker::Registry::standard(true)),
            alerts: worker::alerts::Intake::new(store.clone(), Arc::default(), Arc::clone(&ids)),
            ids,
            clock,
            chance: Chance::seeded(1),
            settings: Settings {
                rate: self.rate,
                queues: QUEUES.map(|q| QueueName::new(q).unwrap()).to_vec(),
                request_timeout: self.request_timeout,
                keys_fresh_for: self.keys_fresh_for,
                senders: config::Config::dev(std::path::Path::new("unused")).mail.profiles().collect(),
                ..Settings::default()
            },
            heartbeats: Arc::default(),
            bookings: Arc::default(),
            meters: Meters::default(),
            gate: self.gate,
            notices,
            metrics: Arc::new(|| recorder().render()),
            dev: self.dev,
            secrets: Some(Arc::new(secrets::Keyring::ephemeral())),
        });
        App { router: api::router(state.clone()), state, key, store, broker }
    }
}

/// A queue in memory.
pub async fn queue() -> Arc<dyn Broker> {
    Arc::new(SqliteBroker::open("sqlite::memory:", queue::Settings::default()).await.unwrap())
}

/// The process has one recorder.
fn recorder() -> &'static MetricsHandle {
    static RECORDER: OnceLock<MetricsHandle> = OnceLock::new();
    RECORDER.get_or_init(|| telemetry::metrics::install().unwrap())
}

pub async fn new_key(store: &Store, scopes: &[Scope], rate_per_second: Option<u32>) -> String {
    let id = new_id();
    let new = NewApiKey { id, name: "test".to_owned(), scopes: scopes.to_vec(), rate_per_second };
    store.create_api_key(&new, SystemClock.now()).await.unwrap().secret.expose_secret().to_owned()
}

pub fn uuid_of(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// An id that no other test has.
pub fn new_id() -> Uuid {
    let chance = Chance::system();
    Uuid::from_u64_pair(chance.bits(), chance.bits())
}

impl App {
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// The same over a Redis, with an empty queue of its own.
    pub async fn over_redis() -> Self {
        static SERVER: OnceCell<testkit::Redis> = OnceCell::const_new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = SERVER.get_or_init(testkit::Redis::start).await.url();
        let prefix = format!("api-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let queues = QUEUES.map(|q| QueueName::new(q).unwrap()).to_vec();
        let settings = queue::Settings { queues, ..queue::Settings::default() };
        let broker = RedisBroker::connect(&url, &prefix, settings).await.unwrap();
        Self::builder().broker(Arc::new(broker)).start().await
    }

    pub fn builder() -> Builder {
        recorder();
        Builder {
            broker: None,
            gate: None,
            rate: Rate { per_second: 1_000_000, burst: 1_000_000 },
            dev: None,
            migrate: true,
            webhook: None,
            clock: Arc::new(SystemClock),
            request_timeout: Duration::from_secs(30),
            keys_fresh_for: Duration::from_secs(5),
        }
    }

    /// A call with the key.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call {
            app: self,
            request: Request::builder().method(method).uri(path),
            body: Body::empty(),
            key: Some(self.key.clone()),
        }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: &str) -> Call<'_> {
        self.call(Method::POST, path).json(body)
    }

    /// Leases what waits in a queue and ends it so.
    pub async fn finish_all(&self, queue: &str, disposition: Disposition) -> Vec<JobId> {
        let queue = QueueName::new(queue).unwrap();
        let ask = LeaseRequest { max: 100, token: 7, worker: 1, idle: true };
        let leased = self.broker.exchange(&queue, &[], Some(ask)).await.unwrap().leased;
        let finishes: Vec<Finish> = leased
            .iter()
            .map(|l| {
                let envelope = l.envelope.as_ref().unwrap();
                Finish {
                    lease: l.lease,
                    disposition: disposition.clone(),
                    priority: envelope.priority,
                    unique: envelope.unique_key.clone().map(|key| (key, envelope.unique_for)),
                }
            })
            .collect();
        self.broker.exchange(&queue, &finishes, None).await.unwrap();
        leased.into_iter().map(|l| l.lease.id).collect()
    }
}

pub struct Call<'a> {
    app: &'a App,
    request: axum::http::request::Builder,
    body: Body,
    key: Option<String>,
}

impl Call<'_> {
    pub fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").body(body.to_owned())
    }

    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    pub fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    pub async fn send(mut self) -> Answer {
        if let Some(key) = self.key {
            self.request = self.request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = self.request.body(self.body).unwrap();
        let (head, body) = self.app.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, bytes }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// It is this status; the JSON.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// It is a problem of this status in the contract's shape; the fields that it names.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Vec<String> {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|s| !s.is_empty()), "{member}: {problem}");
        }
        assert_eq!(problem["status"], status);
        let fields = problem["errors"].as_array().unwrap();
        assert!(fields.iter().all(|e| e["message"].as_str().is_some_and(|m| !m.is_empty())), "{problem}");
        fields.iter().map(|e| e["field"].as_str().unwrap().to_owned()).collect()
    }
}

/// An SMTP catcher with a zone to check against, and a signer for its domain.
pub struct Post {
    pub dns: Arc<DnsServer>,
    pub catcher: Catcher,
    pub signer: DkimSigner,
}

impl Post {
    pub async fn start() -> Self {
        let domain = "postrider.test";
        let key = DkimKey::generate().unwrap();
        let signer = DkimSigner::new(&key, domain, "dev").unwrap();
        let zone = dev_zone(domain, "dev", &key.public_txt()).unwrap();
        let dns = Arc::new(DnsServer::start(zone).await.unwrap());
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
        let verifier = Verifier::new(dns.addr()).unwrap();
        let catcher = Catcher::start("127.0.0.1:0".parse().unwrap(), verifier, clock).await.unwrap();
        Self { dns, catcher, signer }
    }

    pub fn dev(&self) -> Dev {
        let dns = Arc::clone(&self.dns);
        Dev {
            inbox: self.catcher.inbox(),
            zone: Arc::new(move || dns.zone().to_string()),
            templates: Arc::new(mail::Renderer::new(None).expect("the templates load")),
        }
    }

    /// Sends a message over SMTP as it stands, and waits until it is caught.
    pub async fn send(&self, to: &str, message: &[u8]) {
        let inbox = self.catcher.inbox();
        let before = inbox.received();
        let relay = mail::RelayConfig::plain(self.catcher.addr(), &ehlo_name("postrider.test"));
        let transport = mail::SmtpTransport::new(relay).unwrap();
        let envelope =
            mail::Envelope { from: Some("bookings@bounce.postrider.test".parse().unwrap()), to: to.parse().unwrap() };
        transport.send(&envelope, message, || async { Ok::<(), std::fmt::Error>(()) }).await.unwrap();
        inbox.wait_for(before + 1).await;
    }

    pub async fn send_signed(&self, to: &str, message: &str) {
        let signed = self.signer.sign(message.as_bytes(), "2026-11-23T10:00:00Z".parse().unwrap()).unwrap();
        self.send(to, &signed).await;
    }
}
