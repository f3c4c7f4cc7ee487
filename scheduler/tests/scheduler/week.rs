//! A week over the end of summer time with two schedulers that are killed, stopped and started at random, and a queue that
//! loses jobs and answers: each planned instant has one tick, and each tick one job.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use job::{Clock, JobId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use scheduler::Ticker;
use store::{CatchUp, Overlap, ScheduleSpec};
use worker::schedule::Timing;

use crate::fragile::Next;
use crate::on_both;
use crate::stage::{Stage, at, spec};

const END: &str = "2026-11-06T00:00:00Z";

fn configured() -> Vec<(String, ScheduleSpec)> {
    [
        ("half_hourly", "*/30 * * * *", "America/New_York"),
        ("in_the_fold", "30 1 * * *", "America/New_York"),
        ("weekdays", "0 9,17 * * MON-FRI", "Europe/London"),
        ("paced", "@every 47m", "UTC"),
        ("half_zone", "15 2 * * *", "Australia/Lord_Howe"),
    ]
    .map(|(name, cron, zone)| (name.to_owned(), spec(cron, zone, CatchUp::All, Overlap::Allow)))
    .into()
}

/// One side: a scheduler that runs, or none; when it goes on.
struct Side {
    scheduler: Option<Ticker>,
    rests_until: Timestamp,
}

struct Chance(StdRng);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Runs a step for so many polls, then drops it where it stands, as `kill -9` does. Answers whether it came to its end.
async fn killed_after(polls: u64, step: impl Future) -> bool {
    let mut step = pin!(step);
    for _ in 0..polls {
        let ready = std::future::poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx).is_ready())).await;
        if ready {
            return true;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    false
}

on_both! {
    async fn two_schedulers_killed_at_random_fire_each_instant_once(stage) {
        let seed = job::Chance::system().bits();
        println!("seed {seed}");
        let mut chance = Chance(StdRng::seed_from_u64(seed));
        let configured = configured();
        let begins = stage.clock.now();
        let mut sides = [0, 1].map(|_| Side { scheduler: Some(stage.scheduler(&configured)), rests_until: begins });
        let mut kills = 0;
        stage.settle(sides[0].scheduler.as_mut().unwrap()).await;

        while stage.clock.now() < at(END) {
            // To the next planned instant of any schedule, or a little less far.
            stage.move_to(next_planned(&configured, stage.clock.now()));
            stage.clock.advance(Duration::from_millis(chance.below(5_000)));
            for n in [0, 1] {
                play(stage, &mut sides[n], &configured, &mut chance, &mut kills).await;
            }
            stage.broker.next(Next::Well);
            if chance.one_in(6) {
                worker::sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
            }
        }
        // Whoever is left brings it to an end.
        stage.move_to(at(END) + Duration::from_secs(3_600));
        let mut last = stage.scheduler(&configured);
        stage.settle(&mut last).await;
        stage.clock.advance(Duration::from_secs(60));
        worker::sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();

        assert!(kills > 0, "nobody was killed in the middle of a step: that is no test");
        reckon(stage, &configured, begins).await;
    }
}

/// What one side does at this moment.
async fn play(
    stage: &Stage,
    side: &mut Side,
    configured: &[(String, ScheduleSpec)],
    chance: &mut Chance,
    kills: &mut usize,
) {
    let now = stage.clock.now();
    if now < side.rests_until {
        return;
    }
    let mut scheduler = side.scheduler.take().unwrap_or_else(|| stage.scheduler(configured));
    stage.broker.next(match chance.below(12) {
        0 => Next::Refused,
        1 => Next::AnswerLost,
        _ => Next::Well,
    });
    if chance.one_in(12) {
        // Killed, wherever it stands; started again a little later.
        let ended = killed_after(chance.below(40), scheduler.step()).await;
        *kills += usize::from(!ended);
        side.rests_until = now + Duration::from_secs(chance.below(1_800));
        return;
    }
    for _ in 0..4 {
        if scheduler.step().await.unwrap() > stage.clock.now() {
            break;
        }
    }
    if chance.one_in(20) {
        // Stopped for a while; what it knows grows old.
        side.rests_until = now + Duration::from_secs(chance.below(7_200));
    }
    side.scheduler = Some(scheduler);
}

fn next_planned(configured: &[(String, ScheduleSpec)], after: Timestamp) -> Timestamp {
    configured.iter().filter_map(|(_, spec)| Timing::of(spec).unwrap().next_after(after)).min().unwrap()
}

/// Each planned instant has its tick, no other has one, and each tick has its job, once.
async fn reckon(stage: &Stage, configured: &[(String, ScheduleSpec)], begins: Timestamp) {
    let now = stage.clock.now();
    let mut expected_jobs = BTreeSet::new();
    for (name, spec) in configured {
        let timing = Timing::of(spec).unwrap();
        let planned: Vec<Timestamp> =
            timing.after(begins).take_while(|at| *at <= now - Duration::from_secs(60)).collect();
        let ticks = stage.ticks(name).await;
        let fired: Vec<Timestamp> = ticks.iter().map(|tick| tick.tick.planned_at).collect();
        assert_eq!(fired, planned, "{name}");
        expected_jobs.extend(ticks.iter().map(|tick| JobId::from_uuid(tick.tick.job_id)));
    }
    assert_eq!(stage.jobs().await, expected_jobs);
}
