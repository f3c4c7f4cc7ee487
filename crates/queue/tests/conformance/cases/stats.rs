//! The queues at a glance.

use job::{Envelope, JobState, Priority, QueueName};
use queue::{Disposition, QueueStats};

use crate::stage::*;

async fn stats_of(s: &Stage, queue: &QueueName) -> QueueStats {
    let all = s.broker.stats().await.unwrap();
    all.into_iter().find(|stats| stats.queue == *queue).expect("the queue is known")
}

pub async fn every_known_queue_is_counted_by_state(s: &Stage) {
    assert_eq!(stats_of(s, &s.other).await.counts, [0; 7], "it is known before it has a job");
    s.ended(s.job(), completed()).await;
    for _ in 0..2 {
        s.ended(s.job(), dead()).await;
    }
    s.ended(s.job(), Disposition::Expired).await;
    let called_off = s.put(s.job()).await;
    s.broker.cancel(called_off).await.unwrap();
    s.put_many(3).await;
    s.lease(1).await;
    s.put(s.job_after(HOUR)).await;
    assert_eq!(stats_of(s, &s.queue).await.counts, [1, 2, 1, 1, 2, 1, 1]);
    assert_eq!(stats_of(s, &s.other).await.counts, [0; 7]);
    let new = QueueName::new("brand-new").unwrap();
    s.put(s.job_in(&new)).await;
    assert_eq!(stats_of(s, &new).await.count(JobState::Available), 1);
}

pub async fn the_oldest_due_job_tells_its_age(s: &Stage) {
    assert_eq!(stats_of(s, &s.queue).await.oldest, None);
    s.put(s.job_after(5 * SECOND)).await;
    assert_eq!(stats_of(s, &s.queue).await.oldest, None, "it is not due yet");
    // The oldest may be one of the least urgent.
    s.put(s.job_with_priority(9)).await;
    s.clock.advance(3 * SECOND);
    s.put(Envelope { priority: Priority::new(0).unwrap(), ..s.job() }).await;
    s.clock.advance(SECOND);
    assert_eq!(stats_of(s, &s.queue).await.oldest, Some(4 * SECOND));
    s.lease(1).await;
    assert_eq!(stats_of(s, &s.queue).await.oldest, Some(4 * SECOND));
    s.lease(1).await;
    assert_eq!(stats_of(s, &s.queue).await.oldest, None);
}

pub async fn a_pause_is_shown_and_lifted(s: &Stage) {
    assert!(!stats_of(s, &s.queue).await.paused);
    for _ in 0..2 {
        s.broker.pause(&s.queue).await.unwrap();
        assert!(stats_of(s, &s.queue).await.paused);
    }
    assert!(!stats_of(s, &s.other).await.paused);
    s.broker.resume(&s.queue).await.unwrap();
    assert!(!stats_of(s, &s.queue).await.paused);
}

pub async fn a_job_that_was_never_there_is_none(s: &Stage) {
    assert!(s.broker.get(s.job().id).await.unwrap().is_none());
}
