//! The heartbeat.

use job::JobState;
use queue::{Extended, FinishResult, Lease};

use crate::stage::*;

pub async fn a_lease_is_renewed_for_another_lease_time(s: &Stage) {
    let id = s.put(s.job()).await;
    let leased = s.lease_one().await;
    for _ in 0..3 {
        s.pass(10 * SECOND).await;
        let answers = s.broker.extend(&s.queue, &[leased.lease]).await.unwrap();
        assert_eq!(answers, [Extended::Renewed]);
    }
    assert_eq!(s.state(id).await, JobState::Running);
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Done);
}

pub async fn a_lost_lease_is_told_among_renewed_ones(s: &Stage) {
    s.put_many(4).await;
    let l = s.lease(4).await;
    s.broker.cancel(l[1].lease.id).await.unwrap();
    s.finish(&l[2], completed()).await;
    let forged = Lease { token: l[3].lease.token.wrapping_sub(1), ..l[3].lease };
    let never = Lease { id: s.job().id, token: 7 };
    let asked = [l[0].lease, l[1].lease, l[2].lease, forged, never, l[3].lease];
    let (renewed, lost) = (Extended::Renewed, Extended::Lost);
    let answers = s.broker.extend(&s.queue, &asked).await.unwrap();
    assert_eq!(answers, [renewed, Extended::CancelRequested, lost, lost, lost, renewed]);
}

pub async fn no_leases_at_all_are_fine(s: &Stage) {
    assert_eq!(s.broker.extend(&s.queue, &[]).await.unwrap(), []);
}

pub async fn an_expired_lease_that_nobody_reaped_is_renewed(s: &Stage) {
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.maintain().await;
    s.clock.advance(HOUR);
    assert_eq!(s.broker.extend(&s.queue, &[leased.lease]).await.unwrap(), [Extended::Renewed]);
    assert_eq!(s.pass(14 * SECOND).await.reaped, 0);
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Done);
}

pub async fn an_expired_lease_that_nobody_reaped_still_finishes(s: &Stage) {
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.clock.advance(HOUR);
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Done);
}
