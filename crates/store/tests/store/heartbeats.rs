//! Heartbeats: changed under lock, found when late, told once, and by one at a time.

use std::time::Duration;

use alerting::Severity;
use store::{Heartbeat, HeartbeatChange, HeartbeatState, HeartbeatTold, Origin};

use crate::both::{World, at, fresh_id, on_both};

const PATIENCE: Duration = Duration::from_secs(30);

fn heartbeat(name: &str) -> Heartbeat {
    Heartbeat {
        name: name.to_owned(),
        origin: Origin::Api,
        period: Duration::from_millis(60_001),
        grace: Duration::ZERO,
        severity: Severity::Warning,
        state: HeartbeatState::Ok,
        since: at(0),
        beats: 3,
        last_beat_at: Some(at(0)),
        due_at: at(60),
        turn: 0,
        told_turn: 0,
        created_at: at(-5),
        updated_at: at(0),
    }
}

async fn write(world: &World, heartbeat: &Heartbeat) {
    let change = |_| (HeartbeatChange::Write(heartbeat.clone()), ());
    assert_eq!(world.store.change_heartbeat(&heartbeat.name, change).await.unwrap(), Some(()));
}

fn turned(heartbeat: &Heartbeat, state: HeartbeatState, turn: i64) -> Heartbeat {
    Heartbeat { state, turn, since: at(60), ..heartbeat.clone() }
}

async fn names(world: &World) -> Vec<String> {
    let page = world.store.list_heartbeats(None, 10, None).await.unwrap();
    page.items.into_iter().map(|heartbeat| heartbeat.name).collect()
}

on_both! {
    async fn a_heartbeat_reads_back_as_it_was_written(world) {
        let first = heartbeat("backup");
        write(world, &first).await;
        assert_eq!(world.store.get_heartbeat("backup").await.unwrap(), Some(first.clone()));
        let never = Heartbeat {
            origin: Origin::Config,
            period: Duration::from_secs(10),
            grace: Duration::from_secs(1),
            severity: Severity::Critical,
            last_beat_at: None,
            beats: 0,
            due_at: at(11),
            updated_at: at(1),
            ..first.clone()
        };
        write(world, &never).await;
        assert_eq!(world.store.get_heartbeat("backup").await.unwrap(), Some(never));
        assert_eq!(world.store.get_heartbeat("other").await.unwrap(), None);
    }

    async fn beats_at_the_same_time_are_all_counted(world) {
        let beats = (0..32).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move {
                let beat = |found: Option<Heartbeat>| {
                    let found = found.unwrap_or_else(|| Heartbeat { beats: 0, ..heartbeat("busy") });
                    (HeartbeatChange::Write(Heartbeat { beats: found.beats + 1, ..found }), ())
                };
                store.change_heartbeat("busy", beat).await.unwrap();
            })
        });
        for beat in beats.collect::<Vec<_>>() {
            beat.await.unwrap();
        }
        assert_eq!(world.store.get_heartbeat("busy").await.unwrap().unwrap().beats, 32);
    }

    async fn those_whose_time_is_up_are_found_the_longest_overdue_first(world) {
        for (name, due) in [("a", 90), ("b", 60), ("c", 120)] {
            write(world, &Heartbeat { due_at: at(due), ..heartbeat(name) }).await;
        }
        write(world, &Heartbeat { state: HeartbeatState::Late, ..heartbeat("d") }).await;
        assert_eq!(world.store.overdue_heartbeats(at(59), 10).await.unwrap(), Vec::<String>::new());
        assert_eq!(world.store.overdue_heartbeats(at(100), 10).await.unwrap(), ["b", "a"]);
        assert_eq!(world.store.overdue_heartbeats(at(200), 1).await.unwrap(), ["b"]);
    }

    async fn one_worker_at_a_time_tells_and_once_told_nobody_does(world) {
        let late = turned(&heartbeat("backup"), HeartbeatState::Late, 1);
        write(world, &heartbeat("backup")).await;
        write(world, &late).await;
        let (one, other) = (fresh_id(), fresh_id());
        let mine = world.store.claim_heartbeats(one, at(60), PATIENCE, 10).await.unwrap();
        assert_eq!(mine, std::slice::from_ref(&late));
        assert!(world.store.claim_heartbeats(other, at(89), PATIENCE, 10).await.unwrap().is_empty());
        assert_eq!(world.store.heartbeat_told(one, &late).await.unwrap(), HeartbeatTold::Noted);
        assert!(world.store.claim_heartbeats(other, at(200), PATIENCE, 10).await.unwrap().is_empty());
    }

    async fn a_claim_of_a_worker_that_died_runs_out(world) {
        write(world, &turned(&heartbeat("backup"), HeartbeatState::Late, 1)).await;
        assert_eq!(world.store.claim_heartbeats(fresh_id(), at(60), PATIENCE, 10).await.unwrap().len(), 1);
        assert_eq!(world.store.claim_heartbeats(fresh_id(), at(90), PATIENCE, 10).await.unwrap().len(), 1);
    }

    async fn a_claim_that_is_given_back_can_be_had(world) {
        write(world, &turned(&heartbeat("backup"), HeartbeatState::Late, 1)).await;
        let claim = fresh_id();
        assert_eq!(world.store.claim_heartbeats(claim, at(60), PATIENCE, 10).await.unwrap().len(), 1);
        world.store.release_heartbeats(claim).await.unwrap();
        assert_eq!(world.store.claim_heartbeats(fresh_id(), at(60), PATIENCE, 10).await.unwrap().len(), 1);
    }

    async fn who_tells_too_late_has_the_present_state_told_again(world) {
        let late = turned(&heartbeat("backup"), HeartbeatState::Late, 1);
        write(world, &late).await;
        let (slow, quick) = (fresh_id(), fresh_id());
        world.store.claim_heartbeats(slow, at(60), PATIENCE, 10).await.unwrap();
        let back = turned(&late, HeartbeatState::Ok, 2);
        write(world, &back).await;
        let claimed = world.store.claim_heartbeats(quick, at(90), PATIENCE, 10).await.unwrap();
        assert_eq!(claimed[0].state, HeartbeatState::Ok);
        // The slow one wakes between the other's word and its note.
        assert_eq!(world.store.heartbeat_told(slow, &late).await.unwrap(), HeartbeatTold::OutOfTurn);
        assert_eq!(world.store.heartbeat_told(quick, &claimed[0]).await.unwrap(), HeartbeatTold::Noted);
        let again = world.store.claim_heartbeats(quick, at(91), PATIENCE, 10).await.unwrap();
        assert_eq!(again.iter().map(|one| one.state).collect::<Vec<_>>(), [HeartbeatState::Ok]);
    }

    async fn one_that_is_removed_is_not_shown_and_goes_when_its_end_is_told(world) {
        let removed = turned(&heartbeat("backup"), HeartbeatState::Removed, 2);
        write(world, &removed).await;
        write(world, &heartbeat("other")).await;
        assert_eq!(names(world).await, ["other"]);
        assert_eq!(world.store.get_heartbeat("backup").await.unwrap(), None);
        let claim = fresh_id();
        let claimed = world.store.claim_heartbeats(claim, at(60), PATIENCE, 10).await.unwrap();
        assert_eq!(world.store.heartbeat_told(claim, &claimed[0]).await.unwrap(), HeartbeatTold::Noted);
        let there = world.store.change_heartbeat("backup", |found| (HeartbeatChange::Leave, found)).await.unwrap();
        assert_eq!(there, Some(None));
    }

    async fn lists_go_by_name_page_by_page(world) {
        for name in ["c", "a", "b"] {
            write(world, &heartbeat(name)).await;
        }
        write(world, &Heartbeat { state: HeartbeatState::Late, origin: Origin::Config, ..heartbeat("d") }).await;
        let first = world.store.list_heartbeats(None, 3, None).await.unwrap();
        assert_eq!(first.next_cursor.as_deref(), Some("c"));
        let rest = world.store.list_heartbeats(None, 3, Some("c")).await.unwrap();
        assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
        let late = world.store.list_heartbeats(Some(HeartbeatState::Late), 10, None).await.unwrap();
        assert_eq!(late.items[0].name, "d");
        assert_eq!(world.store.configured_heartbeats().await.unwrap(), ["d"]);
        world.store.change_heartbeat("d", |_| (HeartbeatChange::Delete, ())).await.unwrap();
        assert_eq!(world.store.configured_heartbeats().await.unwrap(), Vec::<String>::new());
    }
}
