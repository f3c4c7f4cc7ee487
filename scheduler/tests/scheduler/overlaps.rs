//! What becomes of a tick while the job of an earlier one is not done, as the scheduler plays it.

use jiff::SignedDuration;
use job::Clock;
use store::{CatchUp, Overlap, TickState};

use crate::on_both;
use crate::stage::{at, spec};

use TickState::{Done, Open, Skipped, Waiting};

on_both! {
    async fn skip_leaves_out_what_comes_too_soon(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::Once, Overlap::Skip))];
        let mut scheduler = stage.scheduler(&configured);
        stage.settle(&mut scheduler).await;
        for hour in ["01", "02", "03"] {
            if hour == "03" {
                stage.done("s", "2026-10-30T01:00:00Z").await;
            }
            stage.move_to(at(&format!("2026-10-30T{hour}:00:00Z")));
            stage.settle(&mut scheduler).await;
        }
        let states: Vec<TickState> = stage.states("s").await.into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, [Done, Skipped, Open]);
        assert_eq!(stage.jobs().await.len(), 2);
    }

    async fn queue_one_lets_one_wait_and_go_on(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::Once, Overlap::QueueOne))];
        let mut scheduler = stage.scheduler(&configured);
        stage.settle(&mut scheduler).await;
        for hour in ["01", "02", "03"] {
            stage.move_to(at(&format!("2026-10-30T{hour}:00:00Z")));
            stage.settle(&mut scheduler).await;
        }
        let states = async || stage.states("s").await.into_iter().map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(states().await, [Open, Waiting, Skipped]);
        assert_eq!(stage.jobs().await.len(), 1);
        stage.done("s", "2026-10-30T01:00:00Z").await;
        stage.settle(&mut scheduler).await;
        assert_eq!(states().await, [Done, Open, Skipped]);
        assert_eq!(stage.jobs().await.len(), 2);
    }

    async fn catching_up_all_goes_one_behind_the_other_where_no_two_may_run(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::All, Overlap::Skip))];
        let mut first = stage.scheduler(&configured);
        stage.settle(&mut first).await;
        drop(first);
        stage.move_to(at("2026-10-30T03:30:00Z"));
        let mut second = stage.scheduler(&configured);
        stage.settle(&mut second).await;
        for (done, open) in [("01", 1), ("02", 2)] {
            stage.done("s", &format!("2026-10-30T{done}:00:00Z")).await;
            let wake_at = second.step().await.unwrap();
            let wait = wake_at.duration_since(stage.clock.now());
            assert!(wait < SignedDuration::from_millis(100), "the next end is not waited for long: {wait}");
            let states: Vec<TickState> = stage.states("s").await.into_iter().map(|(_, state)| state).collect();
            let expected: Vec<TickState> =
                (0..3).map(|n| if n < open { Done } else if n == open { Open } else { Waiting }).collect();
            assert_eq!(states, expected);
        }
        assert_eq!(stage.jobs().await.len(), 3);
    }

    async fn what_comes_while_all_is_caught_up_is_not_lost(stage) {
        let configured = [("s".to_owned(), spec("0 * * * *", "UTC", CatchUp::All, Overlap::Skip))];
        let mut first = stage.scheduler(&configured);
        stage.settle(&mut first).await;
        drop(first);
        stage.move_to(at("2026-10-30T03:30:00Z"));
        let mut second = stage.scheduler(&configured);
        stage.settle(&mut second).await;
        for hour in ["04", "05"] {
            stage.move_to(at(&format!("2026-10-30T{hour}:00:00Z")));
            stage.settle(&mut second).await;
        }
        for hour in ["01", "02", "03", "04", "05"] {
            stage.done("s", &format!("2026-10-30T{hour}:00:00Z")).await;
            stage.settle(&mut second).await;
        }
        let states: Vec<TickState> = stage.states("s").await.into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, [Done; 5]);
        assert_eq!(stage.jobs().await.len(), 5);
    }
}
