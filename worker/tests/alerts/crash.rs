//! Whoever dies between a state and its message, at whatever step: nobody is muted without a message, and no message comes
//! twice.
//!
//! A look is dropped after so many of its steps, one more each round, as a killed process drops it: what it committed stays,
//! what it did not is gone, and the queue never hears of it. A step ends where it waits for the database or the queue. Then
//! the next worker goes on. Processes that are killed are in `killed`.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use alerting::Alert;
use alerting::Severity::Critical;
use job::{JobId, JobState};
use store::{Delivery, NotificationState};
use testkit::wait_until;
use worker::alerts::clockwork;
use worker::sweep;

use crate::on_both;
use crate::stage::{MINUTE, Stage};

const SOON: Duration = Duration::from_secs(30);

/// Runs a future for so many steps and drops it; answers whether it came to its end before.
async fn cut<F: Future>(steps: usize, work: F) -> bool {
    let mut work = pin!(work);
    let mut left = steps;
    std::future::poll_fn(|context| match left.checked_sub(1) {
        None => Poll::Ready(false),
        Some(less) => {
            left = less;
            work.as_mut().poll(context).map(|_| true)
        }
    })
    .await
}

impl Stage {
    /// The mails about one thing.
    async fn about(&self, kind: &str) -> Vec<Delivery> {
        let mails = self.mails().await.into_iter();
        mails.filter(|mail| mail.data["title"] == format!("{kind} is wrong")).collect()
    }

    async fn has_job(&self, mail: &Delivery) -> bool {
        let job = self.context.broker.get(JobId::from_uuid(mail.job_id)).await.unwrap();
        job.is_some_and(|job| job.state == JobState::Available)
    }
}

on_both! {
    async fn a_worker_that_dies_at_any_step_mutes_nobody_and_tells_nobody_twice(stage) {
        stage.without_limits();
        let dying = stage.dying().await;
        let (mut cuts, mut written, mut to_its_end) = (0, 0, 0);
        for steps in 1..2_000 {
            let kind = format!("check.{steps}");
            let id = stage.fire(&kind, Critical).await.incident.unwrap();
            let ended = cut(steps, clockwork::once(&dying)).await;
            match ended {
                true => to_its_end += 1,
                false => cuts += 1,
            }
            // Whether it was cut off between the state and its job. (The dying one's queue is not this one.)
            written += usize::from(!ended && !stage.about(&kind).await.is_empty());
            // What it had in hand when it died is free again in a moment.
            wait_until("it is told", SOON, async || {
                stage.look().await;
                !stage.about(&kind).await.is_empty()
            })
            .await;
            stage.clock.advance(Duration::from_secs(31));
            sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
            stage.look().await;
            let mails = stage.about(&kind).await;
            assert_eq!(mails.len(), 1, "{kind}");
            assert!(stage.has_job(&mails[0]).await, "{kind}");
            let told = stage.notifications(id).await;
            assert!(matches!(told[..], [ref one] if one.notification.state == NotificationState::Mailed), "{told:?}");
            if to_its_end == 5 {
                break;
            }
        }
        assert_eq!(to_its_end, 5, "every step was cut at");
        assert!(cuts >= 10 && written > 0, "{cuts} looks were cut off, {written} died between the state and its job");
    }
}

#[tokio::test]
async fn a_worker_that_dies_while_it_tells_a_digest_tells_it_once() {
    let (mut cuts, mut to_its_end) = (0, 0);
    for steps in 1..2_000 {
        let stage = Stage::in_memory().await;
        let alerts: Vec<Alert> = (0..31).map(|n| stage.alert(&format!("kind.{n}"), Critical)).collect();
        stage.accept(&alerts).await;
        stage.look().await;
        stage.clock.advance(Duration::from_secs(30));
        match cut(steps, clockwork::once(&stage.context)).await {
            true => to_its_end += 1,
            false => cuts += 1,
        }
        wait_until("the digest is told", SOON, async || {
            stage.look().await;
            !stage.mails().await.is_empty()
        })
        .await;
        stage.clock.advance(Duration::from_secs(MINUTE));
        sweep::once(&stage.context, Duration::from_secs(30)).await.unwrap();
        let mails = stage.mails().await;
        assert_eq!(mails.len(), 1, "after {steps} steps");
        assert_eq!(mails[0].data["total"], 31);
        assert!(stage.has_job(&mails[0]).await);
        if to_its_end == 3 {
            break;
        }
    }
    assert_eq!(to_its_end, 3, "every step was cut at");
    assert!(cuts >= 10, "{cuts} looks were cut off");
}
