//! Very many jobs at once: they drain smoothly, and no call of ours keeps Redis from its other clients.
//!
//! Redis measures its commands by the clock on the wall, and on a busy machine some of that time passes while another
//! process has the core: then any command, of however little work, is now and then a slow one. So Redis is let run before
//! others where that is allowed, and the rule is told in parts:
//! 1. of a hundred calls of a script 99 take less than 10 ms each, and half of them less than 2 ms;
//! 2. of all commands at most one in two hundred takes 10 ms: those that waited for a core;
//! 3. none takes a quarter of a second. A script whose work grew with the backlog would: one pass over 200,000 jobs takes
//!    Redis far longer than that.
//!
//! While the whole machine stands still nothing goes on: for how long it did is measured, and allowed for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Clock, Envelope, JobState, SystemClock};
use queue::redis::RedisBroker;
use queue::{Broker, Enqueue, Enqueued};
use serde_json::json;
use testkit::{Redis, wait_until};
use tokio::time::Instant;

use crate::rig::{DRAIN, Rig, queue};
use crate::turn;

const DUE_AT_ONCE: u64 = 200_000;
const WAITING: u64 = 1_000_000;
/// What no command may take.
const SLOW: Duration = Duration::from_millis(10);
/// What no command may take even where it waits for a core.
const STUCK: Duration = Duration::from_millis(250);
/// How long the drain may pause.
const PAUSE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_thousand_jobs_that_are_due_in_the_same_second_drain_smoothly() {
    let _turn = turn::alone().await;
    let scene = Big::open().await;
    let mut worker = scene.rig.worker("worker").await;
    let due = after(SystemClock.now(), Duration::from_secs(8));
    scene.enqueue(DUE_AT_ONCE, |job| job.run_at = due).await;
    scene.drain(DUE_AT_ONCE, due).await;
    scene.no_slow_command().await;
    assert!(worker.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_a_million_drains_smoothly() {
    let _turn = turn::alone().await;
    let scene = Big::open().await;
    scene.enqueue(WAITING, |_| {}).await;
    let began = SystemClock.now();
    let mut worker = scene.rig.worker("worker").await;
    scene.drain(WAITING, began).await;
    scene.no_slow_command().await;
    assert!(worker.is_running());
}

/// For how long this machine stood still at a time: a thread that sleeps for a moment, again and again, notices.
struct Standstill(Arc<AtomicU64>);

impl Standstill {
    fn watch() -> Self {
        const MOMENT: Duration = Duration::from_millis(5);
        let longest = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&longest);
        std::thread::spawn(move || {
            let mut woke = Instant::now();
            while let Some(longest) = watched.upgrade() {
                std::thread::sleep(MOMENT);
                let slept = woke.elapsed();
                longest.fetch_max(slept.saturating_sub(MOMENT).as_millis() as u64, Ordering::Relaxed);
                woke += slept;
            }
        });
        Self(longest)
    }

    /// What takes no longer than `bound` on a machine that goes on may take here.
    fn allows(&self, bound: Duration) -> Duration {
        bound + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct Big {
    redis: Redis,
    rig: Rig,
    broker: RedisBroker,
    standstill: Standstill,
}

impl Big {
    async fn open() -> Self {
        let mut redis = Redis::with_aof().await;
        let _granted = redis.process().run_before_others();
        redis.watch_slow(SLOW).await;
        let rig = Rig::new(&redis.url()).await.set("QUEUE__RETENTION__COMPLETED_COUNT", "10000");
        let broker = rig.broker();
        Self { redis, rig, broker, standstill: Standstill::watch() }
    }

    async fn enqueue(&self, count: u64, change: impl Fn(&mut Envelope)) {
        let (began, mut sent) = (Instant::now(), 0);
        while sent < count {
            let some = (0..10_000.min(count - sent)).map(|_| {
                let mut job = self.rig.job("debug.noop", &json!({}));
                change(&mut job);
                Enqueue::from(job)
            });
            let answers = self.broker.enqueue(&some.collect::<Vec<_>>()).await.unwrap();
            assert!(answers.iter().all(|answer| *answer == Enqueued::New));
            sent += answers.len() as u64;
        }
        println!("{count} enqueued in {:?}", began.elapsed());
    }

    /// Waits until all have ended, and looks that they do so steadily from `began` on.
    async fn drain(&self, jobs: u64, began: Timestamp) {
        let mut open = jobs;
        let mut moved = Instant::now();
        let mut longest_pause = Duration::ZERO;
        wait_until("all have ended", DRAIN * 6, async || {
            let stats = self.broker.stats().await.unwrap();
            let debug = stats.iter().find(|stats| stats.queue == queue("debug")).unwrap();
            assert_eq!(debug.count(JobState::Dead), 0);
            let left = [JobState::Scheduled, JobState::Available, JobState::Running].map(|state| debug.count(state));
            let left = left.iter().sum();
            if left == open && SystemClock.now() >= began {
                longest_pause = longest_pause.max(moved.elapsed());
            } else {
                (open, moved) = (left, Instant::now());
            }
            left == 0
        })
        .await;
        let took = Duration::try_from(SystemClock.now().duration_since(began)).unwrap();
        let a_second = jobs as f64 / took.as_secs_f64();
        println!("{jobs} drained in {took:?}, {a_second:.0} a second; the longest pause was {longest_pause:?}");
        let allowed = self.standstill.allows(PAUSE);
        assert!(longest_pause < allowed, "nothing ended for {longest_pause:?}, more than {allowed:?}");
    }

    async fn no_slow_command(&self) {
        let over: Vec<_> = self.redis.slow_commands().await;
        let longest = over.iter().max_by_key(|command| command.took);
        let percentiles = self.redis.info("latency_percentiles_usec_evalsha").await.expect("scripts were called");
        println!("script calls, in µs: {percentiles}; {} commands over {SLOW:?}, the longest {longest:?}", over.len());
        let percentile = |name: &str| -> f64 {
            let found = percentiles.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            found.and_then(|number| number.parse().ok()).expect("INFO latencystats holds it")
        };
        assert!(percentile("p50") < 2_000.0, "{percentiles}");
        assert!(percentile("p99") < SLOW.as_micros() as f64, "{percentiles}");
        let scripts = self.redis.info("cmdstat_evalsha").await.expect("scripts were called");
        let calls = scripts.split(',').find_map(|part| part.strip_prefix("calls=")?.parse::<usize>().ok()).unwrap();
        assert!(over.len() <= calls / 200, "{} of {calls} calls took more than {SLOW:?}", over.len());
        let allowed = self.standstill.allows(STUCK);
        assert!(longest.is_none_or(|command| command.took < allowed), "{longest:?}, more than {allowed:?}");
    }
}
