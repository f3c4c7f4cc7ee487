//! Calling jobs off.

use std::time::Duration;

use job::{JobId, JobState};
use queue::{Cancelled, Disposition, Enqueued, Extended};

use crate::stage::*;

pub async fn a_waiting_job_is_cancelled_at_once(s: &Stage) {
    let available = s.put(s.job_under("k", Duration::ZERO)).await;
    let scheduled = s.put(s.job_after(HOUR)).await;
    for id in [available, scheduled] {
        assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Now);
        let record = s.record(id).await;
        assert_eq!((record.state, record.due_at), (JobState::Cancelled, None));
        assert!(record.finished_at.is_some());
    }
    assert!(s.lease(5).await.is_empty());
    s.clock.advance(HOUR);
    assert!(s.lease(5).await.is_empty());
    assert_eq!(s.try_put(s.job_under("k", Duration::ZERO)).await, Enqueued::New, "its unique key is free");
}

async fn running_and_asked_to_stop(s: &Stage) -> (JobId, queue::Leased) {
    let id = s.put(s.job()).await;
    let leased = s.lease_one().await;
    assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Requested);
    (id, leased)
}

pub async fn a_running_job_is_asked_to_stop(s: &Stage) {
    let bystander = s.put(s.job()).await;
    s.lease_one().await;
    let (id, leased) = running_and_asked_to_stop(s).await;
    assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Requested, "asking again is the same");
    let record = s.record(id).await;
    assert_eq!((record.state, record.cancel_requested), (JobState::Running, true));
    assert_eq!(s.broker.extend(&s.queue, &[leased.lease]).await.unwrap(), [Extended::CancelRequested]);
    assert_eq!(s.maintain().await.cancel_requested, [id]);
    s.finish(&leased, Disposition::Cancelled).await;
    let record = s.record(id).await;
    assert_eq!((record.state, record.cancel_requested), (JobState::Cancelled, false));
    assert!(s.maintain().await.cancel_requested.is_empty());
    assert_eq!(s.state(bystander).await, JobState::Running);
}

pub async fn a_job_that_completes_before_it_hears_of_it_is_completed(s: &Stage) {
    for end in [completed(), Disposition::Completed { result: Some("true".into()) }] {
        let (id, leased) = running_and_asked_to_stop(s).await;
        s.finish(&leased, end).await;
        let record = s.record(id).await;
        assert_eq!((record.state, record.cancel_requested), (JobState::Completed, false));
        assert!(s.maintain().await.cancel_requested.is_empty());
    }
}

pub async fn a_job_that_would_go_back_to_wait_is_cancelled(s: &Stage) {
    for again in [retry_after(SECOND), retry_after(Duration::ZERO), snooze(SECOND), Disposition::Release] {
        let (id, leased) = running_and_asked_to_stop(s).await;
        s.finish(&leased, again.clone()).await;
        let record = s.record(id).await;
        assert_eq!((record.state, record.cancel_requested), (JobState::Cancelled, false), "{again:?}");
        assert!(record.finished_at.is_some());
    }
    assert!(s.maintain().await.cancel_requested.is_empty());
    let (id, leased) = running_and_asked_to_stop(s).await;
    s.finish(&leased, dead()).await;
    assert_eq!(s.state(id).await, JobState::Dead);
}

pub async fn an_ended_job_cannot_be_cancelled(s: &Stage) {
    let ends = [
        (completed(), JobState::Completed),
        (dead(), JobState::Dead),
        (Disposition::Cancelled, JobState::Cancelled),
        (Disposition::Expired, JobState::Expired),
    ];
    for (end, state) in ends {
        let id = s.ended(s.job(), end).await;
        assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Ended(state));
        assert_eq!(s.state(id).await, state);
    }
}

pub async fn an_unknown_job_is_not_found(s: &Stage) {
    s.put(s.job()).await;
    assert_eq!(s.broker.cancel(s.job().id).await.unwrap(), Cancelled::NotFound);
}
