//! Housekeeping: what is due, what is too old, what is too much.

use std::collections::HashSet;
use std::time::Duration;

use job::{JobId, JobState, QueueName};
use queue::{Disposition, Enqueue, Enqueued, Filter};

use crate::stage::*;

/// Keeps house until there is nothing more to do; how many jobs were trimmed.
async fn tidy(s: &Stage) -> u32 {
    let mut trimmed = 0;
    loop {
        let done = s.maintain().await;
        assert!(done.trimmed + done.promoted + done.reaped <= 512);
        trimmed += done.trimmed;
        if !done.more {
            return trimmed;
        }
    }
}

/// Jobs that end one after the other, a millisecond apart.
async fn ended_one_by_one(s: &Stage, n: usize, disposition: &Disposition) -> Vec<JobId> {
    let mut ended = Vec::new();
    for _ in 0..n {
        ended.push(s.ended(s.job(), disposition.clone()).await);
        s.clock.advance(Duration::from_millis(1));
    }
    ended
}

pub async fn due_jobs_become_available(s: &Stage) {
    let soon = s.put(s.job_after(2 * SECOND)).await;
    let late = s.put(s.job_after(9 * SECOND)).await;
    assert_eq!(s.maintain().await.promoted, 0);
    s.clock.advance(2 * SECOND);
    assert_eq!(s.maintain().await.promoted, 1);
    assert_eq!((s.state(soon).await, s.state(late).await), (JobState::Available, JobState::Scheduled));
    assert_eq!(s.maintain().await.promoted, 0);
}

pub async fn a_step_is_bounded_and_says_that_there_is_more(s: &Stage) {
    let jobs: Vec<Enqueue> = (0..1_200).map(|_| s.job_after(SECOND).into()).collect();
    let answers = s.broker.enqueue(&jobs).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Enqueued::New));
    s.clock.advance(SECOND);
    let mut promoted = Vec::new();
    loop {
        let done = s.maintain().await;
        promoted.push(done.promoted);
        if !done.more {
            break;
        }
    }
    assert!(promoted.iter().all(|n| *n <= 512), "{promoted:?}");
    assert_eq!(promoted.iter().sum::<u32>(), 1_200);
    assert_eq!((s.count(JobState::Available).await, s.count(JobState::Scheduled).await), (1_200, 0));
}

pub async fn completed_jobs_are_trimmed_by_count(s: &Stage) {
    let s = &s.anew(|settings| settings.retention.completed_count = 3).await;
    let ended = ended_one_by_one(s, 5, &completed()).await;
    // Whether the finish or the housekeeping removes them is the backend's choice.
    tidy(s).await;
    let left = s.list(&in_state(JobState::Completed), 10).await;
    assert_eq!(left, [ended[4], ended[3], ended[2]]);
    assert_eq!(s.count(JobState::Completed).await, 3);
    assert!(s.broker.get(ended[0]).await.unwrap().is_none());
    // Other ends have a bound of their own.
    s.ended(s.job(), dead()).await;
    assert_eq!(tidy(s).await, 0);
}

pub async fn completed_jobs_are_trimmed_by_age(s: &Stage) {
    let s = &s.anew(|settings| settings.retention.completed_age = HOUR).await;
    let old = s.ended(s.job(), completed()).await;
    s.clock.advance(HOUR / 2);
    let young = s.ended(s.job(), completed()).await;
    assert_eq!(tidy(s).await, 0);
    s.clock.advance(HOUR / 2 + SECOND);
    assert_eq!(tidy(s).await, 1);
    assert!(s.broker.get(old).await.unwrap().is_none());
    assert_eq!(s.state(young).await, JobState::Completed);
    assert_eq!(s.count(JobState::Completed).await, 1);
}

pub async fn other_ended_jobs_are_trimmed_by_count_each(s: &Stage) {
    let s = &s.anew(|settings| settings.retention.ended_count = 2).await;
    let mut kept = HashSet::new();
    for end in [dead(), Disposition::Cancelled, Disposition::Expired] {
        kept.extend(ended_one_by_one(s, 5, &end).await.into_iter().skip(3));
    }
    let running = s.put(s.job()).await;
    s.lease_one().await;
    assert_eq!(tidy(s).await, 9);
    kept.insert(running);
    assert_eq!(s.list(&Filter::default(), 100).await.into_iter().collect::<HashSet<_>>(), kept);
}

pub async fn other_ended_jobs_are_trimmed_by_age(s: &Stage) {
    let s = &s.anew(|settings| settings.retention.ended_age = DAY).await;
    for end in [dead(), Disposition::Cancelled, Disposition::Expired] {
        s.ended(s.job(), end).await;
    }
    s.clock.advance(DAY / 2);
    let young = s.ended(s.job(), dead()).await;
    s.clock.advance(DAY / 2);
    assert_eq!(tidy(s).await, 3);
    assert_eq!(s.list(&Filter::default(), 100).await, [young]);
}

pub async fn housekeeping_of_an_unknown_queue_does_nothing(s: &Stage) {
    let done = s.broker.maintain(&QueueName::new("nobody-knows").unwrap()).await.unwrap();
    assert_eq!((done.promoted, done.reaped, done.trimmed, done.more), (0, 0, 0, false));
}
