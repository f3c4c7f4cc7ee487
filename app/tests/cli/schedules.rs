//! `schedules`: listed, shown, run, paused; and what refuses to start.

use std::sync::Arc;
use std::time::Duration;

use job::{Clock, IdSource, SystemClock};
use store::{IncidentFilter, IncidentState, JobEnd, ScheduleSpec, Store, StoreConfig, TickEnd};
use testkit::wait_until;
use worker::alerts::Intake;
use worker::{Notices, ticks};

use crate::harness::{Place, names};

const SOON: Duration = Duration::from_secs(30);

/// A place where a scheduler has been, so that its schedules are in the store.
async fn with_schedules() -> Place {
    let place = Place::sqlite()
        .with("SCHEDULES__NIGHTLY__CRON", "30 2 * * *")
        .with("SCHEDULES__NIGHTLY__TIMEZONE", "Europe/Berlin")
        .with("SCHEDULES__NIGHTLY__KIND", "debug.sleep")
        .with("SCHEDULES__NIGHTLY__ARGS", r#"{"ms": 5}"#);
    let mut scheduler = place.process(&["scheduler"]).spawn();
    wait_until("the schedules are in the store", SOON, async || {
        scheduler.log().contains("schedules were brought up to date")
    })
    .await;
    assert!(scheduler.terminate(SOON).await.success(), "{}", scheduler.log());
    place
}

#[tokio::test]
async fn schedules_are_listed_shown_and_previewed() {
    let place = with_schedules().await;
    let list = place.json(&["schedules", "list"]).await;
    let nightly = list["items"].as_array().unwrap().iter().find(|s| s["name"] == "nightly").unwrap();
    assert_eq!((&nightly["origin"], &nightly["args"]["ms"]), (&"config".into(), &5.into()));
    let table = place.ok(&["schedules", "list"]).await;
    assert!(table.starts_with("SCHEDULE") && table.contains("nightly") && table.contains("retention"), "{table}");
    let shown = place.ok(&["schedules", "show", "nightly"]).await;
    assert!(shown.contains("At 02:30") && shown.contains("Europe/Berlin"), "{shown}");
    let next = place.json(&["schedules", "next", "nightly", "--count", "2", "--after", "2027-03-27T12:00:00Z"]).await;
    assert_eq!(next["items"][0]["local"], "2027-03-28T03:00:00+02:00[Europe/Berlin]");
    let tried = place.ok(&["schedules", "next", "--cron", "0 12 29 2 *", "--zone", "Asia/Tokyo"]).await;
    assert!(tried.contains("-02-29T12:00:00+09:00[Asia/Tokyo]"), "{tried}");
    place.run(&["schedules", "next", "--cron", "0 25 * * *"]).await.refused(2, &["hour 25 is out of 0–23"]);
    place.run(&["schedules", "show", "none"]).await.refused(2, &["there is no schedule none"]);
}

#[tokio::test]
async fn a_schedule_is_run_paused_resumed_and_backfilled() {
    let place = with_schedules().await;
    let asked = place.json(&["schedules", "run", "nightly"]).await;
    assert_eq!(names(&asked), ["job_id", "planned_at", "schedule", "state"]);
    let job = place.json(&["jobs", "show", asked["job_id"].as_str().unwrap()]).await;
    assert_eq!((&job["kind"], &job["args"]["ms"]), (&"debug.sleep".into(), &5.into()));
    let paused = place.ok(&["schedules", "pause", "nightly", "--reason", "moving"]).await;
    assert_eq!(paused, "nightly is paused: moving\n");
    assert!(place.ok(&["schedules", "list"]).await.contains("paused: moving"));
    assert!(place.ok(&["schedules", "resume", "nightly"]).await.contains("nightly fires next at "));
    let span = ["--from", "2026-01-01T00:00:00Z", "--until", "2026-01-04T00:00:00Z"];
    let filled = place.ok(&[&["schedules", "backfill", "nightly"][..], &span].concat()).await;
    assert_eq!(filled, "nightly: 3 ticks written, 0 were there\n");
    let span = ["--from", "2026-01-04T00:00:00Z", "--until", "2026-01-01T00:00:00Z"];
    let backwards = place.run(&[&["schedules", "backfill", "nightly"][..], &span].concat()).await;
    backwards.refused(2, &["--from: earlier than until is expected"]);
    let history = place.json(&["schedules", "show", "nightly"]).await;
    assert_eq!(history["ticks"].as_array().unwrap().len(), 4);
    let called_off = place.ok(&["schedules", "cancel-waiting", "nightly"]).await;
    assert_eq!(called_off, "nightly: 3 ticks that waited are called off\n");
    place.run(&["schedules", "cancel-waiting", "none"]).await.refused(2, &["there is no schedule none"]);
    place.run(&["schedules", "pause", "nightly", "--reason", "a\nb"]).await.refused(2, &["--reason", "on one line"]);
    place.run(&["schedules", "delete", "nightly"]).await.refused(2, &["the configuration defines nightly"]);
}

#[tokio::test]
async fn the_operators_hear_that_a_schedule_which_failed_is_resumed() {
    let place = with_schedules().await;
    let store = Store::open(&StoreConfig::new(place.file_url("store.db"))).await.unwrap();
    let now = SystemClock.now();
    let nightly = store.get_schedule("nightly").await.unwrap().unwrap();
    let spec = ScheduleSpec { failure_limit: Some(1), ..nightly.spec };
    store.create_schedule("mine", &spec, now).await.unwrap().unwrap();
    let span = ["--from", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z"];
    let filled = place.json(&[&["schedules", "backfill", "mine"][..], &span].concat()).await;
    let lease = store.take_scheduler_lease("me", SOON, now).await.unwrap().expect("nobody leads");
    store.let_waiting_ticks_go_on(&lease, now).await.unwrap();
    let text = |field: &str| filled["ticks"][0][field].as_str().unwrap().to_owned();
    let (at, job) = (text("planned_at").parse().unwrap(), text("job_id").parse().unwrap());
    let ended = store.end_tick("mine", at, job, TickEnd::Ended(JobEnd::Dead), None, now).await.unwrap().unwrap();
    assert_eq!(ended.paused_after, Some(1));
    // What the worker does that finds it.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let intake = Intake::new(store.clone(), Arc::default(), Arc::new(IdSource::new(Arc::clone(&clock))));
    ticks::tell_paused(&Notices::default().through(intake, clock), "mine", 1).await;
    let incident = async || {
        let all = store.list_incidents(&IncidentFilter::default(), 10, None).await.unwrap().items;
        let [only] = all.as_slice() else { panic!("one incident: {all:?}") };
        (only.kind.clone(), only.state)
    };
    let kind = || "schedule.paused".to_owned();
    assert_eq!(incident().await, (kind(), IncidentState::Open));
    assert_eq!(place.ok(&["schedules", "pause", "mine", "--reason", "moving"]).await, "mine is paused: moving\n");
    for _ in 0..2 {
        assert_eq!(incident().await, (kind(), IncidentState::Resolved), "the operators know");
        assert!(place.ok(&["schedules", "resume", "mine"]).await.contains("mine fires next at "));
    }
    assert!(place.ok(&["schedules", "delete", "mine"]).await.starts_with("mine is deleted"));
    place.run(&["schedules", "delete", "mine"]).await.refused(2, &["there is no schedule mine"]);
}

#[tokio::test]
async fn a_schedule_that_nobody_could_serve_refuses_every_start() {
    let base = || Place::sqlite().with("SCHEDULES__X__CRON", "* * * * *");
    let no_kind = base().with("SCHEDULES__X__KIND", "no.such");
    let no_queue = base().with("SCHEDULES__X__KIND", "debug.noop").with("SCHEDULES__X__QUEUE", "nobody");
    let no_cron = base().with("SCHEDULES__X__KIND", "debug.noop").with("SCHEDULES__X__CRON", "0 25 * * *");
    for role in ["scheduler", "worker", "api"] {
        no_kind.run(&[role]).await.refused(2, &["schedules.x.kind: no such kind: no.such"]);
        no_queue.run(&[role]).await.refused(2, &["schedules.x.queue: no worker consumes nobody; there are bookings"]);
        no_cron.run(&[role]).await.refused(2, &["schedules.x.cron: `0 25 * * *`: hour 25 is out of 0–23"]);
    }
}
