//! Giving back what an answer had leased that nobody heard. Only where answers can be lost on their way.

use std::sync::Arc;

use job::{JobId, JobState};
use queue::{Extended, FinishResult, Lease};

use crate::stage::*;

pub async fn what_an_unheard_answer_leased_is_given_back_uncharged(s: &Stage) {
    let all = s.put_many(5).await;
    let heard = s.lease(2).await;
    let request = s.request(3);
    assert_eq!(ids(&s.ask(request).await.leased), all[2..]);
    s.broker.cancel(all[4]).await.unwrap();
    assert_eq!(s.broker.disown(&s.queue, request.token).await.unwrap(), 3);
    assert_eq!(s.state(all[4]).await, JobState::Cancelled);
    for id in &all[2..4] {
        let record = s.record(*id).await;
        assert_eq!((record.state, record.attempt, record.losses), (JobState::Available, 0, 0));
    }
    assert_eq!(s.broker.disown(&s.queue, request.token).await.unwrap(), 0);
    assert_eq!(ids(&s.lease(5).await), all[2..4], "they stand where they stood");
    for leased in &heard {
        assert_eq!(s.finish(leased, completed()).await, FinishResult::Done);
    }
}

pub async fn a_suspect_that_is_given_back_is_still_leased_alone(s: &Stage) {
    let id = s.suspect().await;
    let request = queue::LeaseRequest { idle: true, ..s.request(1) };
    assert_eq!(ids(&s.ask(request).await.leased), [id]);
    assert_eq!(s.broker.disown(&s.queue, request.token).await.unwrap(), 1);
    assert!(s.lease(1).await.is_empty());
    let again = s.lease_idle().await;
    assert_eq!((again[0].lease.id, again[0].solo, again[0].attempt), (id, true, 1));
}

pub async fn renewals_under_way_hide_nothing_from_it(s: &Stage) {
    let mut renewed: Vec<Lease> = Vec::new();
    s.put_many(3_000).await;
    while renewed.len() < 3_000 {
        renewed.extend(s.lease(250).await.iter().map(|leased| leased.lease));
    }
    let lost: Vec<JobId> = s.put_many(200).await;
    let request = s.request(200);
    assert_eq!(ids(&s.ask(request).await.leased), lost);
    let (broker, queue, clock) = (s.handle().await, s.queue.clone(), s.clock.clone());
    let renewing = tokio::spawn(async move {
        loop {
            clock.advance(std::time::Duration::from_millis(1));
            let answers = Arc::clone(&broker).extend(&queue, &renewed).await.unwrap();
            assert!(answers.iter().all(|answer| *answer == Extended::Renewed));
        }
    });
    assert_eq!(s.broker.disown(&s.queue, request.token).await.unwrap(), 200);
    assert!(!renewing.is_finished());
    renewing.abort();
    assert_eq!((s.count(JobState::Available).await, s.count(JobState::Running).await), (200, 3_000));
}
