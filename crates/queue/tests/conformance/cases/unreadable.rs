//! Records that this release cannot read: broken bytes, and a newer version's.

use std::time::Duration;

use job::{Clock, JobState, WireError};
use queue::{Cancelled, Disposition, FinishResult, Redriven};

use crate::stage::*;

pub async fn broken_bytes_are_leased_with_the_reason_among_good_jobs(s: &Stage) {
    let before = s.put(s.job()).await;
    s.clock.advance(SECOND);
    let mut cut = job::wire::encode(&s.job());
    cut.truncate(60);
    let mut planted = Vec::new();
    for bytes in [&b"\x01"[..], b"\x00\x00", b"{\"json\":1}"[..1].as_ref(), &[0xff; 300], &cut] {
        planted.push(s.plant(bytes).await);
    }
    s.clock.advance(SECOND);
    let after = s.put(s.job()).await;
    let leased = s.lease(10).await;
    assert_eq!(leased.len(), 7);
    for leased in &leased {
        let id = leased.lease.id;
        assert_eq!(leased.envelope.is_ok(), id == before || id == after, "{:?}", leased.envelope);
        assert_eq!(leased.attempt, 1);
        let end = if leased.envelope.is_ok() { completed() } else { dead() };
        assert_eq!(s.finish(leased, end).await, FinishResult::Done);
    }
    for id in planted {
        assert_eq!(s.state(id).await, JobState::Dead);
    }
    assert_eq!(s.state(before).await, JobState::Completed);
    assert_eq!(s.state(after).await, JobState::Completed);
}

pub async fn a_record_cut_off_anywhere_harms_no_neighbour(s: &Stage) {
    let whole = job::wire::encode(&s.job_under("some-key", Duration::ZERO));
    let mut broken = Vec::new();
    for length in 1..=60 {
        broken.push(s.plant(&whole[..length]).await);
        s.put(s.job()).await;
    }
    let leased = s.lease(200).await;
    assert_eq!(leased.len(), 120);
    let end_of = |leased| if broken.contains(&ids(std::slice::from_ref(leased))[0]) { dead() } else { completed() };
    let finishes: Vec<_> = leased.iter().map(|leased| end(leased, end_of(leased))).collect();
    assert_eq!(s.finish_all(&finishes).await, [FinishResult::Done; 120]);
    assert_eq!((s.count(JobState::Completed).await, s.count(JobState::Dead).await), (60, 60));
    assert_eq!(s.lose_workers().await.reaped, 0, "none runs again");
    for id in broken {
        assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
        assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Now);
    }
    assert_eq!((s.count(JobState::Completed).await, s.count(JobState::Cancelled).await), (60, 60));
}

pub async fn a_newer_version_can_wait_and_come_back(s: &Stage) {
    let mut newer = job::wire::encode(&s.job());
    newer[0] = 9;
    let id = s.plant(&newer).await;
    let leased = s.lease_one().await;
    assert_eq!(leased.envelope.as_ref().unwrap_err(), &WireError::Newer(9));
    let unknown_since = Some(s.clock.now());
    let wait = Disposition::Snooze { delay: 5 * SECOND, reason: "newer".into(), unknown_since };
    assert_eq!(s.finish(&leased, wait).await, FinishResult::Done);
    assert_eq!(s.state(id).await, JobState::Scheduled);
    s.clock.advance(5 * SECOND);
    let again = s.lease_one().await;
    assert_eq!((again.lease.id, again.attempt, again.unknown_since), (id, 1, unknown_since));
    assert_eq!(s.lose_workers().await.reaped, 1);
    let again = s.lease_one().await;
    assert_eq!((again.lease.id, again.losses), (id, 1));
}

pub async fn an_unreadable_job_is_shown_and_can_be_operated_on(s: &Stage) {
    let id = s.plant(b"\x01garbage").await;
    let record = s.record(id).await;
    assert_eq!((record.state, &record.queue), (JobState::Available, &s.queue));
    assert!(matches!(record.envelope, Err(WireError::Broken(_))));
    assert_eq!(s.list(&in_state(JobState::Available), 10).await, [id]);
    assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Now);
    assert_eq!(s.broker.redrive(id).await.unwrap(), Redriven::Now);
    assert_eq!(s.lease_one().await.lease.id, id);
}
