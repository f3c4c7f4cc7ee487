//! How jobs end, or go on.

use std::time::Duration;

use job::{Clock, JobId, JobState};
use queue::record::{ERROR_BYTES, KEPT_ERRORS};
use queue::{Disposition, FinishResult, Lease, PastError};

use crate::stage::*;

pub async fn a_completed_job_keeps_its_result(s: &Stage) {
    let id = s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.clock.advance(SECOND);
    let result = Some(r#"{"sent":"zu Zoë"}"#.to_owned());
    s.finish(&leased, Disposition::Completed { result: result.clone() }).await;
    let record = s.record(id).await;
    assert_eq!((record.state, record.result, record.attempt), (JobState::Completed, result, 1));
    assert_eq!(record.finished_at, Some(s.clock.now()));
    assert!(record.started_at < record.finished_at);
}

pub async fn a_retry_waits_for_its_delay_and_keeps_its_error(s: &Stage) {
    let id = s.put(s.job()).await;
    let leased = s.lease_one().await;
    let failed_at = s.clock.now();
    assert_eq!(s.finish(&leased, retry_after(20 * SECOND)).await, FinishResult::Done);
    let record = s.record(id).await;
    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 1));
    assert_eq!(record.due_at, Some(job::clock::after(failed_at, 20 * SECOND)));
    let error = PastError { attempt: 1, at: failed_at, error: "the relay said 451".into() };
    assert_eq!(record.errors, std::slice::from_ref(&error));
    s.clock.advance(19 * SECOND);
    assert!(s.lease(1).await.is_empty());
    s.clock.advance(SECOND);
    let again = s.lease_one().await;
    assert_eq!((again.lease.id, again.attempt), (id, 2));
    assert_eq!(again.errors, [error]);
}

pub async fn a_retry_without_delay_is_due_at_once(s: &Stage) {
    let id = s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.finish(&leased, retry_after(Duration::ZERO)).await;
    assert_eq!(s.state(id).await, JobState::Available);
    assert_eq!(s.lease_one().await.attempt, 2);
}

pub async fn the_broker_does_not_count_attempts_for_the_caller(s: &Stage) {
    let mut job = s.job();
    job.max_attempts = 1;
    let id = s.put(job).await;
    for attempt in 1..=3 {
        let leased = s.lease_one().await;
        assert_eq!(leased.attempt, attempt);
        s.finish(&leased, retry_after(Duration::ZERO)).await;
    }
    assert_eq!(s.state(id).await, JobState::Available);
}

pub async fn a_snooze_gives_the_attempt_back_and_keeps_its_reason(s: &Stage) {
    let id = s.put(s.job()).await;
    for _ in 0..3 {
        let leased = s.lease_one().await;
        assert_eq!(leased.attempt, 1);
        s.finish(&leased, snooze(5 * SECOND)).await;
        let record = s.record(id).await;
        assert_eq!((record.state, record.attempt, record.errors.len()), (JobState::Scheduled, 0, 0));
        assert_eq!(record.due_at, Some(job::clock::after(s.clock.now(), 5 * SECOND)));
        assert_eq!(record.snoozed.as_deref(), Some("the relay is away"));
        s.clock.advance(5 * SECOND);
    }
    let leased = s.lease_one().await;
    s.finish(&leased, snooze(Duration::ZERO)).await;
    assert_eq!(s.state(id).await, JobState::Available, "without delay it is due at once");
}

pub async fn a_job_that_no_worker_knows_remembers_since_when(s: &Stage) {
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    assert_eq!(leased.unknown_since, None);
    let since = Some(s.clock.now());
    let unknown = |unknown_since| Disposition::Snooze { delay: SECOND, reason: "unknown kind".into(), unknown_since };
    s.finish(&leased, unknown(since)).await;
    s.clock.advance(SECOND);
    let leased = s.lease_one().await;
    assert_eq!(leased.unknown_since, since);
    s.finish(&leased, unknown(None)).await;
    s.clock.advance(SECOND);
    let leased = s.lease_one().await;
    assert_eq!(leased.unknown_since, None);
    s.finish(&leased, unknown(since)).await;
    s.clock.advance(SECOND);
    let leased = s.lease_one().await;
    s.finish(&leased, retry_after(SECOND)).await;
    s.clock.advance(SECOND);
    assert_eq!(s.lease_one().await.unknown_since, None, "a worker that knows it ran it");
}

pub async fn a_released_job_stands_where_it_stood_and_pays_nothing(s: &Stage) {
    let (first, second) = (s.put(s.job()).await, s.put(s.job()).await);
    let leased = s.lease_one().await;
    s.clock.advance(SECOND);
    s.finish(&leased, Disposition::Release).await;
    let record = s.record(first).await;
    assert_eq!((record.state, record.attempt, record.losses), (JobState::Available, 0, 0));
    assert!(record.errors.is_empty());
    let again = s.lease(5).await;
    assert_eq!(ids(&again), [first, second]);
    assert_eq!(again[0].attempt, 1);
}

pub async fn a_dead_job_keeps_its_error(s: &Stage) {
    let id = s.ended(s.job(), dead()).await;
    let record = s.record(id).await;
    assert_eq!((record.state, record.attempt), (JobState::Dead, 1));
    assert_eq!(record.finished_at, Some(s.clock.now()));
    assert_eq!(record.errors, [PastError { attempt: 1, at: s.clock.now(), error: "no such mailbox".into() }]);
    assert!(s.lease(1).await.is_empty());
}

pub async fn a_job_ends_cancelled_or_expired_by_its_own_word(s: &Stage) {
    let cancelled = s.ended(s.job(), Disposition::Cancelled).await;
    let expired = s.ended(s.job(), Disposition::Expired).await;
    assert_eq!(s.state(cancelled).await, JobState::Cancelled);
    assert_eq!(s.state(expired).await, JobState::Expired);
    assert_eq!(s.record(expired).await.finished_at, Some(s.clock.now()));
}

pub async fn a_stale_lease_changes_nothing_and_harms_no_neighbour(s: &Stage) {
    let waiting = s.put(s.job_after(HOUR)).await;
    let ended = s.ended(s.job(), completed()).await;
    s.put_many(4).await;
    let running = s.lease(4).await;
    let never: JobId = s.job().id;
    for disposition in
        [completed(), retry_after(SECOND), snooze(SECOND), dead(), Disposition::Cancelled, Disposition::Release]
    {
        let forged = |id| {
            let mut finish = end(&running[3], disposition.clone());
            finish.lease = Lease { id, token: running[3].lease.token.wrapping_add(1) };
            finish
        };
        let finishes = [forged(waiting), forged(ended), forged(never), forged(running[3].lease.id)];
        assert_eq!(s.finish_all(&finishes).await, [FinishResult::Stale; 4], "{disposition:?}");
        assert_eq!(s.state(waiting).await, JobState::Scheduled);
        assert_eq!(s.state(ended).await, JobState::Completed);
        assert_eq!(s.record(running[3].lease.id).await.state, JobState::Running);
        assert!(s.broker.get(never).await.unwrap().is_none());
    }
    let mut stale = end(&running[1], completed());
    stale.lease.token ^= 1;
    let finishes = [end(&running[0], completed()), stale.clone(), end(&running[2], completed())];
    assert_eq!(s.finish_all(&finishes).await, [FinishResult::Done, FinishResult::Stale, FinishResult::Done]);
    stale.disposition = retry_after(SECOND);
    let finishes = [stale, end(&running[3], retry_after(SECOND))];
    assert_eq!(s.finish_all(&finishes).await, [FinishResult::Stale, FinishResult::Done]);
    let states =
        [s.state(running[0].lease.id).await, s.state(running[1].lease.id).await, s.state(running[2].lease.id).await];
    assert_eq!(states, [JobState::Completed, JobState::Running, JobState::Completed]);
    assert_eq!((s.count(JobState::Running).await, s.count(JobState::Completed).await), (1, 3));
}

pub async fn a_lease_finishes_its_job_only_once(s: &Stage) {
    s.put(s.job()).await;
    let leased = s.lease_one().await;
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Done);
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Stale);
    assert_eq!(s.finish(&leased, dead()).await, FinishResult::Stale);
    assert_eq!(s.count(JobState::Completed).await, 1);
}

pub async fn the_same_lease_twice_in_one_call_counts_once(s: &Stage) {
    s.put_many(3).await;
    let l = s.lease(3).await;
    let finishes = [
        end(&l[0], completed()),
        end(&l[1], completed()),
        end(&l[0], completed()),
        end(&l[2], dead()),
        end(&l[2], dead()),
    ];
    let (done, stale) = (FinishResult::Done, FinishResult::Stale);
    assert_eq!(s.finish_all(&finishes).await, [done, done, stale, done, stale]);
    assert_eq!((s.count(JobState::Completed).await, s.count(JobState::Dead).await), (2, 1));
    assert_eq!(s.count(JobState::Running).await, 0);
}

pub async fn a_lease_is_stale_once_the_job_was_leased_again(s: &Stage) {
    let id = s.put(s.job()).await;
    let old = s.lease_one().await;
    s.finish(&old, Disposition::Release).await;
    let new = s.lease_one().await;
    assert_eq!(s.finish(&old, completed()).await, FinishResult::Stale);
    assert_eq!(s.state(id).await, JobState::Running);
    assert_eq!(s.finish(&new, completed()).await, FinishResult::Done);
}

pub async fn only_the_last_errors_are_kept(s: &Stage) {
    let id = s.put(s.job()).await;
    let rounds = u32::try_from(KEPT_ERRORS).unwrap() + 3;
    for n in 1..=rounds {
        let leased = s.lease_one().await;
        let error = format!("failure {n}: \"grüße\" \\ \n\t\u{1}");
        s.finish(&leased, Disposition::Retry { delay: Duration::ZERO, error }).await;
    }
    let errors = s.record(id).await.errors;
    assert_eq!(errors.len(), KEPT_ERRORS);
    assert_eq!((errors[0].attempt, errors[KEPT_ERRORS - 1].attempt), (4, rounds));
    assert_eq!(errors[0].error, "failure 4: \"grüße\" \\ \n\t\u{1}");
}

pub async fn a_long_error_is_cut_between_two_characters(s: &Stage) {
    // Two bytes a character after one of one byte: the bound falls inside a character.
    let long = format!("x{}", "é".repeat(ERROR_BYTES));
    let retried = s.put(s.job()).await;
    let leased = s.lease_one().await;
    s.finish(&leased, Disposition::Retry { delay: HOUR, error: long.clone() }).await;
    let dead = s.ended(s.job(), Disposition::Dead { error: long.clone() }).await;
    for id in [retried, dead] {
        let error = s.record(id).await.errors.remove(0).error;
        assert_eq!(error.len(), ERROR_BYTES - 1);
        assert!(long.starts_with(&error));
    }
}

pub async fn no_finishes_at_all_are_fine(s: &Stage) {
    assert!(s.finish_all(&[]).await.is_empty());
}

pub async fn every_kind_of_end_goes_together_in_one_call(s: &Stage) {
    let all = s.put_many(8).await;
    let l = s.lease(8).await;
    let finishes = [
        end(&l[0], completed()),
        end(&l[1], Disposition::Completed { result: Some("42".into()) }),
        end(&l[2], retry_after(SECOND)),
        end(&l[3], snooze(SECOND)),
        end(&l[4], dead()),
        end(&l[5], Disposition::Cancelled),
        end(&l[6], Disposition::Expired),
        end(&l[7], Disposition::Release),
    ];
    assert_eq!(s.finish_all(&finishes).await, [FinishResult::Done; 8]);
    let mut states = Vec::new();
    for id in all {
        states.push(s.state(id).await);
    }
    use JobState::{Available, Cancelled, Completed, Dead, Expired, Scheduled};
    assert_eq!(states, [Completed, Completed, Scheduled, Scheduled, Dead, Cancelled, Expired, Available]);
}
