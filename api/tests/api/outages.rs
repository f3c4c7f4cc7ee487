//! When the queue or the store is away: 503 and `Retry-After`, and what was promised is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue::{Broker, BrokerError, Front};
use tokio::sync::Notify;

use crate::bookings::example;
use crate::harness::{App, queue};

/// A real queue that can go away, hang, or turn out broken.
struct Fragile {
    inner: Arc<dyn Broker>,
    away: AtomicBool,
    panics: AtomicBool,
    hangs: AtomicBool,
    never: Notify,
}

impl Fragile {
    async fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: queue().await,
            away: AtomicBool::default(),
            panics: AtomicBool::default(),
            hangs: AtomicBool::default(),
            never: Notify::new(),
        })
    }
}

#[async_trait]
impl Front for Fragile {
    fn behind(&self) -> &dyn Broker {
        self.inner.as_ref()
    }

    async fn before(&self) -> Result<(), BrokerError> {
        assert!(!self.panics.load(Ordering::SeqCst), "a defect");
        if self.hangs.load(Ordering::SeqCst) {
            self.never.notified().await;
        }
        match self.away.load(Ordering::SeqCst) {
            true => Err(BrokerError::Unavailable("connection refused by 10.1.2.3:6379".to_owned())),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn while_the_queue_is_away_every_call_is_503_with_retry_after_and_tells_no_addresses() {
    let broker = Fragile::new().await;
    let app = App::builder().broker(broker.clone()).start().await;
    broker.away.store(true, Ordering::SeqCst);
    let job = r#"{"kind":"debug.noop"}"#;
    let id = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
    let calls = [
        app.post("/v1/jobs", job),
        app.post("/v1/jobs", job).header("idempotency-key", "k"),
        app.post("/v1/jobs/batch", &format!(r#"{{"jobs":[{job}]}}"#)),
        app.post("/v1/bookings/bk_1/events", &example().to_string()),
        app.get("/v1/jobs"),
        app.get("/v1/queues"),
        app.get(&format!("/v1/jobs/{id}")),
        app.post(&format!("/v1/jobs/{id}/cancel"), ""),
        app.post("/v1/queues/debug/pause", ""),
    ];
    for call in calls {
        let answer = call.send().await;
        answer.problem(503);
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.text().contains("10.1.2.3"), "{}", answer.text());
    }
    let ready = app.get("/readyz").without_key().send().await;
    assert_eq!(ready.problem(503), ["queue"]);
    assert!(ready.header("retry-after") == "1" && !ready.text().contains("10.1.2.3"));
    app.get("/healthz").without_key().send().await.expect(200);

    // The event was written down before the queue was asked: the next try finds it, and it happens once.
    broker.away.store(false, Ordering::SeqCst);
    app.post("/v1/bookings/bk_1/events", &example().to_string()).send().await.expect(200);
    let done = app.finish_all("bookings", queue::Disposition::Completed { result: None }).await;
    assert_eq!(done.len(), 1);
    app.get("/readyz").without_key().send().await.expect(200);
}

#[tokio::test]
async fn while_the_store_is_away_what_needs_it_is_503_and_a_fresh_key_still_enqueues() {
    let app = App::start().await;
    app.get("/v1/jobs").send().await.expect(200);
    app.store.close().await;
    app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).send().await.expect(202);
    for path in ["/v1/deliveries", "/v1/bookings/bk_1", "/v1/debug/effects?key=k"] {
        let answer = app.get(path).send().await;
        answer.problem(503);
        assert_eq!(answer.header("retry-after"), "1");
    }
    app.post("/v1/bookings/bk_1/events", &example().to_string()).send().await.problem(503);
    app.get("/v1/jobs").key("pr_unknown").send().await.problem(503);
    let ready = app.get("/readyz").without_key().send().await.problem(503);
    assert!(ready.contains(&"store".to_owned()), "{ready:?}");
}

#[tokio::test]
async fn readiness_names_migrations_that_are_missing() {
    let app = App::builder().unmigrated().start().await;
    assert_eq!(app.get("/readyz").without_key().send().await.problem(503), ["migrations"]);
    app.store.migrate().await.unwrap();
    app.get("/readyz").without_key().send().await.expect(200);
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_server_goes_on() {
    let broker = Fragile::new().await;
    let app = App::builder().broker(broker.clone()).start().await;
    broker.panics.store(true, Ordering::SeqCst);
    let answer = app.get("/v1/jobs").send().await;
    answer.problem(500);
    assert!(!answer.text().contains("a defect"));
    broker.panics.store(false, Ordering::SeqCst);
    app.get("/v1/jobs").send().await.expect(200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let broker = Fragile::new().await;
    let app = App::builder().broker(broker.clone()).request_timeout(Duration::from_millis(50)).start().await;
    broker.hangs.store(true, Ordering::SeqCst);
    let answer = app.get("/v1/jobs").send().await;
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_body_that_never_ends_is_the_clients_fault() {
    let app = App::builder().request_timeout(Duration::from_secs(4)).start().await;
    let body = axum::body::Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let call = app.call(axum::http::Method::POST, "/v1/jobs").header("content-type", "application/json").body(body);
    call.send().await.problem(408);
}
