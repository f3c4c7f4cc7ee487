//! Lists, pages and cursors.

use std::time::Duration;

use job::{Envelope, JobId, JobState};
use queue::{BrokerError, Cursor, Disposition, Filter};

use crate::stage::*;

const TICK: Duration = Duration::from_millis(1);

/// Jobs that were enqueued one after the other.
async fn one_by_one(s: &Stage, n: usize) -> Vec<JobId> {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(s.put(s.job()).await);
        s.clock.advance(TICK);
    }
    all
}

fn newest_first(ids: &[JobId]) -> Vec<JobId> {
    ids.iter().rev().copied().collect()
}

pub async fn an_empty_queue_has_an_empty_list(s: &Stage) {
    assert!(s.list(&Filter::default(), 10).await.is_empty());
    for state in JobState::ALL {
        assert!(s.list(&in_state(state), 10).await.is_empty());
    }
}

pub async fn jobs_are_listed_newest_first_within_each_state(s: &Stage) {
    let mut expected = Vec::new();
    for (end, state) in [
        (completed(), JobState::Completed),
        (dead(), JobState::Dead),
        (Disposition::Cancelled, JobState::Cancelled),
        (Disposition::Expired, JobState::Expired),
    ] {
        let mut ended = Vec::new();
        for _ in 0..3 {
            ended.push(s.ended(s.job(), end.clone()).await);
            s.clock.advance(TICK);
        }
        expected.push((state, newest_first(&ended)));
    }
    let running = one_by_one(s, 3).await;
    for _ in 0..3 {
        s.lease_one().await;
        s.clock.advance(TICK);
    }
    expected.insert(0, (JobState::Running, newest_first(&running)));
    expected.insert(0, (JobState::Available, newest_first(&one_by_one(s, 3).await)));
    let mut scheduled = Vec::new();
    for n in 1..4 {
        scheduled.push(s.put(s.job_after(n * HOUR)).await);
    }
    expected.insert(0, (JobState::Scheduled, newest_first(&scheduled)));
    for (state, ids) in &expected {
        assert_eq!(s.list(&in_state(*state), 100).await, *ids, "{state}");
    }
    // Without a state they come state by state, in the order of a job's life.
    let all: Vec<JobId> = expected.into_iter().flat_map(|(_, ids)| ids).collect();
    assert_eq!(s.list(&Filter { queue: Some(s.queue.clone()), ..Filter::default() }, 100).await, all);
    assert_eq!(s.list(&Filter { queue: Some(s.queue.clone()), ..Filter::default() }, 2).await, all);
}

pub async fn filters_narrow_by_state_queue_and_kind(s: &Stage) {
    let mail = s.put(s.job()).await;
    s.clock.advance(TICK);
    let booking = s.put(Envelope { kind: kind("booking.confirmed"), ..s.job() }).await;
    let report = s.put(s.job_in(&s.other)).await;
    let later = s.put(s.job_after(HOUR)).await;
    let sorted = |mut ids: Vec<JobId>| {
        ids.sort();
        ids
    };
    let all = Filter::default();
    assert_eq!(sorted(s.list(&all, 10).await), sorted(vec![mail, booking, report, later]));
    let of_queue = Filter { queue: Some(s.other.clone()), ..all.clone() };
    assert_eq!(s.list(&of_queue, 10).await, [report]);
    let of_kind = Filter { kind: Some(kind("email.send")), ..all.clone() };
    assert_eq!(sorted(s.list(&of_kind, 10).await), sorted(vec![mail, report, later]));
    assert_eq!(sorted(s.list(&of_kind, 1).await), sorted(vec![mail, report, later]));
    let both =
        Filter { state: Some(JobState::Available), queue: Some(s.queue.clone()), kind: Some(kind("email.send")) };
    assert_eq!(s.list(&both, 10).await, [mail]);
    let none = Filter { kind: Some(kind("no.such")), ..all };
    assert!(s.list(&none, 10).await.is_empty());
}

pub async fn a_rare_kind_is_found_among_many_others(s: &Stage) {
    let rare = s.put(Envelope { kind: kind("very.rare"), ..s.job() }).await;
    s.clock.advance(TICK);
    s.put_many(4_500).await;
    let filter = Filter { kind: Some(kind("very.rare")), ..Filter::default() };
    assert_eq!(s.list(&filter, 10).await, [rare]);
}

pub async fn pages_show_each_job_once_and_in_order(s: &Stage) {
    let all = newest_first(&one_by_one(s, 25).await);
    // Jobs of one instant, too.
    s.clock.advance(HOUR);
    let mut expected = newest_first(&s.put_many(25).await);
    expected.extend(all);
    for limit in [1, 7, 25, 49, 50, 51, 1_000] {
        assert_eq!(s.list(&in_state(JobState::Available), limit).await, expected, "limit {limit}");
    }
    while let Some(leased) = s.lease(1).await.first() {
        s.finish(leased, completed()).await;
    }
    for limit in [7, 25, 50] {
        assert_eq!(s.list(&in_state(JobState::Completed), limit).await.len(), 50, "limit {limit}");
    }
}

pub async fn several_queues_are_listed_as_one(s: &Stage) {
    let queue_of = |n: usize| if n.is_multiple_of(3) { &s.other } else { &s.queue };
    let mut all = Vec::new();
    for n in 0..40 {
        all.push(s.put(s.job_in(queue_of(n))).await);
        // Some of the same time, too.
        if n % 5 != 0 {
            s.clock.advance(TICK);
        }
    }
    let expected = newest_first(&all);
    for limit in [1, 7, 16, 17, 39, 40, 1_000] {
        assert_eq!(s.list(&in_state(JobState::Available), limit).await, expected, "limit {limit}");
    }
    let of_kind = Filter { kind: Some(kind("email.send")), ..in_state(JobState::Available) };
    assert_eq!(s.list(&of_kind, 7).await, expected);
    for (n, id) in all.iter().enumerate() {
        let leased = s.broker.exchange(queue_of(n), &[], Some(s.request(1))).await.unwrap().leased;
        assert_eq!(ids(&leased), [*id]);
        s.broker.exchange(queue_of(n), &[end(&leased[0], completed())], None).await.unwrap();
        s.clock.advance(TICK);
    }
    for limit in [1, 7, 16, 17, 39, 40, 1_000] {
        assert_eq!(s.list(&in_state(JobState::Completed), limit).await, expected, "limit {limit}");
    }
}

pub async fn many_that_completed_at_the_same_time_are_each_listed_once(s: &Stage) {
    let mut all = Vec::new();
    for queue in [&s.queue, &s.other] {
        for _ in 0..40 {
            all.push(s.put(s.job_in(queue)).await);
        }
        let leased = s.broker.exchange(queue, &[], Some(s.request(40))).await.unwrap().leased;
        let finishes: Vec<_> = leased.iter().map(|leased| end(leased, completed())).collect();
        s.broker.exchange(queue, &finishes, None).await.unwrap();
    }
    all.sort();
    for limit in [1, 7, 16, 17, 41, 80] {
        let mut listed = s.list(&in_state(JobState::Completed), limit).await;
        listed.sort();
        assert_eq!(listed, all, "limit {limit}");
    }
}

pub async fn jobs_that_move_between_pages_hide_and_repeat_no_other(s: &Stage) {
    let all = one_by_one(s, 20).await;
    let filter = in_state(JobState::Available);
    let first = s.broker.list(&filter, 8, None).await.unwrap();
    let mut seen: Vec<JobId> = first.items.iter().map(|job| job.id).collect();
    assert_eq!(seen, newest_first(&all)[..8]);
    // Newer ones come, the oldest are leased, one that was shown is called off.
    one_by_one(s, 5).await;
    assert_eq!(ids(&s.lease(3).await), all[..3]);
    s.broker.cancel(seen[2]).await.unwrap();
    let rest = s.broker.list(&filter, 100, first.next).await.unwrap();
    seen.extend(rest.items.iter().map(|job| job.id));
    assert_eq!(seen, newest_first(&all)[..17]);
}

pub async fn the_last_job_of_a_page_may_leave(s: &Stage) {
    let all = newest_first(&one_by_one(s, 9).await);
    let filter = in_state(JobState::Available);
    let first = s.broker.list(&filter, 3, None).await.unwrap();
    s.broker.cancel(all[2]).await.unwrap();
    let second = s.broker.list(&filter, 3, first.next).await.unwrap();
    assert_eq!(second.items.iter().map(|job| job.id).collect::<Vec<_>>(), all[3..6]);
    // It comes back elsewhere in the order.
    s.broker.cancel(all[5]).await.unwrap();
    s.clock.advance(HOUR);
    s.broker.redrive(all[5]).await.unwrap();
    let third = s.broker.list(&filter, 3, second.next).await.unwrap();
    assert_eq!(third.items.iter().map(|job| job.id).collect::<Vec<_>>(), all[6..9]);
}

pub async fn what_no_list_gave_out_is_no_cursor(s: &Stage) {
    one_by_one(s, 3).await;
    for bad in ["", "x", "1.2.3", "éé", "a.emails", "-1.0.00", "%00"] {
        let listed = s.broker.list(&Filter::default(), 2, Some(Cursor(bad.into()))).await;
        assert!(matches!(listed, Err(BrokerError::Invalid(_))), "{bad:?}: {listed:?}");
    }
    // Nor is one that was given out and changed.
    let cursor = s.broker.list(&Filter::default(), 2, None).await.unwrap().next.unwrap().0;
    let parts: Vec<&str> = cursor.split('.').collect();
    for n in 0..parts.len() {
        for bad in ["", "nan", "inf", "1e400", "1e-400", "-0", "+1", "007", "1.5", "9223372036854775808", "💥"] {
            let mut changed = parts.clone();
            changed[n] = bad;
            let listed = s.broker.list(&Filter::default(), 2, Some(Cursor(changed.join(".")))).await;
            assert!(matches!(listed, Err(BrokerError::Invalid(_))), "{changed:?}: {listed:?}");
        }
    }
    // A cursor belongs to the list that gave it out.
    let next = s.broker.list(&in_state(JobState::Available), 2, None).await.unwrap().next;
    let listed = s.broker.list(&in_state(JobState::Dead), 2, next).await;
    assert!(matches!(listed, Err(BrokerError::Invalid(_))), "{listed:?}");
}

pub async fn a_limit_out_of_range_is_refused(s: &Stage) {
    for limit in [0, 1_001] {
        assert!(matches!(s.broker.list(&Filter::default(), limit, None).await, Err(BrokerError::Invalid(_))));
    }
}
