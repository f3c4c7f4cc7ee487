//! In which order jobs come.

use std::time::Duration;

use crate::stage::*;

pub async fn jobs_come_by_priority_then_due_time_then_id(s: &Stage) {
    let late_but_urgent = s.job_with_priority(0);
    let (lazy, a, b) = (s.job_with_priority(9), s.job(), s.job());
    let second_urgent = s.job_with_priority(0);
    // Enqueued in the wrong order; within one instant and priority the ids decide.
    let mut expected = Vec::new();
    for job in [&b, &lazy, &a, &second_urgent] {
        expected.push(s.put(job.clone()).await);
    }
    s.clock.advance(SECOND);
    s.put(late_but_urgent.clone()).await;
    let later = s.put(s.job()).await;
    let got = ids(&s.lease(10).await);
    assert_eq!(got, [second_urgent.id, late_but_urgent.id, a.id, b.id, later, lazy.id]);
}

pub async fn scheduled_jobs_come_in_the_order_of_their_due_times(s: &Stage) {
    let third = s.put(s.job_after(30 * SECOND)).await;
    let first = s.put(s.job_after(10 * SECOND)).await;
    let second = s.put(s.job_after(20 * SECOND)).await;
    s.clock.advance(60 * SECOND);
    let fourth = s.put(s.job()).await;
    assert_eq!(ids(&s.lease(10).await), [first, second, third, fourth]);
}

pub async fn a_retried_job_stands_behind_those_that_were_due_before(s: &Stage) {
    let failing = s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.finish(&leased, retry_after(Duration::from_millis(10))).await;
    s.clock.advance(Duration::from_millis(5));
    let before = s.put(s.job()).await;
    s.clock.advance(Duration::from_millis(10));
    let after = s.put(s.job()).await;
    assert_eq!(ids(&s.lease(10).await), [before, failing, after]);
}
