//! What becomes of the jobs of lost workers.

use job::{Clock, JobState};
use queue::{Cancelled, Extended, FinishResult};

use crate::stage::*;

pub async fn a_lost_workers_job_goes_back_to_its_place_uncharged(s: &Stage) {
    let born = s.clock.now();
    let lost = s.put(s.job()).await;
    s.lease_one().await;
    s.clock.advance(SECOND);
    let younger = s.put(s.job()).await;
    assert_eq!(s.lose_workers().await.reaped, 1);
    let record = s.record(lost).await;
    assert_eq!((record.state, record.attempt, record.losses), (JobState::Available, 0, 1));
    assert_eq!(record.due_at, Some(born));
    assert!(record.errors.is_empty());
    let leased = s.lease(5).await;
    assert_eq!(ids(&leased), [lost, younger]);
    assert_eq!((leased[0].attempt, leased[0].losses), (1, 1));
}

pub async fn a_lost_worker_can_neither_renew_nor_finish(s: &Stage) {
    let id = s.put(s.job()).await;
    let old = s.lease_one().await;
    s.lose_workers().await;
    assert_eq!(s.broker.extend(&s.queue, &[old.lease]).await.unwrap(), [Extended::Lost]);
    assert_eq!(s.finish(&old, completed()).await, FinishResult::Stale);
    assert_eq!(s.state(id).await, JobState::Available);
    let new = s.lease_one().await;
    assert_eq!(s.finish(&old, dead()).await, FinishResult::Stale);
    assert_eq!(s.finish(&new, completed()).await, FinishResult::Done);
}

pub async fn a_renewed_lease_is_not_reaped(s: &Stage) {
    s.put_many(2).await;
    let l = s.lease(2).await;
    s.pass(10 * SECOND).await;
    s.broker.extend(&s.queue, &[l[0].lease]).await.unwrap();
    assert_eq!(s.pass(10 * SECOND).await.reaped, 1);
    assert_eq!(s.state(l[0].lease.id).await, JobState::Running);
    assert_eq!(s.state(l[1].lease.id).await, JobState::Available);
}

pub async fn the_first_housekeeping_takes_nothing_from_anybody(s: &Stage) {
    s.put(s.job()).await;
    s.lease_one().await;
    s.clock.advance(HOUR);
    assert_eq!(s.maintain().await.reaped, 0);
    assert_eq!(s.pass(14 * SECOND).await.reaped, 0);
    assert_eq!(s.pass(2 * SECOND).await.reaped, 1);
}

pub async fn after_a_silence_nobody_is_reaped_for_one_lease(s: &Stage) {
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.pass(4 * SECOND).await;
    // The backend is away; nobody can renew, nobody keeps house.
    s.clock.advance(60 * SECOND);
    assert_eq!(s.pass(14 * SECOND).await.reaped, 0);
    assert_eq!(s.broker.extend(&s.queue, &[leased.lease]).await.unwrap(), [Extended::Renewed]);
    assert_eq!(s.pass(4 * SECOND).await.reaped, 0);
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Done);
}

pub async fn a_lost_job_that_was_to_be_cancelled_is_cancelled(s: &Stage) {
    let id = s.put(s.job()).await;
    s.lease_one().await;
    assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Requested);
    let done = s.lose_workers().await;
    assert_eq!((done.reaped, done.crashed), (1, 0));
    assert!(done.cancel_requested.is_empty());
    let record = s.record(id).await;
    assert_eq!((record.state, record.cancel_requested), (JobState::Cancelled, false));
    assert!(s.lease(1).await.is_empty());
}

pub async fn many_lost_jobs_all_come_back(s: &Stage) {
    let all = s.put_many(700).await;
    for _ in 0..3 {
        s.lease(256).await;
    }
    assert_eq!(s.count(JobState::Running).await, 700);
    assert_eq!(s.lose_workers().await.reaped, 700);
    let mut back = Vec::new();
    for _ in 0..3 {
        back.extend(ids(&s.lease(256).await));
    }
    assert_eq!(back, all);
}
