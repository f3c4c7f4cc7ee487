//! What enqueueing promises.

use std::time::Duration;

use job::{Clock, Envelope, JobState, Priority, UniqueKey};
use queue::{Enqueue, Enqueued};
use serde_json::value::RawValue;

use crate::stage::*;

pub async fn a_new_job_is_available_and_reads_back_as_it_was_written(s: &Stage) {
    let mut job = s.job();
    job.args = RawValue::from_string(r#"{"to":"Łukasz 🎻","subject":"Grüße\n\u0000"}"#.into()).unwrap();
    job.kind = kind("booking.confirmed");
    job.priority = Priority::new(3).unwrap();
    job.max_attempts = 7;
    job.timeout = Duration::from_millis(1_500);
    job.expires_at = Some(job::clock::after(s.clock.now(), HOUR));
    job.unique_key = Some(UniqueKey::new("booking:bk_1:v1").unwrap());
    job.unique_for = 30 * SECOND;
    job.trace_parent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    job.tags = vec!["vip".into(), "東京".into()];
    let id = s.put(job.clone()).await;
    let record = s.record(id).await;
    assert_eq!(record.id, id);
    assert_eq!(record.queue, s.queue);
    assert_eq!(record.state, JobState::Available);
    assert_eq!(record.due_at, Some(s.clock.now()));
    assert_eq!((record.started_at, record.finished_at), (None, None));
    assert_eq!((record.attempt, record.losses, record.cancel_requested), (0, 0, false));
    assert_eq!((record.errors, record.result, record.snoozed), (vec![], None, None));
    assert_eq!(format!("{:?}", record.envelope.unwrap()), format!("{job:?}"));
}

pub async fn a_job_for_later_is_scheduled_until_then(s: &Stage) {
    let id = s.put(s.job_after(60 * SECOND)).await;
    let record = s.record(id).await;
    assert_eq!(record.state, JobState::Scheduled);
    assert_eq!(record.due_at, Some(job::clock::after(s.clock.now(), 60 * SECOND)));
    s.clock.advance(60 * SECOND - Duration::from_millis(1));
    assert!(s.lease(10).await.is_empty());
    s.clock.advance(Duration::from_millis(1));
    assert_eq!(ids(&s.lease(10).await), [id]);
}

pub async fn a_job_for_a_time_that_has_passed_is_due_now(s: &Stage) {
    let job = s.job_after(2 * SECOND);
    s.clock.advance(HOUR);
    let id = s.put(job).await;
    let record = s.record(id).await;
    assert_eq!((record.state, record.due_at), (JobState::Available, Some(s.clock.now())));
}

pub async fn the_same_id_again_is_a_duplicate_and_changes_nothing(s: &Stage) {
    let first = s.job();
    let id = s.put(first.clone()).await;
    let again = Envelope { kind: kind("other.kind"), priority: Priority::new(0).unwrap(), ..first };
    assert_eq!(s.try_put(again.clone()).await, Enqueued::Duplicate(id));
    assert_eq!(s.record(id).await.envelope.unwrap().kind, kind("email.send"));
    let leased = s.lease_one().await;
    assert_eq!(s.try_put(again.clone()).await, Enqueued::Duplicate(id), "while it runs");
    s.finish(&leased, completed()).await;
    assert_eq!(s.try_put(again).await, Enqueued::Duplicate(id), "when it has ended");
    assert_eq!(s.count(JobState::Completed).await, 1);
    assert_eq!(s.count(JobState::Available).await, 0);
}

pub async fn a_duplicate_does_not_fail_its_neighbours(s: &Stage) {
    let known = s.job_under("k", Duration::ZERO);
    let holder = s.put(known.clone()).await;
    let (a, b) = (s.job(), s.job());
    let call = [a.clone(), known, s.job_under("k", Duration::ZERO), b.clone()].map(Enqueue::from);
    let answers = s.broker.enqueue(&call).await.unwrap();
    assert_eq!(answers, [Enqueued::New, Enqueued::Duplicate(holder), Enqueued::Duplicate(holder), Enqueued::New]);
    assert_eq!(ids(&s.lease(10).await), [holder, a.id, b.id]);
}

pub async fn the_same_id_twice_in_one_call_is_written_once(s: &Stage) {
    let job = s.job();
    let answers = s.broker.enqueue(&[job.clone().into(), job.clone().into()]).await.unwrap();
    assert_eq!(answers, [Enqueued::New, Enqueued::Duplicate(job.id)]);
    assert_eq!(s.count(JobState::Available).await, 1);
}

pub async fn no_jobs_at_all_are_fine(s: &Stage) {
    assert_eq!(s.broker.enqueue(&[]).await.unwrap(), []);
}

pub async fn more_jobs_than_a_batch_of_several_queues_are_answered_in_order(s: &Stage) {
    let jobs: Vec<Enqueue> =
        (0..1_500).map(|n| s.job_in(if n % 3 == 0 { &s.other } else { &s.queue })).map(Enqueue::from).collect();
    // Every hundredth is there already.
    for job in jobs.iter().step_by(100) {
        s.put(job.envelope.clone()).await;
    }
    let answers = s.broker.enqueue(&jobs).await.unwrap();
    assert_eq!(answers.len(), jobs.len());
    for (n, (job, answer)) in jobs.iter().zip(&answers).enumerate() {
        let expected = if n % 100 == 0 { Enqueued::Duplicate(job.envelope.id) } else { Enqueued::New };
        assert_eq!(*answer, expected, "job {n}");
    }
    let stats = s.broker.stats().await.unwrap();
    let count =
        |queue: &job::QueueName| stats.iter().find(|stats| stats.queue == *queue).unwrap().count(JobState::Available);
    assert_eq!((count(&s.queue), count(&s.other)), (1_000, 500));
}

pub async fn a_long_payload_comes_back_whole(s: &Stage) {
    let text = "ß".repeat(400_000);
    let args = RawValue::from_string(format!("{{\"text\":\"{text}\"}}")).unwrap();
    let id = s.put(Envelope { args: args.clone(), ..s.job() }).await;
    let leased = s.lease_one().await;
    assert_eq!(leased.envelope.as_ref().unwrap().args.get(), args.get());
    s.finish(&leased, completed()).await;
    assert_eq!(s.record(id).await.envelope.unwrap().args.get(), args.get());
}
