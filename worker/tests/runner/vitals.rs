//! The platform watching itself: each thing that can stand still, grow or fail, by a clock that is moved by hand. What is found
//! becomes an incident once, and is over when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use job::{Clock, JobId, ManualClock};
use queue::{Broker, BrokerError, Disposition, Finish, Front, LeaseRequest};
use serde_json::json;
use store::{
    AttemptReport, CatchUp, Category, Changes, IncidentChange, IncidentFilter, IncidentState, NewDelivery, Overlap,
    ScheduleSpec, WhichIncidents,
};
use worker::Notices;
use worker::bookings::reconcile;
use worker::vitals::Watch;

use crate::stage::{Stage, queue};

const MINUTE: Duration = Duration::from_secs(60);

/// A stage whose notices become incidents, and its time.
async fn platform() -> (Stage, ManualClock) {
    let clock = ManualClock::at("2026-11-25T09:00:00Z".parse().unwrap());
    let mut stage = Stage::at(&clock).await;
    let context = &mut stage.context;
    context.notices = Notices::default().through(context.alerts.clone(), Arc::clone(&context.clock));
    (stage, clock)
}

/// A look of a worker that was just started; what burns then, with what it is about and how many alerts said so.
async fn look(stage: &Stage) -> Vec<(String, String, i64)> {
    look_with(stage, &mut Watch::default()).await
}

async fn look_with(stage: &Stage, watch: &mut Watch) -> Vec<(String, String, i64)> {
    watch.once(&stage.context).await.unwrap();
    let states = vec![IncidentState::Open, IncidentState::Acknowledged];
    let filter = IncidentFilter { states, ..IncidentFilter::default() };
    let burning = stage.context.store.list_incidents(&filter, 100, None).await.unwrap().items;
    let mut all: Vec<_> = burning
        .into_iter()
        .map(|incident| {
            let about = incident.labels.iter().filter(|(name, _)| *name != "source").map(|(_, value)| value.to_owned());
            (incident.kind, about.collect::<Vec<_>>().join(","), incident.alerts)
        })
        .collect();
    all.sort();
    all
}

fn one(kind: &str, about: &str) -> Vec<(String, String, i64)> {
    vec![(kind.to_owned(), about.to_owned(), 1)]
}

/// Mails of this category that are begun.
async fn begun(stage: &Stage, category: Category, count: usize) -> Vec<uuid::Uuid> {
    let (context, now) = (&stage.context, stage.context.clock.now());
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = context.ids.next(&queue("emails")).uuid();
        let new = NewDelivery::new(id, id.to_string(), category, "welcome", "hello", "zoe@example.com");
        context.store.insert_deliveries(&[new], now).await.unwrap();
        context.store.begin_sending(id, id, 7, now).await.unwrap();
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn jobs_that_wait_for_too_long_are_told_once_whoever_looks_and_until_they_do_not() {
    let (stage, clock) = platform().await;
    let id = stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
    clock.advance(MINUTE * 4);
    assert_eq!(look(&stage).await, []);
    clock.advance(MINUTE);
    for _ in 0..3 {
        assert_eq!(look(&stage).await, one("queue.slow", "debug"), "another worker knows of it");
    }
    stage.broker().cancel(id).await.unwrap();
    assert_eq!(look(&stage).await, []);
}

#[tokio::test]
async fn many_jobs_that_died_lately_are_told_and_old_ones_are_not() {
    let (stage, clock) = platform().await;
    let die = async |count: usize| {
        for _ in 0..count {
            stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
        }
        let lease = LeaseRequest { max: 256, token: 7, worker: 1, idle: true };
        let leased = stage.broker().exchange(&queue("debug"), &[], Some(lease)).await.unwrap().leased;
        assert_eq!(leased.len(), count);
        let finishes: Vec<Finish> = leased
            .into_iter()
            .map(|leased| Finish {
                lease: leased.lease,
                disposition: Disposition::Dead { error: "no".to_owned() },
                priority: leased.envelope.as_ref().unwrap().priority,
                unique: None,
            })
            .collect();
        stage.broker().exchange(&queue("debug"), &finishes, None).await.unwrap();
    };
    die(19).await;
    clock.advance(MINUTE * 11);
    die(19).await;
    assert_eq!(look(&stage).await, [], "38 are kept, 19 of them are new");
    die(1).await;
    assert_eq!(look(&stage).await, one("queue.dead_letters", "debug"));
    clock.advance(MINUTE * 11);
    assert_eq!(look(&stage).await, []);
}

#[tokio::test]
async fn mails_that_fail_are_told_and_those_of_alerts_are_not() {
    let (stage, clock) = platform().await;
    let (store, report) = (&stage.context.store, AttemptReport::default());
    let fail = async |category, count| {
        for id in begun(&stage, category, count).await {
            assert!(store.mark_failed(id, 7, &report, clock.now()).await.unwrap());
        }
    };
    fail(Category::Alert, 30).await;
    fail(Category::Booking, 9).await;
    assert_eq!(look(&stage).await, [], "else an alert about mail would be about the mail of an alert");
    let [unknown] = begun(&stage, Category::Account, 1).await[..] else { panic!("one") };
    assert!(store.mark_unknown(unknown, 7, &report, clock.now()).await.unwrap());
    assert_eq!(look(&stage).await, one("mail.failing", ""));
    clock.advance(MINUTE * 11);
    assert_eq!(look(&stage).await, []);
}

#[tokio::test]
async fn mail_that_is_held_for_long_is_told_and_that_of_alerts_is_not() {
    let (stage, clock) = platform().await;
    let (store, report) = (&stage.context.store, AttemptReport::default());
    for category in [Category::Alert, Category::Booking] {
        for id in begun(&stage, category, 1).await {
            assert!(store.mark_held(id, 7, &report, clock.now()).await.unwrap());
        }
        clock.advance(MINUTE * 59);
    }
    assert_eq!(look(&stage).await, []);
    clock.advance(MINUTE);
    assert_eq!(look(&stage).await, one("mail.held", ""));
}

#[tokio::test]
async fn a_schedule_that_does_not_fire_is_told_and_without_a_scheduler_that_there_is_none() {
    let (stage, clock) = platform().await;
    let store = &stage.context.store;
    let spec = ScheduleSpec {
        cron: "30 * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        kind: "debug.noop".to_owned(),
        queue: "debug".to_owned(),
        args: json!({}),
        catch_up: CatchUp::Once,
        max_lateness: MINUTE,
        overlap: Overlap::Skip,
        jitter: Duration::ZERO,
        failure_limit: None,
    };
    for name in ["beat", "resting"] {
        store.create_schedule(name, &spec, clock.now()).await.unwrap().unwrap();
    }
    store.pause_schedule("resting", None, clock.now()).await.unwrap();
    clock.advance(MINUTE * 40);
    assert_eq!(look(&stage).await, one("schedule.late", "beat"), "a scheduler that never was is not missed");
    let lease = store.take_scheduler_lease("s", MINUTE, clock.now()).await.unwrap().unwrap();
    clock.advance(MINUTE * 2);
    let absent = ("scheduler.absent".to_owned(), String::new(), 1);
    let late = ("schedule.late".to_owned(), "beat".to_owned(), 1);
    assert_eq!(look(&stage).await, [late, absent]);
    assert!(store.renew_scheduler_lease(&lease, MINUTE, clock.now()).await.unwrap());
    assert_eq!(look(&stage).await, one("schedule.late", "beat"));
    store.pause_schedule("beat", None, clock.now()).await.unwrap();
    assert_eq!(look(&stage).await, []);
}

/// A queue that can go away.
struct Leaving {
    inner: Arc<dyn Broker>,
    away: AtomicBool,
}

#[async_trait]
impl Front for Leaving {
    fn behind(&self) -> &dyn Broker {
        self.inner.as_ref()
    }

    async fn before(&self) -> Result<(), BrokerError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(BrokerError::Unavailable("no route".to_owned())),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_queue_that_stays_away_is_told_and_what_it_had_told_is_not_taken_back_meanwhile() {
    let (mut stage, clock) = platform().await;
    let leaving = Arc::new(Leaving { inner: Arc::clone(stage.broker()), away: AtomicBool::new(false) });
    stage.context.broker = Arc::clone(&leaving) as Arc<dyn Broker>;
    let id: JobId = stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
    clock.advance(MINUTE * 5);
    let mut watch = Watch::default();
    assert_eq!(look_with(&stage, &mut watch).await, one("queue.slow", "debug"));
    leaving.away.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(look_with(&stage, &mut watch).await, one("queue.slow", "debug"), "a failover is no news");
    }
    let both = [("queue.away".to_owned(), String::new(), 1), ("queue.slow".to_owned(), "debug".to_owned(), 1)];
    for _ in 0..2 {
        assert_eq!(look_with(&stage, &mut watch).await, both);
    }
    leaving.away.store(false, Ordering::SeqCst);
    assert_eq!(look_with(&stage, &mut watch).await, one("queue.slow", "debug"));
    stage.broker().cancel(id).await.unwrap();
    assert_eq!(look_with(&stage, &mut watch).await, []);
}

#[tokio::test]
async fn an_incident_that_nobody_would_be_told_of_is_found_and_told() {
    let (stage, clock) = platform().await;
    let (context, store) = (&stage.context, &stage.context.store);
    stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
    clock.advance(MINUTE * 5);
    look(&stage).await;
    let all = store.list_incidents(&IncidentFilter::default(), 10, None).await.unwrap().items;
    // Another one, written without the groups that would tell of it.
    let lost = store::Incident {
        id: context.ids.next(&queue("debug")).uuid(),
        fingerprint: "0123456789abcdef".to_owned(),
        kind: "lost".to_owned(),
        ..all[0].clone()
    };
    let id = lost.id;
    let changes = Changes { incidents: vec![IncidentChange::New(lost)], ..Changes::default() };
    store.change_incidents(&WhichIncidents::Ids(Vec::new()), clock.now(), |_| (changes.clone(), ())).await.unwrap();
    clock.advance(MINUTE * 2);
    let dry = reconcile::run(context, true).await.unwrap();
    assert_eq!((dry.incidents.open, dry.incidents.due, dry.incidents.untold), (2, 1, 1), "{dry:?}");
    assert_eq!(dry.incidents.untold_ids, [id.to_string()]);
    assert!(!dry.is_whole());
    let done = reconcile::run(context, false).await.unwrap();
    assert_eq!(done.incidents.untold, 1);
    let again = reconcile::run(context, true).await.unwrap();
    assert_eq!((again.incidents.open, again.incidents.untold), (2, 0), "{again:?}");
    assert!(again.is_whole());
}
