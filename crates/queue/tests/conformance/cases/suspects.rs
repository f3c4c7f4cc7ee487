//! Jobs that two workers were lost with: one more loss may show that they are poison, so it must be theirs alone.

use std::time::Duration;

use job::{JobId, JobState};
use queue::{Cancelled, Disposition, Exchange, FinishResult, LeaseRequest, Solo};

use crate::stage::*;

async fn ask_as(s: &Stage, worker: u64) -> Exchange {
    s.ask(LeaseRequest { worker, ..s.request(5) }).await
}

async fn is_leased_alone(s: &Stage, id: JobId) -> queue::Leased {
    assert!(s.lease(5).await.is_empty(), "a busy worker does not get it");
    let mut leased = s.lease_idle().await;
    assert_eq!(ids(&leased), [id]);
    assert!(leased[0].solo);
    leased.remove(0)
}

pub async fn a_job_with_two_losses_waits_apart(s: &Stage) {
    let id = s.suspect().await;
    let record = s.record(id).await;
    assert_eq!((record.state, record.losses, record.attempt), (JobState::Available, 2, 0));
    assert!(record.due_at.is_some());
    assert_eq!(s.count(JobState::Available).await, 1);
    assert_eq!(s.list(&in_state(JobState::Available), 10).await, [id]);
    assert!(s.lease(5).await.is_empty());
}

pub async fn an_idle_worker_gets_a_suspect_alone(s: &Stage) {
    let suspect = s.suspect().await;
    let others = s.put_many(3).await;
    let leased = s.lease_idle().await;
    assert_eq!(ids(&leased), [suspect]);
    assert_eq!((leased[0].solo, leased[0].losses, leased[0].attempt), (true, 2, 1));
    let next = s.lease_idle().await;
    assert_eq!(ids(&next), others);
    assert!(next.iter().all(|leased| !leased.solo));
}

pub async fn one_worker_makes_room_and_the_others_go_on(s: &Stage) {
    let suspect = s.suspect().await;
    let others = s.put_many(4).await;
    let chosen = ask_as(s, 1).await;
    assert_eq!((chosen.solo, chosen.leased.len()), (Solo::MakeRoom, 0));
    let other = ask_as(s, 2).await;
    assert_eq!(other.solo, Solo::Elsewhere);
    assert_eq!(ids(&other.leased), others);
    assert_eq!(ask_as(s, 1).await.solo, Solo::MakeRoom, "it is still the one");
    let idle = s.ask(LeaseRequest { worker: 1, idle: true, ..s.request(5) }).await;
    assert_eq!((idle.solo, ids(&idle.leased)), (Solo::None, vec![suspect]));
    assert_eq!(ask_as(s, 2).await.solo, Solo::None, "none waits any more");
}

pub async fn the_chosen_worker_is_replaced_when_it_stays_away(s: &Stage) {
    s.suspect().await;
    assert_eq!(ask_as(s, 1).await.solo, Solo::MakeRoom);
    s.clock.advance(20 * SECOND);
    assert_eq!(ask_as(s, 1).await.solo, Solo::MakeRoom, "asking again renews the choice");
    s.clock.advance(29 * SECOND);
    assert_eq!(ask_as(s, 2).await.solo, Solo::Elsewhere);
    s.clock.advance(SECOND);
    assert_eq!(ask_as(s, 2).await.solo, Solo::MakeRoom);
    assert_eq!(ask_as(s, 1).await.solo, Solo::Elsewhere);
}

pub async fn a_worker_without_a_number_is_never_chosen(s: &Stage) {
    s.suspect().await;
    let good = s.put_many(2).await;
    let answer = ask_as(s, 0).await;
    assert_eq!((answer.solo, ids(&answer.leased)), (Solo::Elsewhere, good));
    assert_eq!(ask_as(s, 1).await.solo, Solo::MakeRoom);
}

pub async fn a_job_lost_while_it_ran_alone_is_dead(s: &Stage) {
    let id = s.suspect().await;
    is_leased_alone(s, id).await;
    let done = s.lose_workers().await;
    assert_eq!((done.reaped, done.crashed), (1, 1));
    let record = s.record(id).await;
    assert_eq!((record.state, record.losses), (JobState::Dead, 3));
    let error = &record.errors.last().expect("the reason is kept").error;
    assert!(error.starts_with("crashed: "), "{error}");
}

pub async fn a_suspect_that_ends_well_has_ended_well(s: &Stage) {
    let id = s.suspect().await;
    let leased = is_leased_alone(s, id).await;
    assert_eq!(s.finish(&leased, completed()).await, FinishResult::Done);
    assert_eq!(s.state(id).await, JobState::Completed);
}

pub async fn a_suspect_that_is_given_back_is_still_leased_alone(s: &Stage) {
    let id = s.suspect().await;
    let leased = is_leased_alone(s, id).await;
    s.finish(&leased, Disposition::Release).await;
    assert_eq!(s.state(id).await, JobState::Available);
    is_leased_alone(s, id).await;
}

pub async fn a_suspect_that_is_snoozed_or_retried_is_still_leased_alone(s: &Stage) {
    let id = s.suspect().await;
    for delay in [Duration::ZERO, SECOND] {
        for again in [snooze(delay), retry_after(delay)] {
            let leased = is_leased_alone(s, id).await;
            s.finish(&leased, again).await;
            s.clock.advance(delay);
        }
    }
    is_leased_alone(s, id).await;
}

pub async fn a_waiting_suspect_can_be_cancelled(s: &Stage) {
    let id = s.suspect().await;
    assert_eq!(s.broker.cancel(id).await.unwrap(), Cancelled::Now);
    assert_eq!(s.state(id).await, JobState::Cancelled);
    assert!(s.lease_idle().await.is_empty());
    assert_eq!(ask_as(s, 1).await.solo, Solo::None);
}

pub async fn poison_buries_none_of_its_neighbours(s: &Stage) {
    // Every worker that holds the poison is lost, with all that it leased.
    let poison = s.put(s.job()).await;
    let good = s.put_many(30).await;
    for _ in 0..40 {
        let leased = s.ask(LeaseRequest { idle: true, ..s.request(10) }).await.leased;
        if ids(&leased).contains(&poison) {
            s.lose_workers().await;
            continue;
        }
        for leased in leased {
            s.finish(&leased, completed()).await;
        }
    }
    assert_eq!(s.state(poison).await, JobState::Dead);
    for id in good {
        assert_eq!(s.state(id).await, JobState::Completed);
    }
}
