//! Two schedulers, killed and stopped again and again: each instant of a schedule has one tick, and each tick one job that
//! ran once.

use std::collections::BTreeSet;
use std::time::Duration;

use job::{Clock, JobState, SystemClock};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use store::{Tick, TickState};
use testkit::{Database, Process, Redis, Signal, wait_until};

use crate::rig::{Rig, SOON, count, drained, jobs};
use crate::turn;

const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_one_job_although_schedulers_are_killed_and_stopped() {
    let _turn = turn::beside_others().await;
    let redis = Redis::with_aof().await;
    disturb(Rig::new(&redis.url()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_a_store_in_postgres() {
    let _turn = turn::beside_others().await;
    let (redis, database) = (Redis::with_aof().await, Database::create().await);
    disturb(Rig::on_postgres(&redis.url(), database.url()).await).await;
}

async fn disturb(rig: Rig) {
    let rig = rig
        .set("SCHEDULER__LEASE", "3s")
        .set("WORKER__SWEEP_AFTER", "2s")
        .set("SCHEDULES__EACH_SECOND__CRON", "* * * * * *")
        .set("SCHEDULES__EACH_SECOND__KIND", "debug.noop")
        .set("SCHEDULES__EACH_SECOND__OVERLAP", "allow")
        .set("SCHEDULES__EACH_SECOND__CATCH_UP", "all");
    let broker = rig.broker();
    let _worker = rig.worker("worker").await;
    let mut sides = [scheduler(&rig, "one").await, scheduler(&rig, "two").await];
    wait_until("the first tick", SOON, async || !ticks(&rig).await.is_empty()).await;

    let seed = job::Chance::system().bits();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    for round in 0..ROUNDS {
        let n = (chance.next_u64() % 2) as usize;
        if chance.next_u64().is_multiple_of(2) {
            sides[n].kill().await;
            fires_on(&rig).await;
            sides[n] = scheduler(&rig, &format!("again-{round}")).await;
        } else {
            stop_for_long(&mut sides[n], &rig).await;
        }
    }
    for side in &mut sides {
        assert!(side.terminate(SOON).await.success());
    }
    wait_until("every tick is done", SOON, async || {
        ticks(&rig).await.iter().all(|tick| tick.tick.state == TickState::Done)
    })
    .await;
    drained(&broker, SOON).await;

    let ticks = ticks(&rig).await;
    let seconds: Vec<i64> = ticks.iter().map(|tick| tick.tick.planned_at.as_second()).collect();
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    assert_eq!(seconds, (first..=last).collect::<Vec<_>>(), "none is missing, none is there twice");
    let expected: BTreeSet<_> = ticks.iter().map(|tick| tick.tick.job_id).collect();
    let done: Vec<_> = jobs(&broker, JobState::Completed).await;
    let ours: Vec<_> =
        done.iter().filter(|job| job.envelope.as_ref().is_ok_and(|e| e.tags == ["each_second"])).collect();
    assert_eq!(ours.iter().map(|job| job.id.uuid()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(ours.len(), expected.len());
    assert!(ours.iter().all(|job| job.attempt == 1), "each ran once");
    assert_eq!(count(&broker, JobState::Dead).await, 0);
}

/// Stops a scheduler for longer than it may lead without a word: the other one takes over, then this one wakes.
async fn stop_for_long(side: &mut Process, rig: &Rig) {
    // Stopped in the middle of a write it keeps the store locked, and nobody can take over: then not that time.
    for _ in 0..3 {
        side.signal(Signal::Stop);
        let taken_over = tokio::time::timeout(SOON / 2, fires_on(rig)).await;
        side.signal(Signal::Cont);
        fires_on(rig).await;
        if taken_over.is_ok() {
            return;
        }
    }
    panic!("nobody took over");
}

/// Starts a scheduler and waits until it plays its part.
async fn scheduler(rig: &Rig, name: &str) -> Process {
    let mut process = rig.process(name, &["scheduler"]).spawn();
    wait_until(&format!("{name} is ready"), SOON, async || {
        assert!(process.is_running(), "{name} ended at its start:\n{}", process.log());
        process.log().contains("scheduler ready")
    })
    .await;
    process
}

/// Waits for ticks that are planned from now on: somebody leads.
async fn fires_on(rig: &Rig) {
    let now = SystemClock.now() + Duration::from_secs(1);
    wait_until("schedules fire", SOON, async || ticks(rig).await.last().is_some_and(|tick| tick.tick.planned_at > now))
        .await;
}

/// All ticks, in order.
async fn ticks(rig: &Rig) -> Vec<Tick> {
    let mut page = rig.store.list_ticks("each_second", None, 1_000, None).await.unwrap().items;
    page.reverse();
    page
}
