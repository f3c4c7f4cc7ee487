//! Whoever dies between a state and its message, at whatever step: nobody is muted without a message, and no message comes
//! twice.
//!
//! A call is dropped after so many of its steps, as a killed process drops it: what it committed stays, what it did not is
//! gone. Then the next worker goes on.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use alerting::Severity::{Critical, Warning};
use alerting::{Alert, Severity};
use job::{JobId, JobState};
use store::NotificationState;
use worker::alerts::clockwork;
use worker::sweep;

use crate::stage::{MINUTE, Stage};

/// Runs a future for so many polls and drops it; answers whether it came to its end before.
async fn cut<F: Future>(polls: usize, work: F) -> bool {
    let mut work = pin!(work);
    for _ in 0..polls {
        let ended = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await;
        if ended {
            return true;
        }
        // Whoever it waits for gets its turn.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    false
}

/// For each incident: how often each person was told of it, by mails whose job the queue has, once.
async fn told(stage: &Stage) -> BTreeMap<(String, String), usize> {
    let mut told = BTreeMap::new();
    for mail in stage.mails().await {
        let job = stage.context.broker.get(JobId::from_uuid(mail.job_id)).await.unwrap();
        let job = job.unwrap_or_else(|| panic!("the mail {} has no job", mail.idempotency_key));
        assert_eq!(job.state, JobState::Available);
        *told.entry((mail.data["title"].as_str().unwrap().to_owned(), mail.recipient)).or_default() += 1;
    }
    told
}

async fn play(stage: &Stage, round: usize, kind: &str, severity: Severity, person: &str) {
    let alert = stage.alert(kind, severity);
    let now = stage.now();
    // The intake goes on in a task of its own when its caller is gone, as it would not in a process that was killed: what is
    // cut here is the caller. The transaction itself is cut below, in the clockwork.
    cut(round % 7, stage.context.alerts.accept(std::slice::from_ref(&alert), now)).await;
    // The caller had no answer: it calls again.
    let counted = stage.context.alerts.accept(&[alert], now).await.unwrap().remove(0);
    assert!(counted.alerts <= 2);
    stage.clock.advance(Duration::from_secs(30));
    for die in 0..4 {
        if cut(round + die * 5, clockwork::once(&stage.context)).await {
            break;
        }
    }
    stage.look().await;
    // What was written and not enqueued.
    stage.clock.advance(Duration::from_secs(31));
    sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
    let told = told(stage).await;
    let times = told.get(&(format!("{kind} is wrong"), person.to_owned()));
    assert_eq!(times, Some(&1), "{kind} in round {round}: {told:?}");
}

#[tokio::test]
async fn a_worker_that_dies_at_any_step_mutes_nobody_and_tells_nobody_twice() {
    let mut cuts = 0;
    for round in 0..240 {
        let stage = Stage::in_memory().await;
        play(&stage, round, "db.down", Critical, "ana@example.com").await;
        play(&stage, round, "db.slow", Warning, "ops@example.com").await;
        cuts += 8;
        let active = stage.context.store.active_incidents(10).await.unwrap();
        for incident in active {
            let told = stage.notifications(incident.id).await;
            let mailed = told.iter().filter(|told| told.notification.state == NotificationState::Mailed).count();
            assert_eq!(mailed, 1, "{} in round {round}", incident.kind);
        }
    }
    assert!(cuts > 1_900);
}

#[tokio::test]
async fn a_worker_that_dies_while_it_tells_a_digest_tells_it_once() {
    for round in 0..120 {
        let stage = Stage::in_memory().await;
        let alerts: Vec<Alert> = (0..31).map(|n| stage.alert(&format!("kind.{n}"), Critical)).collect();
        stage.accept(&alerts).await;
        stage.look().await;
        stage.clock.advance(Duration::from_secs(30));
        for die in 0..3 {
            cut(round + die, clockwork::once(&stage.context)).await;
        }
        stage.look().await;
        stage.clock.advance(Duration::from_secs(MINUTE));
        sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
        let mails = stage.mails().await;
        assert_eq!(mails.len(), 1, "round {round}");
        assert_eq!(mails[0].data["total"], 31);
        assert!(stage.context.broker.get(JobId::from_uuid(mails[0].job_id)).await.unwrap().is_some());
    }
}
