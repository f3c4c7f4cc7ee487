//! Unique keys, and ids that are remembered.

use std::time::Duration;

use job::{JobState, UniqueKey};
use queue::{Disposition, Enqueue, Enqueued};

use crate::stage::*;

const NONE: Duration = Duration::ZERO;

pub async fn a_key_is_held_while_its_job_lives(s: &Stage) {
    let mut first = s.job_under("delivery:1", NONE);
    first.run_at = job::clock::after(first.created_at, SECOND);
    let holder = s.put(first).await;
    let held = Enqueued::Duplicate(holder);
    assert_eq!(s.try_put(s.job_under("delivery:1", NONE)).await, held, "while it is scheduled");
    s.clock.advance(SECOND);
    s.maintain().await;
    assert_eq!(s.try_put(s.job_under("delivery:1", NONE)).await, held, "while it is available");
    let leased = s.lease_one().await;
    assert_eq!(s.try_put(s.job_under("delivery:1", NONE)).await, held, "while it runs");
    s.finish(&leased, retry_after(SECOND)).await;
    assert_eq!(s.try_put(s.job_under("delivery:1", NONE)).await, held, "while it waits for its retry");
    assert_eq!(s.try_put(s.job_under("delivery:2", NONE)).await, Enqueued::New, "another key");
}

pub async fn a_key_of_another_queue_is_another_key(s: &Stage) {
    s.put(s.job_under("k", NONE)).await;
    let mut elsewhere = s.job_in(&s.other);
    elsewhere.unique_key = Some(UniqueKey::new("k").unwrap());
    assert_eq!(s.try_put(elsewhere).await, Enqueued::New);
}

pub async fn a_key_is_free_when_its_job_has_ended(s: &Stage) {
    let ends = [
        completed(),
        Disposition::Completed { result: Some("1".into()) },
        dead(),
        Disposition::Cancelled,
        Disposition::Expired,
    ];
    for end in ends {
        s.ended(s.job_under("k", NONE), end).await;
    }
    let waiting = s.put(s.job_under("k", NONE)).await;
    s.broker.cancel(waiting).await.unwrap();
    s.put(s.job_under("k", NONE)).await;
}

pub async fn a_key_holds_for_a_while_after_every_kind_of_end(s: &Stage) {
    for end in [completed(), dead(), Disposition::Cancelled, Disposition::Expired] {
        let ended = s.ended(s.job_under("k", 30 * SECOND), end.clone()).await;
        assert_eq!(s.try_put(s.job_under("k", NONE)).await, Enqueued::Duplicate(ended), "{end:?}");
        s.clock.advance(30 * SECOND - Duration::from_millis(1));
        assert_eq!(s.try_put(s.job_under("k", NONE)).await, Enqueued::Duplicate(ended), "{end:?}, nearly over");
        s.clock.advance(Duration::from_millis(1));
    }
    // Housekeeping forgets what is over and nothing else.
    let ended = s.ended(s.job_under("k", 30 * SECOND), completed()).await;
    s.maintain().await;
    assert_eq!(s.try_put(s.job_under("k", NONE)).await, Enqueued::Duplicate(ended));
    s.clock.advance(31 * SECOND);
    s.maintain().await;
    s.put(s.job_under("k", NONE)).await;
}

pub async fn a_key_twice_in_one_call_goes_to_the_first(s: &Stage) {
    let (a, b, c) = (s.job_under("k", NONE), s.job_under("k", NONE), s.job_under("l", NONE));
    let answers = s.broker.enqueue(&[a.clone(), b, c].map(Enqueue::from)).await.unwrap();
    assert_eq!(answers, [Enqueued::New, Enqueued::Duplicate(a.id), Enqueued::New]);
}

pub async fn an_id_that_is_known_is_told_before_a_key_that_is_held(s: &Stage) {
    s.put(s.job_under("k", NONE)).await;
    let mut known = s.job();
    let id = s.put(known.clone()).await;
    known.unique_key = Some(UniqueKey::new("k").unwrap());
    assert_eq!(s.try_put(known).await, Enqueued::Duplicate(id));
}

pub async fn a_key_with_signs_of_every_script_is_a_key(s: &Stage) {
    let keys = ["booking:{id}:v1", "ключ", "鍵", "\"quoted\\\"", "007", "null", "🎻", "a b"];
    for key in keys {
        let holder = s.put(s.job_under(key, NONE)).await;
        assert_eq!(s.try_put(s.job_under(key, NONE)).await, Enqueued::Duplicate(holder), "{key}");
    }
    assert_eq!(s.count(JobState::Available).await, keys.len() as u64);
}

pub async fn a_once_id_stays_a_duplicate_after_its_job_was_trimmed(s: &Stage) {
    let s = &s.anew(|settings| settings.retention.completed_age = HOUR).await;
    let (once, plain) = (Enqueue { envelope: s.job(), once: true }, Enqueue::from(s.job()));
    let call = [once.clone(), plain.clone()];
    assert_eq!(s.broker.enqueue(&call).await.unwrap(), [Enqueued::New, Enqueued::New]);
    for leased in s.lease(2).await {
        s.finish(&leased, completed()).await;
    }
    s.clock.advance(2 * HOUR);
    assert_eq!(s.maintain().await.trimmed, 2);
    assert!(s.broker.get(once.envelope.id).await.unwrap().is_none());
    assert_eq!(s.broker.enqueue(&call).await.unwrap(), [Enqueued::Duplicate(once.envelope.id), Enqueued::New]);
    s.clock.advance(22 * HOUR);
    s.maintain().await;
    assert_eq!(s.broker.enqueue(&[once]).await.unwrap(), [Enqueued::New], "a day is over");
}

pub async fn a_once_id_that_was_a_duplicate_of_another_job_stays_one(s: &Stage) {
    let holder = s.put(s.job_under("k", NONE)).await;
    let asked = Enqueue { envelope: s.job_under("k", NONE), once: true };
    let ask = async || s.broker.enqueue(std::slice::from_ref(&asked)).await.unwrap()[0];
    assert_eq!(ask().await, Enqueued::Duplicate(holder));
    let leased = s.lease_one().await;
    s.finish(&leased, completed()).await;
    assert_eq!(ask().await, Enqueued::Duplicate(holder), "the key is free, but this request was answered");
    // Both in one call.
    let (first, second) = (s.job_under("l", NONE), Enqueue { envelope: s.job_under("l", NONE), once: true });
    let answers = s.broker.enqueue(&[first.clone().into(), second.clone()]).await.unwrap();
    assert_eq!(answers, [Enqueued::New, Enqueued::Duplicate(first.id)]);
    let leased = s.lease_one().await;
    s.finish(&leased, completed()).await;
    let again = s.broker.enqueue(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate(first.id)]);
    s.put(s.job_under("l", NONE)).await;
    s.clock.advance(DAY);
    for tidied in [false, true] {
        if tidied {
            s.maintain().await;
        }
        assert_eq!(ask().await, if tidied { Enqueued::Duplicate(asked.envelope.id) } else { Enqueued::New });
    }
}
