//! API, two workers and a load, while somebody disturbs their Redis.

use std::time::Duration;

use queue::redis::RedisBroker;
use reqwest::StatusCode;
use serde_json::json;
use testkit::{Process, wait_until};
use tokio::time::Instant;

use crate::load::{Load, reckon};
use crate::rig::{Api, Rig, SOON};

/// How soon work must go on after Redis is back. It does so within a fraction of a second; the rest is for a machine that
/// stands still meanwhile.
pub const BACK_AT_WORK: Duration = Duration::from_secs(10);

/// See the module.
pub struct Scene {
    pub rig: Rig,
    pub broker: RedisBroker,
    pub api: Api,
    workers: [Process; 2],
    pub load: Load,
    probes: usize,
}

impl Scene {
    /// Starts everything, and waits until work is under way.
    pub async fn open(rig: Rig) -> Self {
        let broker = rig.broker();
        Self::open_with(rig, broker).await
    }

    /// The same, with the test's own view of the queue.
    pub async fn open_with(rig: Rig, broker: RedisBroker) -> Self {
        let api = rig.api().await;
        let workers = [rig.worker("first").await, rig.worker("second").await];
        let load = Load::start(&api.client, 8, Duration::from_millis(4));
        load.goes_on(400).await;
        Self { rig, broker, api, workers, load, probes: 0 }
    }

    /// Sends a job as soon as the API takes it and waits for its effect, which must be there soon after `back`.
    pub async fn work_goes_on(&mut self, what: &str, back: Instant) {
        self.work_goes_on_within(what, back, BACK_AT_WORK).await;
    }

    /// The same, where others than we need their time first.
    pub async fn work_goes_on_within(&mut self, what: &str, back: Instant, bound: Duration) {
        self.probes += 1;
        let key = format!("probe-{}", self.probes);
        let body = json!({"kind": "debug.effect", "args": {"key": key}, "priority": 0});
        wait_until("the API accepts jobs", SOON, async || {
            let answer = self.api.client.post("/v1/jobs", &body).await;
            if answer.status == StatusCode::ACCEPTED {
                return true;
            }
            answer.assert_unavailable();
            false
        })
        .await;
        let accepted = back.elapsed();
        wait_until("the job takes effect", SOON, async || self.rig.effect(&key).await.1 == 1).await;
        let took = back.elapsed();
        println!("{what}: accepted {accepted:?}, done {took:?} after Redis was back");
        assert!(took < bound, "{what}: work went on only {took:?} after Redis was back");
        self.nobody_ended();
    }

    pub fn nobody_ended(&mut self) {
        assert!(self.api.process.is_running(), "the API ended");
        for worker in &mut self.workers {
            assert!(worker.is_running(), "a worker ended:\n{}", worker.log());
        }
    }

    /// Ends the load and settles up; says how many runs there were beyond one a job.
    pub async fn close(mut self) -> usize {
        self.load.goes_on(50).await;
        self.nobody_ended();
        println!("{} accepted, {} refused", self.load.accepted(), self.load.refused());
        let accepted = self.load.stop().await;
        reckon(&self.rig, &self.broker, &accepted).await
    }
}
