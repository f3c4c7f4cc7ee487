//! Workers that are killed (SIGKILL) between a state and its job, fourteen hundred times on each database: nobody is muted
//! without a message, and nobody is told twice.
//!
//! Each is a process of its own: this test, started again, which looks at what is due with a queue that never answers. What
//! it has written it cannot enqueue, so that every kill that comes after falls between the two. Every fourth is killed at a
//! moment of its own around that time, before it has written or after. Then the next one goes on. In the end every incident
//! has one message, that one mail, and that one job, and there are no other mails and no other jobs.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alerting::Severity::Critical;
use async_trait::async_trait;
use job::{JobId, JobState};
use queue::front::Front;
use queue::{Broker, BrokerError, Enqueue, Enqueued};
use store::NotificationState;
use testkit::wait_until;
use tokio::time::Instant;
use uuid::Uuid;
use worker::alerts::clockwork;
use worker::{Context, sweep};

use crate::stage::Stage;

/// Tells a process that it is to look, and at which store.
const STORE: &str = "ALERTS_KILLED_STORE";
/// The time by which it looks.
const NOW: &str = "ALERTS_KILLED_NOW";

const KILLED: usize = 1_400;
/// So many at a time are swept up.
const SWEPT: usize = 50;
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    match std::env::var(STORE) {
        Ok(url) => tell(&url).await,
        Err(_) => scene(Stage::sqlite().await, "killed::sqlite").await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    match std::env::var(STORE) {
        Ok(url) => tell(&url).await,
        Err(_) => scene(Stage::postgres().await, "killed::postgres").await,
    }
}

/// What the process does, until it is killed.
async fn tell(url: &str) {
    let now = std::env::var(NOW).unwrap().parse().unwrap();
    let mut stage = Stage::beside(url, now).await;
    stage.without_limits();
    let deaf = Context { broker: Arc::new(Deaf(Arc::clone(&stage.context.broker))), ..stage.context.clone() };
    loop {
        clockwork::once(&deaf).await.unwrap();
    }
}

async fn scene(mut stage: Stage, name: &str) {
    stage.without_limits();
    let (mut incidents, mut early, mut late) = (Vec::new(), 0, 0);
    // How long the latest took to write.
    let mut usual = Duration::from_millis(50);
    for round in 0..KILLED {
        stage.clock.advance(Duration::from_secs(1));
        let id = stage.fire(&format!("check.{round}"), Critical).await.incident.unwrap();
        let (teller, began) = (Teller::start(&stage, name), Instant::now());
        if round % 4 == 3 {
            // From none of the time that it usually takes to twice as much.
            tokio::time::sleep(usual * (round / 4 % 21) as u32 / 10).await;
            drop(teller);
            match stage.notifications(id).await.is_empty() {
                true => early += 1,
                false => late += 1,
            }
        } else {
            wait_until("it is written", SOON, async || !stage.notifications(id).await.is_empty()).await;
            usual = began.elapsed();
        }
        incidents.push(id);
        if round % SWEPT == 0 {
            sweep_up(&stage).await;
        }
    }
    // Whoever died in the middle of a statement may have its rows for a moment.
    wait_until("everything is told", SOON, async || {
        stage.look().await;
        stage.context.store.alerts_due().await.unwrap().at.is_none_or(|at| at > stage.now())
    })
    .await;
    sweep_up(&stage).await;
    for id in incidents {
        let told = stage.notifications(id).await;
        assert!(matches!(told[..], [ref one] if one.notification.state == NotificationState::Mailed), "{told:?}");
        assert!(has_job(&stage, id).await, "{told:?}");
    }
    assert_eq!(stage.mails().await.len(), KILLED);
    let stats = stage.context.broker.stats().await.unwrap();
    let jobs = stats.iter().flat_map(|queue| JobState::ALL.iter().map(|state| queue.count(*state))).sum::<u64>();
    assert_eq!(jobs, KILLED as u64, "{stats:?}");
    assert!(early > 10 && late > 10, "{early} died before they had written, {late} after");
}

/// The process; it is killed when dropped.
struct Teller(Child);

impl Teller {
    fn start(stage: &Stage, name: &str) -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(STORE, stage.url())
            .env(NOW, stage.now().to_string())
            .stdout(Stdio::null())
            .spawn();
        Self(process.unwrap())
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Whether the mail that tells of an incident is in the queue.
async fn has_job(stage: &Stage, id: Uuid) -> bool {
    let told = stage.notifications(id).await;
    let Some(mail) = told.first().and_then(|one| one.notification.delivery_id) else { return false };
    let (mail, _) = stage.context.store.get_delivery(mail).await.unwrap().unwrap();
    let job = stage.context.broker.get(JobId::from_uuid(mail.job_id)).await.unwrap();
    job.is_some_and(|job| job.state == JobState::Available)
}

async fn sweep_up(stage: &Stage) {
    stage.clock.advance(Duration::from_secs(31));
    sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
}

/// A queue that never says whether it has taken a job.
struct Deaf(Arc<dyn Broker>);

#[async_trait]
impl Front for Deaf {
    fn behind(&self) -> &dyn Broker {
        &*self.0
    }

    async fn on_enqueue(&self, _: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        std::future::pending().await
    }
}
