//! Schedules and their ticks: who may write, what an overlap does, how failures pause, what the sweep finds.

use std::time::Duration;

use serde_json::json;
use store::{
    CatchUp, Changed, Closed, Fired, Intent, JobEnd, NewTick, Origin, Overlap, PausedBy, Schedule, ScheduleSpec,
    SchedulerLease, Store, TickCause, TickEnd, TickLimits, TickRef, TickState,
};

use crate::both::{World, at, fresh_id, on_both};

const LASTS: Duration = Duration::from_secs(15);
const LIMITS: TickLimits = TickLimits { max_attempts: 3, timeout: Duration::from_secs(20) };

fn spec(overlap: Overlap) -> ScheduleSpec {
    ScheduleSpec {
        cron: "*/5 * * * *".to_owned(),
        timezone: "Europe/London".to_owned(),
        kind: "debug.noop".to_owned(),
        queue: "debug".to_owned(),
        args: json!({"b": 1, "a": ["x", null]}),
        catch_up: CatchUp::All,
        max_lateness: Duration::from_millis(86_400_001),
        overlap,
        jitter: Duration::from_millis(1_500),
        failure_limit: Some(2),
    }
}

async fn lead(store: &Store, holder: &str, seconds: i64) -> SchedulerLease {
    store.take_scheduler_lease(holder, LASTS, at(seconds)).await.unwrap().expect("nobody leads")
}

async fn made(world: &World, name: &str, overlap: Overlap) -> Schedule {
    world.store.create_schedule(name, &spec(overlap), at(0)).await.unwrap().expect("the name is free")
}

fn tick(seconds: i64) -> NewTick {
    NewTick {
        planned_at: at(seconds),
        cause: TickCause::Planned,
        note: None,
        run_at: at(seconds + 1),
        job_id: fresh_id(),
        patient: false,
    }
}

async fn fire(world: &World, lease: &SchedulerLease, name: &str, ticks: &[NewTick]) -> Fired {
    let schedule = world.store.get_schedule(name).await.unwrap().unwrap();
    let until = ticks.last().map_or(at(1), |tick| tick.planned_at);
    world.store.fire_schedule(lease, &schedule, LIMITS, ticks, until, until).await.unwrap()
}

/// The states of what was written.
fn states(fired: &Fired) -> Vec<TickState> {
    match fired {
        Fired::Written(ticks) => ticks.iter().map(|tick| tick.state).collect(),
        other => panic!("{other:?}"),
    }
}

fn only(fired: Fired) -> TickRef {
    match fired {
        Fired::Written(mut ticks) if ticks.len() == 1 => ticks.remove(0),
        other => panic!("{other:?}"),
    }
}

async fn end(world: &World, tick: &TickRef, end: TickEnd, seconds: i64) -> Option<Option<u32>> {
    let ended = world
        .store
        .end_tick(&tick.schedule, tick.planned_at, tick.job_id, end, Some("why"), at(seconds))
        .await
        .unwrap();
    ended.map(|ended| ended.paused_after)
}

const FAILED: TickEnd = TickEnd::Ended(JobEnd::Dead);

on_both! {
    async fn a_schedule_reads_back_as_it_was_made(world) {
        let made = made(world, "nightly", Overlap::QueueOne).await;
        assert_eq!((made.spec.clone(), made.origin, made.revision), (spec(Overlap::QueueOne), Origin::Api, 1));
        assert_eq!((made.decided_until, &made.paused, made.failures), (at(0), &None, 0));
        assert_eq!(world.store.get_schedule("nightly").await.unwrap(), Some(made));
        assert_eq!(world.store.create_schedule("nightly", &spec(Overlap::Skip), at(1)).await.unwrap(), None);
        assert_eq!(world.store.get_schedule("other").await.unwrap(), None);
    }

    async fn a_change_is_refused_over_another_one(world) {
        let first = made(world, "s", Overlap::Skip).await;
        let new = ScheduleSpec { cron: "@hourly".to_owned(), failure_limit: None, ..spec(Overlap::Allow) };
        let Changed::Done { schedule: changed, ended: None } = world.store.change_schedule("s", 1, &new, at(60)).await.unwrap() else { panic!() };
        assert_eq!((&changed.spec, changed.revision, changed.decided_until), (&new, 2, at(60)));
        assert_eq!(world.store.change_schedule("s", first.revision, &new, at(61)).await.unwrap(), Changed::Moved);
        assert_eq!(world.store.change_schedule("t", 1, &new, at(61)).await.unwrap(), Changed::Missing);
    }

    async fn schedules_are_listed_by_name_in_pages(world) {
        for name in ["c", "a", "b"] {
            made(world, name, Overlap::Skip).await;
        }
        let first = world.store.list_schedules(2, None).await.unwrap();
        let names: Vec<&str> = first.items.iter().map(|schedule| schedule.name.as_str()).collect();
        assert_eq!((names, first.next_cursor.as_deref()), (vec!["a", "b"], Some("b")));
        let second = world.store.list_schedules(2, first.next_cursor.as_deref()).await.unwrap();
        assert_eq!((second.items[0].name.as_str(), second.next_cursor), ("c", None));
    }

    async fn one_leads_until_its_time_is_over(world) {
        let first = lead(&world.store, "one", 0).await;
        assert_eq!(world.store.take_scheduler_lease("two", LASTS, at(14)).await.unwrap(), None);
        assert!(world.store.renew_scheduler_lease(&first, LASTS, at(14)).await.unwrap());
        assert_eq!(world.store.take_scheduler_lease("two", LASTS, at(28)).await.unwrap(), None);
        let second = lead(&world.store, "two", 29).await;
        assert_eq!((first.epoch, second.epoch), (1, 2));
        assert!(!world.store.renew_scheduler_lease(&first, LASTS, at(30)).await.unwrap());
        let state = world.store.scheduler_state().await.unwrap();
        assert_eq!((state.holder.as_str(), state.epoch, state.expires_at), ("two", 2, at(44)));
        world.store.release_scheduler_lease(&second, at(31)).await.unwrap();
        assert_eq!(lead(&world.store, "three", 31).await.epoch, 3);
    }

    async fn a_leader_that_is_none_any_more_writes_nothing(world) {
        made(world, "s", Overlap::Allow).await;
        let old = lead(&world.store, "one", 0).await;
        let new = lead(&world.store, "two", 20).await;
        assert_eq!(fire(world, &old, "s", &[tick(300)]).await, Fired::NotLeading);
        assert_eq!(world.store.let_waiting_ticks_go_on(&old, at(300)).await.unwrap(), None);
        assert_eq!(world.store.mirror_schedules(&old, &[], at(300)).await.unwrap(), None);
        assert!(world.store.list_ticks("s", None, 10, None).await.unwrap().items.is_empty());
        assert_eq!(states(&fire(world, &new, "s", &[tick(300)]).await), [TickState::Open]);
    }

    async fn an_instant_is_written_once_and_what_was_decided_is_not_decided_again(world) {
        let before = made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        let first = only(fire(world, &lease, "s", &[tick(300)]).await);
        assert_eq!((first.args.clone(), first.run_at, first.max_attempts), (spec(Overlap::Allow).args, at(301), 3));
        // Decided from what was read before.
        let again = world.store.fire_schedule(&lease, &before, LIMITS, &[tick(300)], at(300), at(300)).await.unwrap();
        assert_eq!(again, Fired::Changed);
        // And somebody else's word on the same instant is not another tick.
        assert_eq!(fire(world, &lease, "s", &[tick(300)]).await, Fired::Written(Vec::new()));
        let ticks = world.store.list_ticks("s", None, 10, None).await.unwrap().items;
        assert_eq!((ticks.len(), ticks[0].tick.job_id, ticks[0].epoch), (1, first.job_id, Some(1)));
    }

    async fn a_paused_or_changed_schedule_does_not_fire(world) {
        let read = made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        let changes = world.store.scheduler_state().await.unwrap().changes;
        let Changed::Done { schedule: paused, ended: None } = world.store.pause_schedule("s", Some("moving"), at(10)).await.unwrap() else { panic!() };
        let why = paused.paused.unwrap();
        assert_eq!((why.at, why.by, why.reason.as_deref()), (at(10), PausedBy::Operator, Some("moving")));
        let fire = async || world.store.fire_schedule(&lease, &read, LIMITS, &[tick(300)], at(300), at(300)).await.unwrap();
        assert_eq!(fire().await, Fired::Changed);
        let Changed::Done { schedule: resumed, ended: Some(ended) } = world.store.resume_schedule("s", at(20)).await.unwrap() else { panic!() };
        assert_eq!(ended, why);
        assert_eq!((resumed.paused, resumed.decided_until), (None, at(20)));
        assert_eq!(fire().await, Fired::Changed);
        assert!(world.store.scheduler_state().await.unwrap().changes >= changes + 2);
    }

    async fn allowed_overlaps_all_open(world) {
        made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        assert_eq!(states(&fire(world, &lease, "s", &[tick(300), tick(600)]).await), [TickState::Open; 2]);
    }

    async fn skipped_overlaps_have_no_job_until_the_earlier_one_is_done(world) {
        made(world, "s", Overlap::Skip).await;
        let lease = lead(&world.store, "one", 0).await;
        let first = only(fire(world, &lease, "s", &[tick(300)]).await);
        assert_eq!(states(&fire(world, &lease, "s", &[tick(600)]).await), [TickState::Skipped]);
        assert_eq!(end(world, &first, TickEnd::Done, 700).await, Some(None));
        assert_eq!(states(&fire(world, &lease, "s", &[tick(900)]).await), [TickState::Open]);
        let skipped = world.store.list_ticks("s", Some(TickState::Skipped), 10, None).await.unwrap().items;
        assert_eq!((skipped[0].tick.planned_at, skipped[0].ended_at), (at(600), Some(at(600))));
        assert_eq!(skipped[0].note.as_deref(), Some("the job of an earlier one is not done"));
    }

    async fn one_waits_and_goes_on_when_the_earlier_one_is_done(world) {
        made(world, "s", Overlap::QueueOne).await;
        let lease = lead(&world.store, "one", 0).await;
        let first = only(fire(world, &lease, "s", &[tick(300)]).await);
        let more = fire(world, &lease, "s", &[tick(600), tick(900)]).await;
        assert_eq!(states(&more), [TickState::Waiting, TickState::Skipped]);
        assert!(!world.store.scheduler_state().await.unwrap().may_go_on, "the earlier one is under way");
        assert_eq!(world.store.let_waiting_ticks_go_on(&lease, at(950)).await.unwrap(), Some(Vec::new()));
        end(world, &first, FAILED, 1000).await;
        assert!(world.store.scheduler_state().await.unwrap().may_go_on);
        let going = world.store.let_waiting_ticks_go_on(&lease, at(1001)).await.unwrap().unwrap();
        assert_eq!(going.len(), 1);
        assert_eq!((going[0].planned_at, going[0].state, going[0].run_at), (at(600), TickState::Open, at(1001)));
        assert!(!world.store.scheduler_state().await.unwrap().may_go_on);
    }

    async fn what_waits_does_not_go_on_while_anybody_has_paused_its_schedule(world) {
        for (name, by) in [("stopped", PausedBy::Operator), ("failing", PausedBy::Failures)] {
            made(world, name, Overlap::Skip).await;
            let lease = world.store.take_scheduler_lease("one", Duration::ZERO, at(0)).await.unwrap().unwrap();
            let patient = [300, 600, 900, 1200].map(|s| NewTick { patient: true, ..tick(s) });
            let Fired::Written(ticks) = fire(world, &lease, name, &patient).await else { panic!() };
            let go_on = async || world.store.let_waiting_ticks_go_on(&lease, at(2000)).await.unwrap().unwrap();
            end(world, &ticks[0], if by == PausedBy::Failures { FAILED } else { TickEnd::Done }, 1300).await;
            let second = go_on().await.remove(0);
            match by {
                PausedBy::Failures => assert_eq!(end(world, &second, FAILED, 1400).await, Some(Some(2))),
                PausedBy::Operator => {
                    world.store.pause_schedule(name, None, at(1400)).await.unwrap();
                    end(world, &second, TickEnd::Done, 1400).await;
                }
            }
            assert_eq!(world.store.get_schedule(name).await.unwrap().unwrap().paused.unwrap().by, by);
            assert!(!world.store.scheduler_state().await.unwrap().may_go_on, "{name}");
            assert_eq!(go_on().await, [], "{name}");
            world.store.resume_schedule(name, at(1500)).await.unwrap();
            assert!(world.store.scheduler_state().await.unwrap().may_go_on, "{name}");
            assert_eq!(go_on().await[0].planned_at, at(900), "{name}");
            // The rest is called off by hand.
            assert_eq!(world.store.cancel_waiting_ticks(name, at(1600)).await.unwrap(), Some(1));
            let called_off = world.store.list_ticks(name, Some(TickState::Cancelled), 10, None).await.unwrap().items;
            assert_eq!((called_off[0].tick.planned_at, called_off[0].ended_at), (at(1200), Some(at(1600))));
            assert_eq!(called_off[0].note.as_deref(), Some("called off while it waited"));
            assert_eq!(world.store.cancel_waiting_ticks(name, at(1600)).await.unwrap(), Some(0));
        }
        assert_eq!(world.store.cancel_waiting_ticks("none", at(0)).await.unwrap(), None);
    }

    async fn an_operator_takes_over_a_pause_by_failures(world) {
        made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        let Fired::Written(ticks) = fire(world, &lease, "s", &[tick(300), tick(600)]).await else { panic!() };
        end(world, &ticks[0], FAILED, 700).await;
        assert_eq!(end(world, &ticks[1], FAILED, 700).await, Some(Some(2)));
        let pause = async |why: &str, s| match world.store.pause_schedule("s", Some(why), at(s)).await.unwrap() {
            Changed::Done { schedule, ended } => (schedule.paused.unwrap(), ended.map(|ended| ended.by)),
            other => panic!("{other:?}"),
        };
        let (paused, ended) = pause("looking into it", 800).await;
        assert_eq!((paused.by, paused.at, ended), (PausedBy::Operator, at(800), Some(PausedBy::Failures)));
        assert_eq!(paused.reason.as_deref(), Some("looking into it"));
        let (same, ended) = pause("again", 900).await;
        assert_eq!((same, ended), (paused.clone(), None), "an operator's pause stays as it is");
        // Another definition ends it no more than any other operator's pause.
        let other = ScheduleSpec { args: json!({}), ..spec(Overlap::Allow) };
        let Changed::Done { schedule, ended: None } = world.store.change_schedule("s", 1, &other, at(950)).await.unwrap() else { panic!() };
        assert_eq!(schedule.paused, Some(paused));
        assert_eq!(world.store.pause_schedule("none", None, at(0)).await.unwrap(), Changed::Missing);
    }

    async fn another_definition_keeps_the_instants_that_are_undecided_unless_they_are_others_now(world) {
        let base = || spec(Overlap::Allow);
        let changes: [(ScheduleSpec, bool); 5] = [
            (ScheduleSpec { args: json!({"b": 2}), ..base() }, true),
            (ScheduleSpec { jitter: Duration::ZERO, ..base() }, true),
            (ScheduleSpec { queue: "default".to_owned(), ..base() }, true),
            (ScheduleSpec { cron: "*/10 * * * *".to_owned(), ..base() }, false),
            (ScheduleSpec { timezone: "UTC".to_owned(), ..base() }, false),
        ];
        let lease = lead(&world.store, "one", 0).await;
        for (n, (changed, kept)) in changes.iter().enumerate() {
            let expected = if *kept { at(0) } else { at(700) };
            let name = format!("mine_{n}");
            made(world, &name, Overlap::Allow).await;
            let Changed::Done { schedule, .. } = world.store.change_schedule(&name, 1, changed, at(700)).await.unwrap() else { panic!() };
            assert_eq!((schedule.decided_until, &schedule.spec), (expected, changed), "over the API: {n}");
            let wanted = |spec: &ScheduleSpec| [("configured".to_owned(), spec.clone())];
            world.store.mirror_schedules(&lease, &[], at(0)).await.unwrap();
            world.store.mirror_schedules(&lease, &wanted(&base()), at(0)).await.unwrap();
            world.store.mirror_schedules(&lease, &wanted(changed), at(700)).await.unwrap();
            let configured = world.store.get_schedule("configured").await.unwrap().unwrap();
            assert_eq!((configured.decided_until, &configured.spec), (expected, changed), "in the configuration: {n}");
        }
    }

    async fn a_backfill_costs_no_planned_tick_and_lets_it_go_first(world) {
        for overlap in [Overlap::Skip, Overlap::QueueOne] {
            let name = overlap.to_string();
            let spec = ScheduleSpec { catch_up: CatchUp::Once, ..spec(overlap) };
            world.store.create_schedule(&name, &spec, at(0)).await.unwrap().unwrap();
            let lease = world.store.take_scheduler_lease("one", Duration::ZERO, at(0)).await.unwrap().unwrap();
            let fill = [10, 20, 30].map(|s| NewTick { cause: TickCause::Backfill, ..tick(s) });
            world.store.backfill_schedule(&name, LIMITS, &fill, at(100)).await.unwrap();
            // Those that only wait are in nobody's way.
            let planned = only(fire(world, &lease, &name, &[tick(300)]).await);
            assert_eq!(planned.state, TickState::Open);
            let go_on = async || world.store.let_waiting_ticks_go_on(&lease, at(400)).await.unwrap().unwrap();
            assert_eq!(go_on().await, []);
            end(world, &planned, TickEnd::Done, 400).await;
            let filling = go_on().await.remove(0);
            assert_eq!(filling.planned_at, at(10));
            // One is under way: what is planned waits, one of it, and goes before the others.
            assert_eq!(states(&fire(world, &lease, &name, &[tick(600)]).await), [TickState::Waiting]);
            assert_eq!(states(&fire(world, &lease, &name, &[tick(900)]).await), [TickState::Skipped]);
            end(world, &filling, TickEnd::Done, 1000).await;
            let next = go_on().await.remove(0);
            assert_eq!(next.planned_at, at(600), "{name}");
            end(world, &next, TickEnd::Done, 1000).await;
            assert_eq!(go_on().await.remove(0).planned_at, at(20), "{name}");
        }
    }

    async fn while_missed_ticks_are_worked_off_what_comes_meanwhile_waits_behind_them(world) {
        for overlap in [Overlap::Skip, Overlap::QueueOne] {
            let name = overlap.to_string();
            made(world, &name, overlap).await;
            let lease = world.store.take_scheduler_lease("one", Duration::ZERO, at(0)).await.unwrap().unwrap();
            let missed = [300, 600, 900].map(|s| NewTick { patient: true, cause: TickCause::CatchUp, ..tick(s) });
            let Fired::Written(ticks) = fire(world, &lease, &name, &missed).await else { panic!() };
            assert_eq!(states(&fire(world, &lease, &name, &[tick(1200)]).await), [TickState::Waiting]);
            assert_eq!(states(&fire(world, &lease, &name, &[tick(1500)]).await), [TickState::Waiting]);
            let mut running = ticks[0].clone();
            for expected in [600, 900, 1200, 1500] {
                end(world, &running, TickEnd::Done, 1600).await;
                running = world.store.let_waiting_ticks_go_on(&lease, at(1600)).await.unwrap().unwrap().remove(0);
                assert_eq!(running.planned_at, at(expected), "{name}");
            }
            // Worked off: the schedule's own policy again.
            let then = fire(world, &lease, &name, &[tick(1800), tick(2100)]).await;
            let ordinary = match overlap {
                Overlap::Skip => [TickState::Skipped, TickState::Skipped],
                _ => [TickState::Waiting, TickState::Skipped],
            };
            assert_eq!(states(&then), ordinary, "{name}");
        }
        // One that is slower than its pace does not pile up beyond what may be late.
        made(world, "slow", Overlap::Skip).await;
        let lease = lead(&world.store, "two", 0).await;
        let missed = [300, 600].map(|s| NewTick { patient: true, cause: TickCause::CatchUp, ..tick(s) });
        fire(world, &lease, "slow", &missed).await;
        assert_eq!(states(&fire(world, &lease, "slow", &[tick(600 + 86_400)]).await), [TickState::Waiting]);
        assert_eq!(states(&fire(world, &lease, "slow", &[tick(600 + 86_401)]).await), [TickState::Skipped]);
    }

    async fn patient_ticks_go_one_behind_the_other(world) {
        made(world, "s", Overlap::Skip).await;
        let lease = lead(&world.store, "one", 0).await;
        let patient: Vec<NewTick> = [300, 600, 900].map(|s| NewTick { patient: true, ..tick(s) }).to_vec();
        let Fired::Written(ticks) = fire(world, &lease, "s", &patient).await else { panic!() };
        assert_eq!(ticks.iter().map(|t| t.state).collect::<Vec<_>>(), [TickState::Open, TickState::Waiting, TickState::Waiting]);
        let mut running = ticks[0].clone();
        for expected in [600, 900] {
            end(world, &running, TickEnd::Done, 1000).await;
            let mut going = world.store.let_waiting_ticks_go_on(&lease, at(1000)).await.unwrap().unwrap();
            assert_eq!(going.len(), 1);
            running = going.remove(0);
            assert_eq!(running.planned_at, at(expected));
        }
    }

    async fn failures_in_a_row_pause_and_a_success_between_does_not(world) {
        made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        let Fired::Written(ticks) = fire(world, &lease, "s", &[tick(300), tick(600), tick(900), tick(1200)]).await else { panic!() };
        assert_eq!(end(world, &ticks[0], FAILED, 1300).await, Some(None));
        assert_eq!(end(world, &ticks[1], TickEnd::Done, 1300).await, Some(None));
        assert_eq!(end(world, &ticks[2], FAILED, 1300).await, Some(None));
        assert_eq!(end(world, &ticks[3], FAILED, 1301).await, Some(Some(2)));
        // Told once only.
        assert_eq!(end(world, &ticks[3], FAILED, 1302).await, None);
        let paused = world.store.get_schedule("s").await.unwrap().unwrap();
        let why = paused.paused.unwrap();
        assert_eq!((why.by, why.at, paused.failures), (PausedBy::Failures, at(1301), 2));
        assert_eq!(why.reason.as_deref(), Some("it failed 2 times in a row, at last: why"));
        let Changed::Done { schedule: resumed, ended } = world.store.resume_schedule("s", at(1400)).await.unwrap() else { panic!() };
        assert_eq!((resumed.failures, ended.map(|ended| ended.by)), (0, Some(PausedBy::Failures)));
        let Changed::Done { ended, .. } = world.store.resume_schedule("s", at(1401)).await.unwrap() else { panic!() };
        assert_eq!(ended, None, "it was resumed before");
    }

    async fn another_definition_ends_a_pause_by_failures_and_no_other(world) {
        let failed = async |name: &str, lease: &SchedulerLease| {
            let Fired::Written(ticks) = fire(world, lease, name, &[tick(300), tick(600)]).await else { panic!() };
            assert_eq!(end(world, &ticks[0], FAILED, 700).await, Some(None));
            assert_eq!(end(world, &ticks[1], FAILED, 700).await, Some(Some(2)));
        };
        let other = ScheduleSpec { args: json!({"b": 2}), ..spec(Overlap::Allow) };
        let lease = lead(&world.store, "one", 0).await;
        for name in ["mine", "stopped", "deleted"] {
            made(world, name, Overlap::Allow).await;
        }
        failed("mine", &lease).await;
        failed("deleted", &lease).await;
        world.store.pause_schedule("stopped", Some("moving"), at(650)).await.unwrap();
        let by = |changed: Changed| match changed {
            Changed::Done { ended, .. } => ended.map(|ended| ended.by),
            refused => panic!("{refused:?}"),
        };
        let change = async |name| world.store.change_schedule(name, 1, &other, at(800)).await.unwrap();
        assert_eq!(by(change("mine").await), Some(PausedBy::Failures));
        assert_eq!(by(change("stopped").await), None);
        assert_eq!(by(world.store.delete_schedule("deleted", at(800)).await.unwrap()), Some(PausedBy::Failures));
        let paused = async |name| world.store.get_schedule(name).await.unwrap().unwrap().paused.is_some();
        assert_eq!((paused("mine").await, paused("stopped").await), (false, true));

        // The same of the configuration's: changed, taken out, left as they are.
        let names = ["changed", "gone", "same"];
        let wanted = |names: &[&str], spec: &ScheduleSpec| names.iter().map(|n| ((*n).to_owned(), spec.clone())).collect::<Vec<_>>();
        world.store.mirror_schedules(&lease, &wanted(&names, &spec(Overlap::Allow)), at(0)).await.unwrap().unwrap();
        for name in names {
            failed(name, &lease).await;
        }
        let next = [wanted(&["changed"], &other), wanted(&["same"], &spec(Overlap::Allow))].concat();
        let mirrored = world.store.mirror_schedules(&lease, &next, at(900)).await.unwrap().unwrap();
        assert_eq!(mirrored.unpaused, ["changed", "gone"]);
        assert_eq!((paused("changed").await, paused("same").await), (false, true));
    }

    async fn a_redriven_job_makes_a_failed_tick_done_and_another_job_does_not(world) {
        made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        let tick = only(fire(world, &lease, "s", &[tick(300)]).await);
        end(world, &tick, FAILED, 400).await;
        let stranger = TickRef { job_id: fresh_id(), ..tick.clone() };
        assert_eq!(end(world, &stranger, TickEnd::Done, 450).await, None);
        assert_eq!(end(world, &tick, TickEnd::Done, 500).await, Some(None));
        assert_eq!(end(world, &tick, FAILED, 600).await, None);
        assert_eq!(world.store.tick_state("s", at(300)).await.unwrap(), Some(TickState::Done));
        assert_eq!(world.store.tick_state("s", at(301)).await.unwrap(), None);
        assert_eq!(world.store.get_schedule("s").await.unwrap().unwrap().failures, 0);
    }

    async fn a_run_now_stands_beside_what_is_planned_and_counts_no_failure(world) {
        made(world, "s", Overlap::Skip).await;
        let lease = lead(&world.store, "one", 0).await;
        let planned = only(fire(world, &lease, "s", &[tick(300)]).await);
        let run = NewTick { cause: TickCause::Run, ..tick(300) };
        let asked = world.store.run_schedule("s", LIMITS, &run, at(300)).await.unwrap().unwrap();
        assert_eq!((asked.state, asked.planned_at), (TickState::Open, at(300) + Duration::from_millis(1)));
        assert_ne!(asked.job_id, planned.job_id);
        assert_eq!(end(world, &asked, FAILED, 400).await, Some(None));
        assert_eq!(world.store.get_schedule("s").await.unwrap().unwrap().failures, 0);
        assert_eq!(world.store.run_schedule("none", LIMITS, &run, at(300)).await.unwrap(), None);
    }

    async fn a_backfill_writes_what_has_no_tick(world) {
        made(world, "s", Overlap::Allow).await;
        made(world, "one_at_a_time", Overlap::Skip).await;
        let lease = lead(&world.store, "one", 0).await;
        fire(world, &lease, "s", &[tick(600)]).await;
        let ticks = [300, 600, 900].map(|s| NewTick { cause: TickCause::Backfill, ..tick(s) });
        let written = world.store.backfill_schedule("s", LIMITS, &ticks, at(2000)).await.unwrap().unwrap();
        let instants: Vec<_> = written.iter().map(|tick| (tick.planned_at, tick.state)).collect();
        assert_eq!(instants, [(at(300), TickState::Open), (at(900), TickState::Open)]);
        let ticks = [300, 600].map(|s| NewTick { cause: TickCause::Backfill, ..tick(s) });
        let waiting = world.store.backfill_schedule("one_at_a_time", LIMITS, &ticks, at(2000)).await.unwrap().unwrap();
        assert!(waiting.iter().all(|tick| tick.state == TickState::Waiting));
        let going = world.store.let_waiting_ticks_go_on(&lease, at(2001)).await.unwrap().unwrap();
        assert_eq!(going.iter().map(|tick| tick.planned_at).collect::<Vec<_>>(), [at(300)]);
    }

    async fn the_configuration_is_mirrored_and_takes_over_a_name(world) {
        made(world, "mine", Overlap::Skip).await;
        made(world, "taken", Overlap::Skip).await;
        let lease = lead(&world.store, "one", 0).await;
        let wanted = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), spec(Overlap::Skip))).collect::<Vec<_>>();
        let first = world.store.mirror_schedules(&lease, &wanted(&["beat", "taken"]), at(5)).await.unwrap().unwrap();
        assert_eq!((first.added, first.changed, first.removed), (vec!["beat".to_owned()], vec!["taken".to_owned()], vec![]));
        world.store.pause_schedule("beat", None, at(6)).await.unwrap();
        let same = world.store.mirror_schedules(&lease, &wanted(&["beat", "taken"]), at(7)).await.unwrap().unwrap();
        assert!(same.is_empty());
        let beat = world.store.get_schedule("beat").await.unwrap().unwrap();
        assert!(beat.paused.is_some() && beat.origin == Origin::Config, "a pause outlives a start: {beat:?}");
        assert_eq!(world.store.change_schedule("beat", beat.revision, &spec(Overlap::Allow), at(8)).await.unwrap(), Changed::OfConfig);
        assert_eq!(world.store.delete_schedule("beat", at(8)).await.unwrap(), Changed::OfConfig);
        let gone = world.store.mirror_schedules(&lease, &wanted(&["beat"]), at(9)).await.unwrap().unwrap();
        assert_eq!(gone.removed, ["taken"]);
        assert!(world.store.get_schedule("mine").await.unwrap().is_some());
    }

    async fn deleting_calls_off_what_waits_and_keeps_the_history(world) {
        made(world, "s", Overlap::QueueOne).await;
        let lease = lead(&world.store, "one", 0).await;
        fire(world, &lease, "s", &[tick(300), tick(600)]).await;
        assert!(matches!(world.store.delete_schedule("s", at(700)).await.unwrap(), Changed::Done { ended: None, .. }));
        assert_eq!(world.store.delete_schedule("s", at(700)).await.unwrap(), Changed::Missing);
        let ticks = world.store.list_ticks("s", None, 10, None).await.unwrap().items;
        let states: Vec<TickState> = ticks.iter().map(|tick| tick.tick.state).collect();
        assert_eq!(states, [TickState::Cancelled, TickState::Open]);
    }

    async fn the_history_is_read_in_pages_latest_first(world) {
        made(world, "s", Overlap::Allow).await;
        let lease = lead(&world.store, "one", 0).await;
        fire(world, &lease, "s", &[tick(300), tick(600), tick(900)]).await;
        let first = world.store.list_ticks("s", None, 2, None).await.unwrap();
        assert_eq!(first.items.iter().map(|t| t.tick.planned_at).collect::<Vec<_>>(), [at(900), at(600)]);
        let rest = world.store.list_ticks("s", None, 2, first.next_cursor.as_deref()).await.unwrap();
        assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
        assert!(world.store.list_ticks("s", None, 2, Some("x")).await.is_err());
    }

    async fn the_sweep_finds_an_open_tick_and_closes_it_with_its_job(world) {
        made(world, "s", Overlap::QueueOne).await;
        let lease = lead(&world.store, "one", 0).await;
        let Fired::Written(ticks) = fire(world, &lease, "s", &[tick(300), tick(600)]).await else { panic!() };
        let quiet = Duration::from_secs(30);
        assert!(world.store.stale_intents(quiet, 10, at(331)).await.unwrap().is_empty());
        let stale = world.store.stale_intents(quiet, 10, at(632)).await.unwrap();
        // The second one waits: nobody misses its job.
        let expected = TickRef { state: TickState::Open, ..ticks[0].clone() };
        assert_eq!(stale, [Intent::Tick(expected)]);
        world.store.touch_intents(&stale, at(632)).await.unwrap();
        assert!(world.store.stale_intents(quiet, 10, at(660)).await.unwrap().is_empty());
        let close = async |since, now| {
            world.store.close_intent(&stale[0], JobEnd::Cancelled, "its job was cancelled", at(since), at(now)).await.unwrap()
        };
        assert_eq!(close(600, 700).await, None);
        assert_eq!(close(690, 700).await, Some(Closed::Tick(None)));
        assert_eq!(world.store.tick_state("s", at(300)).await.unwrap(), Some(TickState::Cancelled));
    }
}
