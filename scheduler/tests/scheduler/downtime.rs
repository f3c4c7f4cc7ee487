//! What is caught up after three days without any scheduler, and after changes, pauses and a queue that was away.

use std::time::Duration;

use job::{Clock, JobId};
use queue::Broker;
use store::{CatchUp, Changed, Overlap, ScheduleSpec, TickCause, TickState};

use crate::fragile::Next;
use crate::on_both;
use crate::stage::{at, spec};

on_both! {
    async fn after_three_days_each_policy_does_what_it_says(stage) {
        let with = |catch_up, hours: u64| ScheduleSpec {
            max_lateness: Duration::from_secs(hours * 3_600),
            ..spec("0 */6 * * *", "UTC", catch_up, Overlap::Allow)
        };
        let configured: Vec<(String, ScheduleSpec)> = [
            ("none", with(CatchUp::None, 720)),
            ("once", with(CatchUp::Once, 720)),
            ("all", with(CatchUp::All, 720)),
            ("all_of_a_day", with(CatchUp::All, 24)),
        ]
        .map(|(name, spec)| (name.to_owned(), spec))
        .into();
        let mut first = stage.scheduler(&configured);
        stage.settle(&mut first).await;
        stage.move_to(at("2026-10-30T06:00:00.200Z"));
        stage.settle(&mut first).await;
        drop(first);

        stage.move_to(at("2026-11-02T06:20:00Z"));
        let mut second = stage.scheduler(&configured);
        stage.settle(&mut second).await;
        let count = async |name: &str| stage.ticks(name).await.len() - 1;
        assert_eq!(count("none").await, 0);
        assert_eq!(count("once").await, 1);
        assert_eq!(count("all").await, 12);
        assert_eq!(count("all_of_a_day").await, 4);
        let once = &stage.ticks("once").await[1];
        assert_eq!((once.tick.planned_at, once.cause), (at("2026-11-02T06:00:00Z"), TickCause::CatchUp));
        assert_eq!(once.note.as_deref(), Some("for all since 2026-10-30T12:00:00Z"));
        // The next one is as planned for all of them.
        stage.move_to(at("2026-11-02T12:00:00Z"));
        stage.settle(&mut second).await;
        for name in ["none", "once", "all", "all_of_a_day"] {
            let last = stage.ticks(name).await.pop().unwrap();
            assert_eq!((last.tick.planned_at, last.cause), (at("2026-11-02T12:00:00Z"), TickCause::Planned), "{name}");
        }
        assert_eq!(stage.jobs().await.len(), 4 + 17 + 4);
    }

    async fn what_was_planned_during_a_pause_is_let_go(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::All, Overlap::Allow))];
        let mut scheduler = stage.scheduler(&configured);
        stage.settle(&mut scheduler).await;
        stage.store.pause_schedule("s", None, stage.clock.now()).await.unwrap();
        stage.move_to(at("2026-10-30T05:30:00Z"));
        stage.settle(&mut scheduler).await;
        assert_eq!(stage.states("s").await, []);
        stage.store.resume_schedule("s", stage.clock.now()).await.unwrap();
        stage.move_to(at("2026-10-30T06:00:00Z"));
        stage.settle(&mut scheduler).await;
        assert_eq!(stage.states("s").await, [("30T06:00".to_owned(), TickState::Open)]);
    }

    async fn a_tick_that_falls_into_a_deployment_which_changes_its_arguments_is_fired(stage) {
        let with = |args: serde_json::Value| {
            let spec = ScheduleSpec { args, ..spec("0 4 * * *", "UTC", CatchUp::Once, Overlap::Skip) };
            vec![("report".to_owned(), spec)]
        };
        let mut old = stage.scheduler(&with(serde_json::json!({})));
        stage.settle(&mut old).await;
        drop(old);
        // Down from before four until after.
        stage.move_to(at("2026-10-30T04:05:00Z"));
        let mut new = stage.scheduler(&with(serde_json::json!({"wide": true})));
        stage.settle(&mut new).await;
        let ticks = stage.ticks("report").await;
        assert_eq!(ticks.len(), 1, "{ticks:?}");
        assert_eq!((ticks[0].tick.planned_at, &ticks[0].tick.args["wide"]), (at("2026-10-30T04:00:00Z"), &true.into()));
    }

    async fn a_schedule_made_or_changed_meanwhile_fires_as_it_is_now(stage) {
        let mut scheduler = stage.scheduler(&[]);
        stage.settle(&mut scheduler).await;
        let hourly = spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Allow);
        stage.store.create_schedule("s", &hourly, stage.clock.now()).await.unwrap();
        stage.move_to(at("2026-10-30T01:00:00Z"));
        stage.settle(&mut scheduler).await;
        let other = spec("30 * * * *", "UTC", CatchUp::Once, Overlap::Allow);
        let changed = stage.store.change_schedule("s", 1, &other, stage.clock.now()).await.unwrap();
        assert!(matches!(changed, Changed::Done { .. }));
        stage.move_to(at("2026-10-30T02:10:00Z"));
        stage.settle(&mut scheduler).await;
        let ticks: Vec<String> = stage.states("s").await.into_iter().map(|(time, _)| time).collect();
        assert_eq!(ticks, ["30T01:00", "30T01:30"]);
        stage.store.delete_schedule("s", stage.clock.now()).await.unwrap();
        stage.move_to(at("2026-10-30T04:00:00Z"));
        stage.settle(&mut scheduler).await;
        assert_eq!(stage.ticks("s").await.len(), 2);
    }

    async fn a_queue_that_is_away_gets_the_jobs_when_it_is_back(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Allow))];
        let mut scheduler = stage.scheduler(&configured);
        stage.settle(&mut scheduler).await;
        for (hour, next) in [(1, Next::Refused), (2, Next::AnswerLost)] {
            stage.move_to(at(&format!("2026-10-30T0{hour}:00:00Z")));
            stage.broker.next(next);
            scheduler.step().await.unwrap();
            stage.clock.advance(Duration::from_secs(1));
            scheduler.step().await.unwrap();
        }
        let ticks = stage.ticks("s").await;
        assert_eq!(ticks.len(), 2);
        for tick in &ticks {
            assert!(stage.broker.get(JobId::from_uuid(tick.tick.job_id)).await.unwrap().is_some(), "{tick:?}");
        }
        assert_eq!(stage.jobs().await.len(), 2);
    }

    async fn a_leader_that_stood_still_fires_nothing_and_enqueues_nothing_again(stage) {
        let configured = [("s".to_owned(), spec("*/10 * * * *", "UTC", CatchUp::All, Overlap::Allow))];
        let mut stopped = stage.scheduler(&configured);
        stage.settle(&mut stopped).await;
        stage.move_to(at("2026-10-30T00:10:00Z"));
        // It has written the tick and stands still before the queue has taken the job.
        stage.broker.next(Next::Refused);
        stopped.step().await.unwrap();
        stage.move_to(at("2026-10-30T01:00:00Z"));
        let mut other = stage.scheduler(&configured);
        stage.settle(&mut other).await;
        assert_eq!(stage.ticks("s").await.len(), 6);
        let jobs = stage.jobs().await;
        assert_eq!(jobs.len(), 5, "the sweep has not been round yet");
        // It wakes, an hour late.
        for _ in 0..3 {
            stopped.step().await.unwrap();
        }
        assert_eq!((stage.ticks("s").await.len(), stage.jobs().await), (6, jobs));
        worker::sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
        assert_eq!(stage.jobs().await.len(), 6);
    }

    async fn a_leader_that_ends_hands_over_at_once(stage) {
        let mut first = stage.scheduler(&[]);
        stage.settle(&mut first).await;
        let mut second = stage.scheduler(&[]);
        second.step().await.unwrap();
        let before = stage.store.scheduler_state().await.unwrap().epoch;
        let end = tokio_util::sync::CancellationToken::new();
        end.cancel();
        first.run(end).await;
        second.step().await.unwrap();
        assert_eq!(stage.store.scheduler_state().await.unwrap().epoch, before + 1);
    }

    async fn jitter_makes_a_job_due_later_and_no_tick_late(stage) {
        let jittered = ScheduleSpec {
            jitter: Duration::from_secs(600),
            ..spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Allow)
        };
        let mut scheduler = stage.scheduler(&[("s".to_owned(), jittered)]);
        stage.settle(&mut scheduler).await;
        for hour in 1..=6 {
            stage.move_to(at(&format!("2026-10-30T0{hour}:00:00Z")));
            stage.settle(&mut scheduler).await;
        }
        let ticks = stage.ticks("s").await;
        assert_eq!(ticks.len(), 6);
        for tick in &ticks {
            let late = tick.tick.run_at.duration_since(tick.tick.planned_at);
            assert!(late >= jiff::SignedDuration::ZERO && late < jiff::SignedDuration::from_mins(10), "{tick:?}");
            let job = stage.broker.get(JobId::from_uuid(tick.tick.job_id)).await.unwrap().unwrap();
            assert_eq!(job.envelope.unwrap().run_at, tick.tick.run_at);
        }
        assert!(ticks.iter().any(|tick| tick.tick.run_at > tick.tick.planned_at));
    }
}
