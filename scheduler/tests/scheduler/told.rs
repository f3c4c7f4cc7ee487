//! What the operators are told when a new configuration has mended what was paused; and schedulers whose clock is wrong.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use job::{Clock, Job, Kind, ManualClock};
use outbound::{Client, Settings, SystemResolver};
use queue::{Broker, Filter};
use serde_json::{Value, json};
use store::{CatchUp, JobEnd, Overlap, PausedBy, ScheduleSpec, TickEnd, TickState};
use worker::Notices;
use worker::jobs::operator_notify::OperatorNotify;
use worker::notices::Webhook;

use crate::on_both;
use crate::stage::{LEASE, Stage, at, spec};

/// What the operators are told: whether it begins, of what kind it is, and of which schedule.
async fn told(stage: &Stage) -> Vec<(bool, String, String)> {
    let filter = Filter { kind: Some(Kind::new(OperatorNotify::KIND).unwrap()), ..Filter::default() };
    let jobs = stage.broker.list(&filter, 100, None).await.unwrap().items;
    let said = jobs.iter().map(|job| {
        let args: Value = serde_json::from_str(job.envelope.as_ref().unwrap().args.get()).unwrap();
        let text = |pointer: &str| args.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        (args["raised"].as_bool().unwrap(), text("/notice/kind"), text("/notice/labels/schedule"))
    });
    said.collect()
}

/// A way to the operators, of which only the queue is looked at.
fn notices(stage: &Stage) -> Notices {
    let client = Client::new(Settings::default(), Arc::new(SystemResolver));
    let webhook = Webhook::new("http://127.0.0.1:9/", None, client).unwrap();
    let context = &stage.context;
    Notices::posted(Arc::clone(&context.broker), Arc::clone(&context.ids), Arc::clone(&context.clock), webhook)
}

on_both! {
    async fn the_operators_hear_that_a_new_configuration_has_ended_a_pause(stage) {
        let notices = notices(stage);
        let old = ScheduleSpec { failure_limit: Some(1), ..spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Allow) };
        let new = ScheduleSpec { args: json!({"mended": true}), ..old.clone() };
        let configured = |specs: [&ScheduleSpec; 2]| {
            ["mended", "same"].into_iter().zip(specs).map(|(name, spec)| (name.to_owned(), spec.clone())).collect::<Vec<_>>()
        };
        let mut first = stage.scheduler_that_tells(&configured([&old, &old]), &notices);
        stage.settle(&mut first).await;
        stage.move_to(at("2026-10-30T01:00:00Z"));
        stage.settle(&mut first).await;
        for name in ["mended", "same"] {
            let tick = stage.ticks(name).await.remove(0).tick;
            let (end, now) = (TickEnd::Ended(JobEnd::Dead), stage.context.clock.now());
            let ended = stage.store.end_tick(name, tick.planned_at, tick.job_id, end, Some("no"), now).await.unwrap().unwrap();
            assert_eq!(ended.paused_after, Some(1));
        }
        drop(first);
        stage.clock.advance(LEASE);
        let mut second = stage.scheduler_that_tells(&configured([&new, &old]), &notices);
        stage.settle(&mut second).await;
        assert_eq!(told(stage).await, [(false, "schedule.paused".to_owned(), "mended".to_owned())]);
        let paused = async |name| stage.store.get_schedule(name).await.unwrap().unwrap().paused.is_some();
        assert_eq!((paused("mended").await, paused("same").await), (false, true));
    }

    async fn a_schedule_whose_kind_or_queue_is_gone_is_paused_and_told_and_one_of_another_release_left(stage) {
        let notices = notices(stage);
        let hourly = || spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Allow);
        let no_kind = ScheduleSpec { kind: "no.such".to_owned(), ..hourly() };
        let no_queue = ScheduleSpec { queue: "gone".to_owned(), ..hourly() };
        let now = stage.clock.now();
        for (name, spec) in [("kindless", &no_kind), ("queueless", &no_queue), ("well", &hourly())] {
            stage.store.create_schedule(name, spec, now).await.unwrap().unwrap();
        }
        stage.move_to(at("2026-10-30T00:55:00Z"));
        stage.store.create_schedule("fresh", &no_kind, stage.clock.now()).await.unwrap().unwrap();
        let mut scheduler = stage.scheduler_that_tells(&[], &notices);
        stage.settle(&mut scheduler).await;
        let why = async |name: &str| {
            let paused = stage.store.get_schedule(name).await.unwrap().unwrap().paused;
            paused.map(|paused| (paused.by, paused.reason.unwrap()))
        };
        let because = |said: &str| Some((PausedBy::Failures, format!("it cannot be served: {said}")));
        assert_eq!(why("kindless").await, because("kind: no such kind: no.such"));
        assert_eq!(why("queueless").await, because("queue: no worker consumes gone; there are debug"));
        assert_eq!((why("well").await, why("fresh").await), (None, None));
        let paused = |name: &str| (true, "schedule.paused".to_owned(), name.to_owned());
        let mut heard = told(stage).await;
        heard.sort();
        assert_eq!(heard, [paused("kindless"), paused("queueless")]);
        // Nobody fires the fresh one; an hour later it is nobody's.
        stage.move_to(at("2026-10-30T01:00:00Z"));
        stage.settle(&mut scheduler).await;
        assert_eq!((stage.states("fresh").await, stage.states("well").await.len()), (vec![], 1));
        stage.move_to(at("2026-10-30T02:00:00Z"));
        stage.settle(&mut scheduler).await;
        assert_eq!(why("fresh").await, because("kind: no such kind: no.such"));
        assert!(told(stage).await.contains(&paused("fresh")));
        // Resumed without being mended, it is paused again.
        stage.store.resume_schedule("fresh", stage.clock.now()).await.unwrap();
        stage.settle(&mut scheduler).await;
        assert_eq!(why("fresh").await, None, "it was changed a moment ago");
        stage.move_to(at("2026-10-30T03:00:00Z"));
        stage.settle(&mut scheduler).await;
        assert!(why("fresh").await.is_some());
    }

    async fn a_clock_that_is_a_day_off_decides_nothing_for_those_that_are_right(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Skip))];
        let mut right = stage.scheduler(&configured);
        stage.settle(&mut right).await;
        drop(right);
        stage.clock.advance(LEASE);
        for off in [SignedDuration::from_hours(24), SignedDuration::from_hours(-24)] {
            let clock = ManualClock::at(stage.clock.now() + off);
            let mut wrong = stage.scheduler_by(&clock, &configured, &stage.context.notices);
            for _ in 0..3 {
                wrong.step().await.unwrap();
            }
            assert_eq!(stage.states("s").await, []);
        }
        // Nor has it taken the lead, or left it to a time that lies ahead.
        let mut next = stage.scheduler(&configured);
        stage.settle(&mut next).await;
        stage.move_to(at("2026-10-30T01:00:00Z"));
        stage.settle(&mut next).await;
        assert_eq!(stage.states("s").await, [("30T01:00".to_owned(), TickState::Open)]);
    }

    async fn a_leader_whose_clock_jumps_gives_the_lead_back(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Skip))];
        let clock = ManualClock::at(stage.clock.now());
        let mut first = stage.scheduler_by(&clock, &configured, &stage.context.notices);
        stage.settle(&mut first).await;
        clock.advance(Duration::from_secs(400 * 86_400));
        first.step().await.unwrap();
        assert_eq!(stage.states("s").await, []);
        // No need to wait for the end of a lease that lies a year ahead.
        let mut second = stage.scheduler(&configured);
        stage.settle(&mut second).await;
        stage.move_to(at("2026-10-30T01:00:00Z"));
        stage.settle(&mut second).await;
        assert_eq!(stage.states("s").await, [("30T01:00".to_owned(), TickState::Open)]);
    }
}
