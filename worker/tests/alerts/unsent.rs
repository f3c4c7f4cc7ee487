//! Mails that do not get through: another way tells of them, and what nobody heard is told again.

use alerting::Severity::{Critical, Info, Warning};
use store::{AttemptReport, Delivery, DeliveryState, NotificationState};
use worker::alerts::{Deed, Outcome};

use crate::on_both;
use crate::stage::{HOUR, MINUTE, Stage, rules};

impl Stage {
    /// What becomes of a mail, by one of the ledger's words.
    pub async fn settle(&self, mail: &Delivery, word: &str) {
        let (store, now, report) = (&self.context.store, self.now(), AttemptReport::default());
        store.begin_sending(mail.id, mail.job_id, 7, now).await.unwrap();
        let done = match word {
            "sent" => store.mark_sent(mail.id, 7, &report, now).await,
            "expired" => store.mark_expired(mail.id, 7, &report, now).await,
            "deferred" => {
                let later = job::clock::after(now, std::time::Duration::from_secs(60));
                store.mark_deferred(mail.id, 7, &report, later, now).await
            }
            _ => store.mark_failed(mail.id, 7, &report, now).await,
        };
        assert!(done.unwrap(), "{word}");
    }

    async fn undelivered(&self) -> usize {
        self.queued().await.iter().filter(|message| message.reason == store::Reason::Undelivered).count()
    }
}

on_both! {
    async fn a_relay_that_is_away_is_told_by_the_other_way_after_two_minutes(stage) {
        let (_webhook, _slack) = stage.hooked().await;
        stage.fire("db.down", Critical).await;
        stage.look().await;
        let mail = stage.mails().await.remove(0);
        stage.settle(&mail, "deferred").await;
        stage.after(MINUTE).await;
        assert_eq!(stage.undelivered().await, 0, "a relay may be busy for a minute");
        stage.after(MINUTE + 1).await;
        assert_eq!(stage.undelivered().await, 2, "a webhook and a chat");
        stage.after(10 * MINUTE).await;
        assert_eq!(stage.undelivered().await, 2, "once");
    }

    async fn a_mail_that_nobody_sends_is_told_by_the_other_way_too(stage) {
        let (_webhook, _slack) = stage.hooked().await;
        stage.fire("db.down", Critical).await;
        stage.look().await;
        stage.after(2 * MINUTE + 1).await;
        assert_eq!(stage.undelivered().await, 2, "it is only queued");
    }

    async fn what_nobody_heard_because_its_mail_expired_is_told_again_until_somebody_does(stage) {
        let id = stage.fire("db.slow", Warning).await.incident.unwrap();
        stage.play(30).await;
        for hour in 1..=3 {
            let mail = stage.mails().await.pop().unwrap();
            stage.clock.advance(std::time::Duration::from_secs(HOUR));
            stage.settle(&mail, "expired").await;
            stage.look().await;
            assert_eq!(stage.after(1).await.mails, 1, "hour {hour}");
        }
        let last = stage.mails().await.pop().unwrap();
        stage.settle(&last, "sent").await;
        stage.after(1).await;
        assert_eq!(stage.notifications(id).await.last().unwrap().notification.state, NotificationState::Sent);
        assert_eq!(stage.after(30 * MINUTE).await.mails, 0, "somebody heard it: only its repeat is left");
    }

    async fn what_was_taken_on_or_is_over_or_reached_somebody_is_not_told_again(stage) {
        let mut two = rules();
        two.receivers.get_mut("oncall").unwrap().emails.push("ben@example.com".to_owned());
        stage.play_by(two);
        stage.fire("db.down", Critical).await;
        stage.look().await;
        let mails = stage.mails().await;
        assert_eq!(mails.len(), 2);
        stage.settle(&mails[0], "expired").await;
        stage.settle(&mails[1], "sent").await;
        stage.after(1).await;
        assert_eq!(stage.after(10 * MINUTE).await.mails, 0, "the other one knows");

        let id = stage.fire("db.slow", Critical).await.incident.unwrap();
        stage.look().await;
        stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
        for mail in stage.mails().await.split_off(2) {
            stage.settle(&mail, "expired").await;
        }
        stage.after(1).await;
        assert_eq!(stage.after(2 * MINUTE).await.mails, 0);
    }

    async fn what_was_heard_before_it_mattered_more_or_came_back_is_not_taken_for_heard(stage) {
        // That it began, and that it was over, reached somebody.
        stage.fire("db.slow", Info).await;
        stage.play(30).await;
        stage.settle(&stage.mails().await.pop().unwrap(), "sent").await;
        for outcome in [Outcome::Counted, Outcome::Reopened] {
            // That it matters more, and that it is back, did not.
            stage.play(30).await;
            assert_eq!(stage.fire("db.slow", Warning).await.outcome, outcome);
            stage.play(5 * MINUTE).await;
            let mail = stage.mails().await.pop().unwrap();
            assert_eq!((mail.template.as_str(), mail.state), ("alert_raised", DeliveryState::Queued));
            stage.clock.advance(std::time::Duration::from_secs(HOUR));
            stage.settle(&mail, "expired").await;
            let raised = stage.to("ops@example.com").await.len();
            stage.look().await;
            stage.after(1).await;
            assert_eq!(stage.to("ops@example.com").await.len(), raised + 1, "it is told again");
            stage.settle(&stage.mails().await.pop().unwrap(), "sent").await;
            stage.over_with("db.slow").await;
            stage.play(5 * MINUTE).await;
            for mail in stage.mails().await.into_iter().filter(|mail| mail.state == DeliveryState::Queued) {
                stage.settle(&mail, "sent").await;
            }
        }
    }

    async fn an_address_that_refuses_is_not_written_to_for_ever(stage) {
        stage.fire("db.down", Critical).await;
        stage.look().await;
        let mut settled = 0;
        for _ in 0..60 {
            let mails = stage.mails().await;
            for mail in mails[settled..].iter().filter(|mail| mail.recipient == "ana@example.com") {
                stage.settle(mail, "failed").await;
            }
            settled = mails.len();
            stage.after(MINUTE).await;
        }
        let to_ana = stage.mails().await.into_iter().filter(|mail| mail.recipient == "ana@example.com").count();
        assert_eq!(to_ana, 3, "a few times within a day");
    }

    async fn what_a_digest_told_is_told_again_when_its_mail_expired(stage) {
        let alerts: Vec<_> = (0..40).map(|n| stage.alert(&format!("kind.{n}"), Warning)).collect();
        stage.accept(&alerts).await;
        stage.play(2 * MINUTE).await;
        let digest = stage.mails().await.remove(0);
        stage.clock.advance(std::time::Duration::from_secs(HOUR));
        stage.settle(&digest, "expired").await;
        stage.look().await;
        stage.play(2 * MINUTE).await;
        let again = stage.mails().await.pop().unwrap();
        assert_ne!(again.id, digest.id);
        assert_eq!((again.template.as_str(), &again.data["total"]), ("alert_digest", &40.into()));
    }

    async fn a_webhook_that_will_not_take_a_message_is_told_by_mail_once_and_in_no_circle(stage) {
        let (webhook, slack) = stage.hooked().await;
        webhook.answer("410 Gone");
        slack.answer("410 Gone");
        stage.fire("db.down", Critical).await;
        stage.look().await;
        stage.post().await;
        let mail = stage.mails().await.remove(0);
        stage.settle(&mail, "sent").await;
        assert_eq!(stage.after(1).await.mails, 1, "one mail for both");
        let mail = stage.mails().await.pop().unwrap();
        assert_eq!((mail.template.as_str(), mail.recipient.as_str()), ("alert_undelivered", "ana@example.com"));
        let renderer = mail::Renderer::new(None).unwrap();
        let said = renderer.render(&mail.template, &mail::Locale::or_english(None), &mail.data).unwrap();
        for part in ["db.down is wrong", "webhook of oncall", "slack of oncall", "410"] {
            assert!(said.text.contains(part), "{part} in {}", said.text);
        }
        // Not even when that mail does not get through: it is told by the other way, which is no news when that fails.
        stage.settle(&mail, "failed").await;
        stage.after(5 * MINUTE).await;
        assert_eq!(stage.undelivered().await, 2);
        stage.post().await;
        let messages = stage.mails().await.len();
        for _ in 0..8 {
            assert_eq!(stage.after(MINUTE).await.posts, 0);
        }
        assert_eq!(stage.mails().await.len(), messages);
        assert!(!stage.context.store.alerts_due().await.unwrap().mailed, "nothing is left to tell");
    }
}
