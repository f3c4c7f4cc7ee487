//! Jobs over HTTP, and the reckoning: what was accepted must have happened, once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use job::{JobId, JobState};
use queue::Broker;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::wait_until;
use tokio_util::sync::CancellationToken;

use crate::rig::{self, DRAIN, Rig, SOON};

/// A client of the API with a key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// What the API answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub media_type: String,
    pub retry_after: Option<String>,
    pub body: Value,
}

impl Client {
    pub fn new(base: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Self { http, base: base.to_owned(), key: key.to_owned() }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(self.http.get(format!("{}{path}", self.base))).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.bearer_auth(&self.key).send().await.expect("the API answers every call");
        let header = |name: &str| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        let (status, retry_after) = (response.status(), header("retry-after"));
        let media_type = header("content-type").unwrap_or_default();
        let body = response.bytes().await.expect("the answer arrives whole");
        Answer { status, media_type, retry_after, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }
}

impl Answer {
    /// The job's id, of an answer that accepted one.
    pub fn job(&self) -> JobId {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).parse().unwrap()
    }

    /// The queue is away: a problem that says when to come again.
    #[track_caller]
    pub fn assert_unavailable(&self) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{self:?}");
        assert!(self.media_type.starts_with("application/problem+json"), "{self:?}");
        assert_eq!(self.body["status"], 503, "{self:?}");
        let seconds: u64 = self.retry_after.as_deref().and_then(|s| s.parse().ok()).expect("a Retry-After in seconds");
        assert!((1..=60).contains(&seconds), "{self:?}");
    }
}

/// A `debug.effect` that was answered 202.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub id: JobId,
    pub key: String,
}

/// Jobs sent one by one, from several lanes at once, until stopped.
pub struct Load {
    stop: CancellationToken,
    lanes: Vec<tokio::task::JoinHandle<Vec<Accepted>>>,
    accepted: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Load {
    /// Starts: each lane has one call under way and then breathes for `pace`.
    pub fn start(client: &Client, lanes: usize, pace: Duration) -> Self {
        let stop = CancellationToken::new();
        let (accepted, refused) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let lane = |lane: usize| {
            let (client, stop) = (client.clone(), stop.clone());
            let (accepted, refused) = (Arc::clone(&accepted), Arc::clone(&refused));
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for n in 0.. {
                    if stop.is_cancelled() {
                        break;
                    }
                    let key = format!("load-{lane}-{n}");
                    // Every queue: in a Cluster each of them lives on a node of its own.
                    let queue = ["debug", "default", "bookings", "emails"][n % 4];
                    let body = json!({"kind": "debug.effect", "args": {"key": key}, "queue": queue});
                    let answer = client.post("/v1/jobs", &body).await;
                    if answer.status == StatusCode::ACCEPTED {
                        mine.push(Accepted { id: answer.job(), key });
                        accepted.fetch_add(1, Ordering::Relaxed);
                    } else {
                        answer.assert_unavailable();
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(pace).await;
                }
                mine
            })
        };
        Self { lanes: (0..lanes).map(lane).collect(), stop, accepted, refused }
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until `more` further jobs were accepted.
    pub async fn goes_on(&self, more: u64) {
        let goal = self.accepted() + more;
        wait_until("jobs are accepted again", SOON, async || self.accepted() >= goal).await;
    }

    /// Stops; returns all that was accepted.
    pub async fn stop(self) -> Vec<Accepted> {
        self.stop.cancel();
        let mut all = Vec::new();
        for lane in self.lanes {
            all.extend(lane.await.expect("no lane met an answer that it may not get"));
        }
        all
    }
}

/// Sends `count` effects in batches, and returns them.
pub async fn send_effects(client: &Client, name: &str, count: usize) -> Vec<Accepted> {
    let keys: Vec<String> = (0..count).map(|n| format!("{name}-{n}")).collect();
    let mut accepted = Vec::with_capacity(count);
    for chunk in keys.chunks(500) {
        let jobs: Vec<Value> = chunk.iter().map(|key| json!({"kind": "debug.effect", "args": {"key": key}})).collect();
        let answer = client.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        for (key, result) in chunk.iter().zip(answer.body["results"].as_array().unwrap()) {
            let id = result["id"].as_str().unwrap_or_else(|| panic!("refused: {result}")).parse().unwrap();
            accepted.push(Accepted { id, key: key.clone() });
        }
    }
    accepted
}

/// Waits until the queue is empty and checks that every accepted job completed and took effect. Says how many runs there
/// were beyond one a job: where nobody was lost while working, there must be none.
pub async fn reckon(rig: &Rig, broker: &dyn Broker, accepted: &[Accepted]) -> usize {
    rig::drained(broker, DRAIN).await;
    let dead = rig::jobs(broker, JobState::Dead).await;
    let first = dead.first().map(|dead| (dead.id, dead.losses, &dead.errors));
    assert!(first.is_none(), "{} jobs are dead, the first: {first:?}", dead.len());
    let completed: HashSet<JobId> = rig::jobs(broker, JobState::Completed).await.iter().map(|job| job.id).collect();
    let lost: Vec<_> = accepted.iter().filter(|job| !completed.contains(&job.id)).collect();
    assert!(lost.is_empty(), "{} of {} accepted jobs are lost: {lost:?}", lost.len(), accepted.len());
    let mut runs = HashMap::<i64, usize>::new();
    for job in accepted {
        let (ran, acted) = rig.effect(&job.key).await;
        assert_eq!(acted, 1, "{job:?} ran {ran} times and acted {acted} times");
        *runs.entry(ran).or_default() += 1;
    }
    println!("{} accepted jobs completed, each with one effect; runs: {runs:?}", accepted.len());
    runs.into_iter().map(|(ran, jobs)| usize::try_from(ran - 1).unwrap() * jobs).sum()
}
