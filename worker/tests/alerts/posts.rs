//! Webhooks and chats: what they are given, how they are tried again, and what they are told when mail does not get through.

use std::sync::Arc;
use std::time::Duration;

use alerting::Severity::Critical;
use alerting::{Alert, Labels};
use job::{Attempt, Control, Job, JobId, Outcome, Unfinished};
use store::{Notification, NotificationState};
use testkit::Hook;
use worker::alerts::link;
use worker::jobs::alert_notify::AlertNotify;

use crate::hook::{SECRET, way};
use crate::on_both;
use crate::stage::{MINUTE, Stage, rules};

impl Stage {
    /// On-call is reached by a webhook and a chat as well.
    pub async fn hooked(&mut self) -> (Hook, Hook) {
        let (webhook, slack) = (Hook::start().await, Hook::start().await);
        let mut rules = rules();
        let oncall = rules.receivers.get_mut("oncall").unwrap();
        (oncall.webhook, oncall.slack) = (Some(way(&webhook, Some(SECRET))), Some(way(&slack, None)));
        self.play_by(rules);
        (webhook, slack)
    }

    /// Runs the job of each message that waits to be posted.
    pub async fn post(&self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for message in self.queued().await {
            let attempt = Attempt {
                job: JobId::from_uuid(message.job_id),
                number: 1,
                max_attempts: 20,
                lease: 1,
                expires_at: None,
                control: Arc::<Control>::default(),
            };
            outcomes.push(AlertNotify { notification_id: message.id }.run(&self.context, &attempt).await);
        }
        outcomes
    }

    pub async fn queued(&self) -> Vec<Notification> {
        let intents = self
            .context
            .store
            .stale_intents(Duration::ZERO, 100, job::clock::after(self.now(), Duration::from_secs(1)))
            .await;
        let mut queued = Vec::new();
        for intent in intents.unwrap() {
            if let store::Intent::Notification(message) = intent {
                queued.push(self.context.store.get_notification(message.id).await.unwrap().unwrap());
            }
        }
        queued.sort_by_key(|message| (message.target.channel.as_str(), message.id));
        queued
    }
}

on_both! {
    async fn a_webhook_is_signed_and_a_chat_is_told_in_its_own_words(stage) {
        let (webhook, slack) = stage.hooked().await;
        let alert = Alert {
            title: "Pool <!channel> & co".to_owned(),
            labels: Labels::from_pairs([("host", "db-1<script>")]).unwrap(),
            ..stage.alert("db.down", Critical)
        };
        let id = stage.accept(&[alert]).await.remove(0).incident.unwrap();
        let looked = stage.look().await;
        assert_eq!((looked.mails, looked.posts), (1, 2));
        for outcome in stage.post().await {
            assert_eq!(outcome.unwrap().0.unwrap()["message"], "sent");
        }
        let (request, body) = webhook.taken().remove(0);
        let header = |name: &str| {
            let line = request.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        let signer = standardwebhooks::Webhook::new(SECRET).unwrap();
        let text = request.split_once("\r\n\r\n").unwrap().1;
        let seconds: i64 = header("webhook-timestamp").parse().unwrap();
        assert_eq!(signer.sign(&header("webhook-id"), seconds, text.as_bytes()).unwrap(), header("webhook-signature"));
        assert_eq!((&body["type"], &body["data"]["severity"]), (&"alert.raised".into(), &"critical".into()));
        assert_eq!(body["data"]["incidents"][0]["id"], id.to_string());
        let url = body["data"]["acknowledge_url"].as_str().unwrap();
        let token = url.strip_prefix("https://post.test/acknowledge/").unwrap();
        let ring = stage.context.secrets.as_deref().unwrap();
        assert_eq!(link::read(ring, token, stage.now()).unwrap().to_string(), header("webhook-id"));

        let text = slack.taken()[0].1["text"].as_str().unwrap().to_owned();
        assert!(text.starts_with("*[critical] Pool &lt;!channel&gt; &amp; co*"), "{text}");
        assert!(text.contains("host=db-1&lt;script&gt;") && text.ends_with("|Acknowledge>"), "{text}");
        let states: Vec<_> = stage.notifications(id).await.iter().map(|told| told.notification.state).collect();
        assert_eq!(states, [NotificationState::Mailed, NotificationState::Sent, NotificationState::Sent]);
        assert!(stage.post().await.is_empty(), "nothing is posted twice");
    }

    async fn a_server_that_is_away_is_asked_again_and_after_some_failures_left_alone(stage) {
        let (webhook, slack) = stage.hooked().await;
        webhook.answer("503 Service Unavailable");
        let id = stage.fire("db.down", Critical).await.incident.unwrap();
        stage.look().await;
        for _ in 0..5 {
            let outcomes = stage.post().await;
            let waits = outcomes.iter().filter(|outcome| matches!(outcome, Err(Unfinished::RetryAfter { .. })));
            assert_eq!(waits.count(), 1, "{outcomes:?}");
        }
        assert!(matches!(stage.post().await[..], [Err(Unfinished::Snooze { .. })]), "left alone, at no cost");
        assert_eq!((webhook.taken().len(), slack.taken().len()), (5, 1));
        let waiting = &stage.queued().await[0];
        assert!(waiting.last_error.as_deref().unwrap().contains("503"), "{waiting:?}");
        webhook.answer("200 OK");
        stage.clock.advance(Duration::from_secs(15));
        assert!(matches!(stage.post().await[..], [Ok(_)]));
        let told = stage.notifications(id).await;
        assert!(told.iter().all(|told| told.notification.last_error.is_none()));
        assert_eq!(webhook.taken().len(), 6);
    }

    async fn a_server_that_says_gone_is_not_asked_again(stage) {
        let (webhook, _) = stage.hooked().await;
        webhook.answer("410 Gone");
        let id = stage.fire("db.down", Critical).await.incident.unwrap();
        stage.look().await;
        stage.post().await;
        assert!(stage.post().await.is_empty());
        let told = stage.notifications(id).await;
        let failed: Vec<_> = told.iter().filter(|told| told.notification.state == NotificationState::Failed).collect();
        assert_eq!(failed.len(), 1);
        assert!(failed[0].notification.last_error.as_deref().unwrap().contains("410"));
    }

    async fn the_other_way_tells_of_mails_that_do_not_get_through_once_and_in_no_circle(stage) {
        let (webhook, _) = stage.hooked().await;
        stage.fire("db.down", Critical).await;
        stage.look().await;
        stage.post().await;
        let mail = stage.mails().await.remove(0);
        let store = &stage.context.store;
        store.begin_sending(mail.id, mail.job_id, 7, stage.now()).await.unwrap();
        let report = store::AttemptReport { text: Some("no SPF record".to_owned()), ..store::AttemptReport::default() };
        assert!(store.mark_held(mail.id, 7, &report, stage.now()).await.unwrap());
        let incidents = store.active_incidents(100).await.unwrap().len();
        let looked = stage.after(1).await;
        assert_eq!((looked.mails, looked.posts), (0, 2), "a webhook and a chat");
        assert_eq!(stage.after(1).await.posts, 0);
        stage.post().await;
        let said = webhook.taken().pop().unwrap().1;
        assert_eq!(said["type"], "alert.undelivered");
        let text = said["text"].as_str().unwrap();
        assert!(text.contains("is held") && text.contains("no SPF record") && !text.contains("ana@"), "{text}");
        assert_eq!(store.active_incidents(100).await.unwrap().len(), incidents, "it is no incident");
        stage.play(20 * MINUTE).await;
        assert_eq!(webhook.taken().iter().filter(|(_, body)| body["type"] == "alert.undelivered").count(), 1);
    }

    async fn a_message_ends_with_its_mail(stage) {
        let id = stage.fire("db.down", Critical).await.incident.unwrap();
        stage.look().await;
        let mail = stage.mails().await.remove(0);
        let store = &stage.context.store;
        store.begin_sending(mail.id, mail.job_id, 7, stage.now()).await.unwrap();
        assert!(store.mark_sent(mail.id, 7, &store::AttemptReport::default(), stage.now()).await.unwrap());
        stage.after(1).await;
        let told = &stage.notifications(id).await[0];
        assert_eq!(told.notification.state, NotificationState::Sent);
        assert_eq!(told.delivery_state, Some(store::DeliveryState::Sent));
        assert!(!store.alerts_due().await.unwrap().mailed, "nothing is left to look after");
    }
}
