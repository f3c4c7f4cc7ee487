//! The cases.

use std::time::Duration;

use job::{Clock, JobState};
use queue::consumer::Share;
use queue::{Cancelled, Redriven};
use serde_json::json;
use store::{BookingEventKind, EventState, NewBookingEvent, Party, Snapshot, content_hash};
use tokio::time::Instant;

use crate::stage::{Stage, queue};

const PATIENCE: Duration = Duration::from_secs(60);

pub async fn a_job_runs_and_leaves_its_result(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let id = stage.enqueue(stage.envelope("debug.fail", json!({ "times": 0 }))).await;
    let record = stage.until(id, JobState::Completed).await;
    assert_eq!(record.result.as_deref(), Some(r#"{"attempts":1}"#));
    assert_eq!(record.attempt, 1);
    assert!(record.started_at <= record.finished_at);
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_failure_is_retried_and_its_errors_are_kept(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let id = stage.enqueue(stage.envelope("debug.fail", json!({ "times": 2 }))).await;
    let record = stage.until(id, JobState::Completed).await;
    let errors: Vec<_> = record.errors.iter().map(|e| (e.attempt, e.error.as_str())).collect();
    assert_eq!(errors, [(1, "failure 1 of 2"), (2, "failure 2 of 2")]);
    assert_eq!(record.attempt, 3);
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_panic_is_a_retry_and_its_neighbours_finish(stage: &Stage) {
    let mut bad = stage.envelope("debug.panic", json!({}));
    bad.max_attempts = 2;
    let bad = stage.enqueue(bad).await;
    let good = stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
    let runner = stage.runner(|_| {});
    stage.until(good, JobState::Completed).await;
    let record = stage.until(bad, JobState::Dead).await;
    assert_eq!(record.errors[0].error, "panicked: debug.panic was asked to, attempt 1");
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_job_out_of_attempts_is_dead_with_the_reason(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let mut job = stage.envelope("debug.fail", json!({ "times": 99 }));
    job.max_attempts = 3;
    let record = stage.until(stage.enqueue(job).await, JobState::Dead).await;
    assert_eq!(record.errors.last().unwrap().error, "attempt 3 of 3: failure 3 of 99");
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_job_that_takes_too_long_is_dropped_and_retried(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let mut job = stage.envelope("debug.sleep", json!({ "ms": 60_000 }));
    job.timeout = Duration::from_millis(100);
    job.max_attempts = 1;
    let record = stage.until(stage.enqueue(job).await, JobState::Dead).await;
    assert_eq!(record.errors[0].error, "attempt 1 of 1: timed out after 100ms");
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_running_job_is_cancelled_within_a_second(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let id = stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": 60_000 }))).await;
    stage.until(id, JobState::Running).await;
    let asked = Instant::now();
    assert_eq!(stage.broker().cancel(id).await.unwrap(), Cancelled::Requested);
    stage.until(id, JobState::Cancelled).await;
    // Half a second of housekeeping; the rest is for a machine that is busy with other tests. The job itself takes a minute.
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn an_unknown_kind_waits_its_grace_and_is_dead(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let enqueued = Instant::now();
    let id = stage.enqueue(stage.envelope("debug.of_tomorrow", json!({}))).await;
    let good = stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
    stage.until(good, JobState::Completed).await;
    let record = stage.until(id, JobState::Dead).await;
    assert!(enqueued.elapsed() >= Duration::from_secs(1));
    let error = &record.errors.last().unwrap().error;
    assert!(error.contains("knows no kind debug.of_tomorrow") && error.contains("within 1s"), "{error}");
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn arguments_that_no_longer_parse_are_dead_at_once(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let id = stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": "soon" }))).await;
    let record = stage.until(id, JobState::Dead).await;
    assert_eq!(record.attempt, 1);
    assert!(record.errors[0].error.contains("no longer parse: ms:"), "{}", record.errors[0].error);
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_queues_own_limit_holds(stage: &Stage) {
    for _ in 0..6 {
        stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": 150 }))).await;
    }
    let limited = Share { queue: queue("debug"), weight: 1, limit: Some(2) };
    let began = Instant::now();
    let runner = stage.runner(|settings| settings.queues = vec![limited]);
    let mut most = 0;
    while stage.count("debug", JobState::Completed).await < 6 {
        most = most.max(stage.count("debug", JobState::Running).await);
        assert!(began.elapsed() < PATIENCE);
    }
    // A finished job is counted as running until its end is written: one exchange's worth may overlap.
    assert!((1..=4).contains(&most), "{most}");
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn the_concurrency_of_the_process_holds(stage: &Stage) {
    for _ in 0..8 {
        stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": 150 }))).await;
    }
    let began = Instant::now();
    let runner = stage.runner(|settings| settings.concurrency = 2);
    testkit::wait_until("all to be done", PATIENCE, || async { stage.count("debug", JobState::Completed).await == 8 })
        .await;
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_delayed_job_runs_when_it_is_due_and_not_before(stage: &Stage) {
    let runner = stage.runner(|_| {});
    let mut job = stage.envelope("debug.noop", json!({}));
    job.run_at = job::clock::after(job.created_at, Duration::from_millis(700));
    let due = job.run_at;
    let record = stage.until(stage.enqueue(job).await, JobState::Completed).await;
    let late = record.started_at.unwrap().duration_since(due);
    assert!(late.as_millis() >= 0, "{late:?} early");
    assert!(late.as_millis() < 15_000, "{late:?} late");
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_paused_queue_rests_and_goes_on_when_resumed(stage: &Stage) {
    stage.broker().pause(&queue("debug")).await.unwrap();
    let runner = stage.runner(|_| {});
    let resting = stage.enqueue(stage.envelope("debug.noop", json!({}))).await;
    let other = stage.enqueue(stage.envelope_in("emails", "debug.noop", json!({}))).await;
    stage.until(other, JobState::Completed).await;
    assert_eq!(stage.record(resting).await.state, JobState::Available);
    stage.broker().resume(&queue("debug")).await.unwrap();
    stage.until(resting, JobState::Completed).await;
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_shutdown_gives_back_what_still_runs_uncharged(stage: &Stage) {
    let runner = stage.runner(|settings| settings.concurrency = 4);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": 60_000 }))).await);
    }
    testkit::wait_until("four to run", PATIENCE, || async { stage.count("debug", JobState::Running).await == 4 }).await;
    let began = Instant::now();
    assert_eq!(runner.shut_down().await, 0);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    for id in ids {
        let record = stage.record(id).await;
        assert_eq!((record.state, record.attempt, record.losses), (JobState::Available, 0, 0));
    }
}

pub async fn a_shutdown_waits_for_what_soon_ends(stage: &Stage) {
    let runner = stage.runner(|settings| settings.soft = Duration::from_secs(30));
    let id = stage.enqueue(stage.envelope("debug.sleep", json!({ "ms": 3_000 }))).await;
    stage.until(id, JobState::Running).await;
    assert_eq!(runner.shut_down().await, 0);
    assert_eq!(stage.record(id).await.state, JobState::Completed);
}

pub async fn an_effect_is_had_once(stage: &Stage) {
    let runner = stage.runner(|_| {});
    for _ in 0..2 {
        let id = stage.enqueue(stage.envelope("debug.effect", json!({ "key": "k" }))).await;
        stage.until(id, JobState::Completed).await;
    }
    let effect = stage.context.store.get_effect("k").await.unwrap().unwrap();
    assert_eq!((effect.runs, effect.effects), (2, 1));
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_thousand_jobs_of_three_queues_all_finish(stage: &Stage) {
    let names = ["debug", "bookings", "emails"];
    let jobs: Vec<_> =
        (0..1_000).map(|n| stage.envelope_in(names[n % 3], "debug.noop", json!({ "n": n })).into()).collect();
    stage.broker().enqueue(&jobs).await.unwrap();
    let runner = stage.runner(|_| {});
    testkit::wait_until("all to be done", PATIENCE, || async {
        let mut done = 0;
        for name in names {
            done += stage.count(name, JobState::Completed).await;
        }
        done == 1_000
    })
    .await;
    testkit::wait_until("every end to be acknowledged", PATIENCE, async || runner.held() == 0).await;
    assert_eq!(runner.shut_down().await, 0);
}

/// Writes an event of a booking, with the id that its job is to have, as the API does before it enqueues.
pub async fn accept(stage: &Stage, booking_id: &str) -> NewBookingEvent {
    let now = stage.context.clock.now();
    let party = |id: &str, email: &str| Party {
        id: id.to_owned(),
        name: "Zoë Lindström".to_owned(),
        email: email.to_owned(),
        timezone: "Europe/Stockholm".to_owned(),
        locale: None,
    };
    let snapshot = Snapshot {
        service: "Spanish".to_owned(),
        starts_at: job::clock::after(now, Duration::from_secs(86_400)),
        duration_minutes: 60,
        location: None,
        url: None,
        price: None,
        student: party("st_1", "zoe@example.com"),
        instructor: party("in_1", "jose@example.com"),
        reason: None,
        cancelled_by: None,
        reminders: None,
    };
    let event = NewBookingEvent {
        booking_id: booking_id.to_owned(),
        version: 1,
        event: BookingEventKind::Confirmed,
        content_hash: content_hash(BookingEventKind::Confirmed, &snapshot),
        snapshot,
        job_id: stage.context.ids.next(&queue("bookings")).uuid(),
    };
    stage.context.store.accept_event(&event, now).await.unwrap();
    event
}

/// One sweep over everything that was silent until now; how many were enqueued, and how many were closed.
async fn sweep(stage: &Stage) -> (usize, usize) {
    clock_moved_on(stage).await;
    let swept = worker::sweep::once(&stage.context, Duration::ZERO).await.unwrap();
    (swept.enqueued, swept.closed)
}

async fn event_of(stage: &Stage, booking_id: &str) -> store::BookingEvent {
    stage.context.store.get_event(booking_id, 1).await.unwrap().unwrap()
}

pub async fn a_row_whose_job_was_lost_is_swept_up_once(stage: &Stage) {
    // The row is written, the process dies before the job is.
    let event = accept(stage, "bk_1").await;
    assert_eq!(sweep(stage).await, (1, 0));
    assert_eq!(sweep(stage).await, (0, 0), "its job lives");

    let runner = stage.runner(|_| {});
    stage.until(job::JobId::from_uuid(event.job_id), JobState::Completed).await;
    // Both mails have rows and jobs now; without a mailer they wait.
    let waiting = || async { stage.count("emails", JobState::Scheduled).await == 2 };
    testkit::wait_until("both mails to wait for a relay", PATIENCE, waiting).await;
    assert_eq!(sweep(stage).await, (0, 0), "nothing was lost");
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_row_ends_with_its_job_and_comes_back_when_that_is_redriven(stage: &Stage) {
    let event = accept(stage, "bk_1").await;
    let id = job::JobId::from_uuid(event.job_id);
    assert_eq!(sweep(stage).await, (1, 0));
    assert_eq!(stage.broker().cancel(id).await.unwrap(), Cancelled::Now);
    assert_eq!(sweep(stage).await, (0, 1));
    let failed = event_of(stage, "bk_1").await;
    assert_eq!((failed.state, failed.failure.as_deref()), (EventState::Failed, Some("its job was cancelled")));
    assert_eq!(sweep(stage).await, (0, 0), "that is the end of it");

    assert_eq!(stage.broker().redrive(id).await.unwrap(), Redriven::Now);
    let runner = stage.runner(|_| {});
    stage.until(id, JobState::Completed).await;
    assert_eq!(event_of(stage, "bk_1").await.state, EventState::Applied);
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_row_keeps_the_last_words_of_its_dead_job(stage: &Stage) {
    let event = accept(stage, "bk_1").await;
    let mut job = stage.envelope_in("bookings", "debug.fail", json!({ "times": 99 }));
    (job.id, job.max_attempts) = (job::JobId::from_uuid(event.job_id), 1);
    let runner = stage.runner(|_| {});
    stage.until(stage.enqueue(job).await, JobState::Dead).await;
    assert_eq!(sweep(stage).await, (0, 1));
    let failure = event_of(stage, "bk_1").await.failure;
    assert_eq!(failure.as_deref(), Some("its job is dead: attempt 1 of 1: failure 1 of 99"));
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn a_row_whose_job_says_done_gets_one_new_job(stage: &Stage) {
    let event = accept(stage, "bk_1").await;
    let mut job = stage.envelope_in("bookings", "debug.noop", json!({}));
    job.id = job::JobId::from_uuid(event.job_id);
    let runner = stage.runner(|_| {});
    stage.until(stage.enqueue(job).await, JobState::Completed).await;
    assert_eq!(sweep(stage).await, (1, 0));
    let new = event_of(stage, "bk_1").await.job_id;
    assert_ne!(new, event.job_id);
    stage.until(job::JobId::from_uuid(new), JobState::Completed).await;
    assert_eq!(event_of(stage, "bk_1").await.state, EventState::Applied);
    assert_eq!(runner.shut_down().await, 0);
}

pub async fn one_sweep_goes_on_until_everything_lost_is_back(stage: &Stage) {
    for n in 0..1_100 {
        accept(stage, &format!("bk_{n}")).await;
    }
    assert_eq!(sweep(stage).await, (1_100, 0));
    assert_eq!(stage.count("bookings", JobState::Available).await, 1_100);
}

/// A row that was touched this very millisecond is not older than nothing.
async fn clock_moved_on(stage: &Stage) {
    let then = stage.context.clock.now();
    testkit::wait_until("the clock to move on", PATIENCE, async || stage.context.clock.now() > then).await;
}
