//! Making ended jobs available again.

use std::time::Duration;

use job::{Clock, Envelope, JobState};
use queue::{Disposition, Enqueued, FinishResult, Redriven};

use crate::stage::*;

pub async fn an_ended_job_is_available_again_from_the_start(s: &Stage) {
    for end in [dead(), Disposition::Cancelled, Disposition::Expired] {
        let id = s.put(s.job()).await;
        let leased = s.lease_one().await;
        s.finish(&leased, retry_after(SECOND)).await;
        s.clock.advance(SECOND);
        let leased = s.lease_one().await;
        assert_eq!(leased.attempt, 2);
        s.finish(&leased, end).await;
        let errors = s.record(id).await.errors;
        assert!(!errors.is_empty());
        s.clock.advance(SECOND);
        assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
        let record = s.record(id).await;
        assert_eq!((record.state, record.attempt, record.losses), (JobState::Available, 0, 0));
        assert_eq!((record.due_at, record.finished_at), (Some(s.clock.now()), None));
        assert_eq!(record.errors, errors, "the past stays to be seen");
        let again = s.lease_one().await;
        assert_eq!((again.attempt, again.errors), (1, errors));
        assert_eq!(s.finish(&leased, completed()).await, FinishResult::Stale, "an old lease stays stale");
        s.broker.exchange(&s.queue, &[end_of(&again.lease, s)], None).await.unwrap();
        assert_eq!(s.state(id).await, JobState::Completed);
    }
}

fn end_of(lease: &queue::Lease, _: &Stage) -> queue::Finish {
    queue::Finish { lease: *lease, disposition: completed(), priority: job::Priority::default(), unique: None }
}

pub async fn its_expiry_is_lifted(s: &Stage) {
    let expires_at = Some(job::clock::after(s.clock.now(), SECOND));
    let id = s.put(Envelope { expires_at, ..s.job() }).await;
    s.clock.advance(SECOND);
    assert!(s.lease(1).await.is_empty());
    assert_eq!(s.state(id).await, JobState::Expired);
    assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
    assert_eq!(s.record(id).await.envelope.unwrap().expires_at, None);
    let leased = s.lease_one().await;
    assert_eq!(leased.envelope.unwrap().expires_at, None, "the job checks it, too");
}

pub async fn a_job_that_has_not_ended_badly_is_left_alone(s: &Stage) {
    let scheduled = s.put(s.job_after(HOUR)).await;
    let done = s.ended(s.job(), completed()).await;
    let running = s.put(s.job()).await;
    s.lease_one().await;
    let available = s.put(s.job()).await;
    let states = [
        (scheduled, JobState::Scheduled),
        (available, JobState::Available),
        (running, JobState::Running),
        (done, JobState::Completed),
    ];
    for (id, state) in states {
        assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::WrongState(state));
        assert_eq!(s.state(id).await, state);
    }
    assert_eq!(s.broker.redrive(s.job().id).await.unwrap(), Redriven::NotFound);
}

pub async fn its_unique_key_is_taken_again(s: &Stage) {
    for hold in [0, 60] {
        let key = format!("k{hold}");
        let id = s.ended(s.job_under(&key, hold * SECOND), dead()).await;
        assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
        // The hold of its first end must not free the key while it lives again.
        s.clock.advance(61 * SECOND);
        s.maintain().await;
        assert_eq!(s.try_put(s.job_under(&key, SECOND)).await, Enqueued::Duplicate(id));
        let leased = s.lease_one().await;
        s.finish(&leased, completed()).await;
    }
}

pub async fn a_key_that_another_job_holds_stops_it(s: &Stage) {
    let id = s.ended(s.job_under("k", Duration::ZERO), dead()).await;
    let holder = s.put(s.job_under("k", Duration::ZERO)).await;
    assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::KeyHeld(holder));
    assert_eq!(s.state(id).await, JobState::Dead);
    let leased = s.lease_one().await;
    s.finish(&leased, completed()).await;
    assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
}

pub async fn a_suspect_past_is_forgiven(s: &Stage) {
    let id = s.suspect().await;
    assert_eq!(ids(&s.lease_idle().await), [id]);
    assert_eq!(s.lose_workers().await.crashed, 1);
    assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
    let leased = s.lease_one().await;
    assert_eq!((leased.lease.id, leased.losses, leased.solo), (id, 0, false));
}
