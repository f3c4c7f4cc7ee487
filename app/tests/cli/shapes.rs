//! `--json` has the shapes of the HTTP API: one `postrider dev`, asked both ways.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Process, ProcessBuilder, free_port, wait_until};

use crate::harness::{POSTRIDER, Place};

struct Dev {
    place: Place,
    port: u16,
    _process: Process,
}

impl Dev {
    async fn start() -> Self {
        let place = Place::sqlite();
        let port = free_port();
        let mut process = ProcessBuilder::new("postrider dev", POSTRIDER)
            .args(["dev", "--port", &port.to_string(), "--data", &place.path("data")])
            .dir(&place.dir)
            // Nothing is done by itself meanwhile: what is in the queues is this test's.
            .env("POSTRIDER__SCHEDULES__HEARTBEAT__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__REMINDERS__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__RECONCILE__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__DOMAINS__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__SEARCH_ROLLUP__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__SEARCH_REPORT_DAILY__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__SEARCH_REPORT_WEEKLY__ENABLED", "false")
            .env("POSTRIDER__SCHEDULES__RETENTION__ENABLED", "false")
            .spawn();
        process.ready(port, "/readyz", Duration::from_secs(30)).await;
        Self { place, port, _process: process }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = reqwest::Client::new().get(url).bearer_auth("dev").send().await.expect("it answers");
        answer.json().await.expect("it is JSON")
    }

    /// The command line on the same data.
    async fn cli(&self, args: &[&str]) -> Value {
        // Of the environment only the queue and store of this test are set, and they would win over --data.
        let place = Place::sqlite().with("QUEUE__URL", &format!("sqlite:{}", self.place.path("data/queue.db")));
        let data = self.place.path("data");
        place.json(&[args, &["--data", &data]].concat()).await
    }
}

#[tokio::test]
async fn jobs_and_queues_look_the_same_from_both_sides() {
    let dev = Dev::start().await;
    let later = dev.cli(&["enqueue", "debug.noop", "--delay", "1h", "--unique-key", "k", "--tag", "t"]).await;
    let done = dev.cli(&["enqueue", "debug.effect", r#"{"key": "shape"}"#]).await;
    let dead = dev.cli(&["enqueue", "debug.fail", r#"{"times": 9}"#, "--max-attempts", "1"]).await;
    let path = |job: &Value| format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    for (job, state) in [(&done, "completed"), (&dead, "dead")] {
        wait_until(state, Duration::from_secs(20), async || dev.get(&path(job)).await["state"] == state).await;
    }

    for job in [&later, &done, &dead] {
        let shown = dev.cli(&["jobs", "show", job["id"].as_str().unwrap()]).await;
        assert_eq!(shown, dev.get(&path(job)).await);
    }
    assert_eq!(dev.cli(&["jobs", "list"]).await, dev.get("/v1/jobs").await);
    let page = dev.cli(&["jobs", "list", "--state", "dead", "--limit", "1"]).await;
    assert_eq!(page, dev.get("/v1/jobs?state=dead&limit=1").await);
    assert_eq!(dev.cli(&["queues", "list"]).await, dev.get("/v1/queues").await);

    // An enqueue that was accepted before is answered alike, too.
    let url = format!("http://127.0.0.1:{}/v1/jobs", dev.port);
    let body = json!({"kind": "debug.noop", "delay": "1h", "unique_key": "k"});
    let client = reqwest::Client::new();
    let answer = client.post(url).bearer_auth("dev").header("Content-Type", "application/json").body(body.to_string());
    let over_http: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(dev.cli(&["enqueue", "debug.noop", "--unique-key", "k"]).await, over_http);
}
