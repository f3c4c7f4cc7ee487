//! Silences, on both databases.

use alerting::{Silence, SilenceState, parse_list};
use store::{MOST_SILENCES, Old, Put, SilenceChange, SilenceFilter, StoredSilence};
use uuid::Uuid;

use crate::both::{World, at, fresh_id, on_both};

fn silence(matchers: &str, from: i64, until: i64) -> Silence {
    Silence {
        id: fresh_id(),
        matchers: parse_list(matchers).unwrap(),
        created_by: "Ana".to_owned(),
        comment: "moving the disks,\n\"db-1\" first".to_owned(),
        starts_at: at(from),
        ends_at: at(until),
    }
}

async fn put(world: &World, silence: &Silence, now: i64) -> StoredSilence {
    match world.store.insert_silence(silence, "tests", at(now)).await.unwrap() {
        Put::Done(stored) => stored,
        Put::TooMany => panic!("too many"),
    }
}

async fn listed(world: &World, states: &[SilenceState], now: i64) -> Vec<Uuid> {
    let filter = SilenceFilter { states: states.to_vec() };
    let page = world.store.list_silences(&filter, 100, None, at(now)).await.unwrap();
    page.items.iter().map(|stored| stored.silence.id).collect()
}

on_both! {
    async fn a_silence_is_kept_as_it_was_given(world) {
        let given = silence(r#"{team="say \"db\"",host=~"a\\.b|c",zone!="eu",kind!~"x.*"}"#, 0, 60);
        let stored = put(world, &given, 0).await;
        assert_eq!((&stored.silence, stored.actor.as_str(), stored.created_at), (&given, "tests", at(0)));
        assert_eq!(world.store.get_silence(given.id).await.unwrap(), Some(stored));
        assert_eq!(world.store.get_silence(fresh_id()).await.unwrap(), None);
    }

    async fn only_those_that_mute_now_are_asked_for(world) {
        let [past, now, later] = [(0, 10), (5, 60), (30, 60)].map(|(from, until)| silence("a=b", from, until));
        for one in [&past, &now, &later] {
            put(world, one, 0).await;
        }
        let active = |seconds| async move { world.store.active_silences(at(seconds)).await.unwrap() };
        assert_eq!(active(10).await, std::slice::from_ref(&now), "its last instant is no longer in it");
        assert_eq!(active(5).await, [past.clone(), now.clone()], "its first instant is");
        assert_eq!(active(60).await, []);
        assert_eq!(listed(world, &[SilenceState::Expired], 10).await, [past.id]);
        assert_eq!(listed(world, &[SilenceState::Pending, SilenceState::Active], 10).await, [later.id, now.id]);
        assert_eq!(listed(world, &[], 10).await, [later.id, now.id, past.id]);
    }

    async fn one_that_runs_may_end_later_and_what_it_mutes_needs_another(world) {
        let given = silence("a=b", 0, 60);
        put(world, &given, 0).await;
        let longer = Silence { id: fresh_id(), ends_at: at(600), comment: "slow".to_owned(), ..given.clone() };
        let changed = world.store.change_silence(given.id, &longer, "Ben", at(10)).await.unwrap();
        let SilenceChange::Changed(row) = changed else { panic!("{changed:?}") };
        assert_eq!((row.silence.id, row.silence.ends_at, row.actor.as_str()), (given.id, at(600), "Ben"));
        assert_eq!((row.created_at, row.updated_at), (at(0), at(10)));

        let other = Silence { id: fresh_id(), matchers: parse_list("a=c").unwrap(), ..longer.clone() };
        let changed = world.store.change_silence(given.id, &other, "Ben", at(20)).await.unwrap();
        let SilenceChange::Replaced(row) = changed else { panic!("{changed:?}") };
        assert_eq!((row.silence.id, row.silence.starts_at), (other.id, at(20)));
        let before = world.store.get_silence(given.id).await.unwrap().unwrap();
        assert_eq!((before.silence.ends_at, before.silence.matchers), (at(20), given.matchers.clone()));
        assert_eq!(listed(world, &[SilenceState::Active], 20).await, [other.id]);

        let again = Silence { id: fresh_id(), ends_at: at(700), ..given.clone() };
        let changed = world.store.change_silence(given.id, &again, "Ben", at(30)).await.unwrap();
        assert!(matches!(changed, SilenceChange::Replaced(_)), "what is over is not taken up again: {changed:?}");
        let nobody = world.store.change_silence(fresh_id(), &again, "Ben", at(30)).await.unwrap();
        assert_eq!(nobody, SilenceChange::NotFound);
    }

    async fn one_that_has_not_begun_may_begin_at_another_time(world) {
        let given = silence("a=b", 100, 160);
        put(world, &given, 0).await;
        let sooner = Silence { starts_at: at(50), ends_at: at(90), ..given.clone() };
        let changed = world.store.change_silence(given.id, &sooner, "Ben", at(10)).await.unwrap();
        assert!(matches!(changed, SilenceChange::Changed(_)), "{changed:?}");
        assert_eq!(world.store.get_silence(given.id).await.unwrap().unwrap().silence, sooner);
    }

    async fn ending_one_is_done_once_whoever_asks(world) {
        let (runs, waits) = (silence("a=b", 0, 60), silence("a=c", 100, 160));
        for one in [&runs, &waits] {
            put(world, one, 0).await;
        }
        let ended = world.store.end_silence(runs.id, "Ben", at(10)).await.unwrap().unwrap();
        assert_eq!((ended.silence.ends_at, ended.actor.as_str()), (at(10), "Ben"));
        let again = world.store.end_silence(runs.id, "Cem", at(20)).await.unwrap().unwrap();
        assert_eq!((again.silence.ends_at, again.actor.as_str()), (at(10), "Ben"));
        let never = world.store.end_silence(waits.id, "Ben", at(10)).await.unwrap().unwrap();
        assert_eq!(never.silence.state(at(10)), SilenceState::Expired);
        assert_eq!(never.silence.state(at(120)), SilenceState::Expired);
        assert_eq!(world.store.end_silence(fresh_id(), "Ben", at(10)).await.unwrap(), None);
        assert_eq!(world.store.active_silences(at(10)).await.unwrap(), []);
    }

    async fn pages_follow_each_other(world) {
        let mut all = Vec::new();
        for n in 0..5 {
            let one = silence("a=b", 0, 60);
            put(world, &one, n / 2).await;
            all.insert(0, one.id);
        }
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let filter = SilenceFilter { states: vec![SilenceState::Active] };
            let page = world.store.list_silences(&filter, 2, cursor.as_deref(), at(10)).await.unwrap();
            seen.extend(page.items.iter().map(|stored| stored.silence.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    async fn there_are_never_so_many_that_looking_at_them_is_slow(world) {
        for _ in 0..MOST_SILENCES {
            put(world, &silence("a=b", 0, 60), 0).await;
        }
        let one_more = silence("a=b", 0, 60);
        assert_eq!(world.store.insert_silence(&one_more, "tests", at(0)).await.unwrap(), Put::TooMany);
        put(world, &Silence { ends_at: at(120), ..one_more }, 60).await;
    }

    async fn what_is_long_over_is_taken_out(world) {
        let (old, new) = (silence("a=b", 0, 60), silence("a=b", 0, 600));
        for one in [&old, &new] {
            put(world, one, 0).await;
        }
        assert_eq!(world.store.take_out(Old::Silences, at(61), at(1_000)).await.unwrap(), 1);
        assert_eq!(listed(world, &[], 1_000).await, [new.id]);
    }
}
