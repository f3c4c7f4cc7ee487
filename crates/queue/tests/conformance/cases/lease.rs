//! What leasing promises.

use std::collections::HashSet;
use std::sync::Arc;

use job::{Clock, Envelope, JobState, QueueName, UniqueKey};
use queue::broker::MAX_BATCH;
use queue::{BrokerError, Enqueued, Finish, FinishResult, Solo};
use serde_json::value::RawValue;

use crate::stage::*;

pub async fn a_lease_raises_the_attempt_and_carries_the_job(s: &Stage) {
    let job = s.job();
    let id = s.put(job.clone()).await;
    s.clock.advance(SECOND);
    let request = s.request(1);
    let answer = s.ask(request).await;
    assert_eq!((answer.now, answer.expired, answer.solo), (s.clock.now(), 0, Solo::None));
    let leased = &answer.leased[0];
    assert_eq!((leased.lease.id, leased.lease.token), (id, request.token));
    assert_eq!((leased.attempt, leased.losses, leased.solo), (1, 0, false));
    assert_eq!((leased.errors.len(), leased.unknown_since), (0, None));
    let envelope = leased.envelope.as_ref().unwrap();
    assert_eq!(envelope.attempt, 1);
    assert_eq!(format!("{envelope:?}"), format!("{:?}", Envelope { attempt: 1, ..job }));
    let record = s.record(id).await;
    assert_eq!((record.state, record.attempt), (JobState::Running, 1));
    assert_eq!((record.started_at, record.due_at), (Some(s.clock.now()), None));
    assert_eq!(record.envelope.unwrap().attempt, 1);
}

pub async fn no_more_are_leased_than_were_asked_for(s: &Stage) {
    s.put_many(5).await;
    assert!(s.lease(0).await.is_empty());
    assert_eq!(s.lease(3).await.len(), 3);
    assert_eq!(s.lease(3).await.len(), 2);
    assert_eq!(s.lease(3).await.len(), 0);
}

pub async fn an_answer_is_bounded_by_bytes_too(s: &Stage) {
    const SIZE: usize = 1 << 20;
    let args = RawValue::from_string(format!("\"{}\"", "x".repeat(SIZE))).unwrap();
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(s.put(Envelope { args: args.clone(), ..s.job() }).await);
    }
    let mut got = Vec::new();
    while got.len() < all.len() {
        let answer = s.ask(s.request(20)).await;
        assert!((1..=8).contains(&answer.leased.len()), "{} jobs of 1 MiB", answer.leased.len());
        got.extend(ids(&answer.leased));
        let more = got.len() < all.len();
        assert_eq!(answer.next_due, more.then(|| s.clock.now()), "whether there is more is told");
    }
    assert_eq!(got, all);
    assert_eq!(s.count(JobState::Running).await, 20);
}

pub async fn an_unknown_queue_leases_nothing(s: &Stage) {
    let unknown = QueueName::new("nobody-knows").unwrap();
    let answer = s.broker.exchange(&unknown, &[], Some(s.request(1))).await.unwrap();
    assert!(answer.leased.is_empty());
    assert_eq!(answer.now, s.clock.now());
}

pub async fn a_queue_leases_only_its_own_jobs(s: &Stage) {
    let here = s.put(s.job()).await;
    let there = s.put(s.job_in(&s.other)).await;
    assert_eq!(ids(&s.lease(10).await), [here]);
    let answer = s.broker.exchange(&s.other, &[], Some(s.request(10))).await.unwrap();
    assert_eq!(ids(&answer.leased), [there]);
    let wrong_queue = s.broker.exchange(&s.queue, &[end(&answer.leased[0], completed())], None).await.unwrap();
    assert_eq!(wrong_queue.finished, [FinishResult::Stale]);
}

pub async fn a_paused_queue_leases_nothing_but_takes_what_was_finished(s: &Stage) {
    let running = s.put(s.job()).await;
    let leased = s.lease_one().await;
    let waiting = s.put(s.job()).await;
    s.broker.pause(&s.queue).await.unwrap();
    let answer = s.broker.exchange(&s.queue, &[end(&leased, completed())], Some(s.request(5))).await.unwrap();
    assert_eq!(answer.finished, [FinishResult::Done]);
    assert!(answer.leased.is_empty());
    assert_eq!(s.state(running).await, JobState::Completed);
    s.broker.resume(&s.queue).await.unwrap();
    assert_eq!(ids(&s.lease(5).await), [waiting]);
}

pub async fn a_job_whose_time_has_passed_expires_instead(s: &Stage) {
    let expiring = |after| Envelope { expires_at: Some(job::clock::after(s.clock.now(), after)), ..s.job() };
    let mut late = expiring(10 * SECOND);
    late.unique_key = Some(UniqueKey::new("k").unwrap());
    let (late, good, in_time) = (s.put(late).await, s.put(s.job()).await, s.put(expiring(11 * SECOND)).await);
    s.clock.advance(10 * SECOND);
    let answer = s.ask(s.request(10)).await;
    assert_eq!(ids(&answer.leased), [good, in_time]);
    assert_eq!(answer.expired, 1);
    let record = s.record(late).await;
    assert_eq!((record.state, record.attempt), (JobState::Expired, 0));
    assert_eq!(record.finished_at, Some(s.clock.now()));
    assert_eq!(s.count(JobState::Expired).await, 1);
    assert_eq!(s.try_put(s.job_under("k", SECOND)).await, Enqueued::New, "its unique key is free");
}

pub async fn the_next_due_time_is_told_when_none_is_left_to_lease(s: &Stage) {
    assert_eq!(s.ask(s.request(1)).await.next_due, None);
    s.put(s.job_after(30 * SECOND)).await;
    s.put(s.job_after(20 * SECOND)).await;
    let due = Some(job::clock::after(s.clock.now(), 20 * SECOND));
    assert_eq!(s.ask(s.request(1)).await.next_due, due);
    s.put_many(2).await;
    let answer = s.ask(s.request(5)).await;
    assert_eq!((answer.leased.len(), answer.next_due), (2, due));
}

pub async fn one_exchange_finishes_and_then_leases(s: &Stage) {
    let (first, second) = (s.put(s.job()).await, s.put(s.job()).await);
    let leased = s.lease_one().await;
    // What is given back at once can be leased by the same call.
    let finishes = [end(&leased, queue::Disposition::Release)];
    let answer = s.broker.exchange(&s.queue, &finishes, Some(s.request(5))).await.unwrap();
    assert_eq!(answer.finished, [FinishResult::Done]);
    assert_eq!(ids(&answer.leased), [first, second]);
}

pub async fn no_job_is_leased_twice(s: &Stage) {
    let all: HashSet<_> = s.put_many(600).await.into_iter().collect();
    let broker = s.handle().await;
    let mut workers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let broker = Arc::clone(if n % 2 == 0 { &broker } else { &s.broker });
        let (queue, requests) = (s.queue.clone(), (0..40).map(|_| s.request(7)).collect::<Vec<_>>());
        workers.spawn(async move {
            let mut got = Vec::new();
            for request in requests {
                got.extend(ids(&broker.exchange(&queue, &[], Some(request)).await.unwrap().leased));
            }
            got
        });
    }
    let got: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), 600);
    assert_eq!(got.into_iter().collect::<HashSet<_>>(), all);
}

pub async fn more_than_a_batch_is_refused(s: &Stage) {
    let asked = s.broker.exchange(&s.queue, &[], Some(s.request(MAX_BATCH + 1))).await;
    assert!(matches!(asked, Err(BrokerError::Invalid(_))));
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    let finishes: Vec<Finish> = (0..=MAX_BATCH).map(|_| end(&leased, completed())).collect();
    assert!(matches!(s.broker.exchange(&s.queue, &finishes, None).await, Err(BrokerError::Invalid(_))));
    assert_eq!(s.state(leased.lease.id).await, JobState::Running);
}
