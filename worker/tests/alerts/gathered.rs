//! What a storm is: so much that is about to be told to one person or channel, whatever it waits for.

use std::time::Duration;

use alerting::Severity::{Critical, Warning};
use alerting::{Alert, RouteSpec, Routes, Severity, Silence};
use store::{Change, Notification, Reason};
use uuid::Uuid;
use worker::alerts::AlertRules;

use crate::on_both;
use crate::stage::{HOUR, MINUTE, Stage, rules};

impl Stage {
    async fn burst(&self, incidents: usize, severity: Severity) {
        let all: Vec<Alert> = (0..incidents).map(|n| self.alert(&format!("kind.{n:03}"), severity)).collect();
        self.accept(&all).await;
    }

    async fn calm(&self, incidents: usize) {
        for n in 0..incidents {
            self.over_with(&format!("kind.{n:03}")).await;
        }
    }

    async fn digest_posts(&self) -> Vec<Notification> {
        let mut digests = Vec::new();
        for told in self.queued().await {
            assert_eq!(told.reason, Reason::Digest, "nothing is posted singly: {told:?}");
            digests.push(told);
        }
        digests
    }
}

fn waiting(seconds: u64) -> AlertRules {
    let root = RouteSpec {
        receiver: Some("ops".to_owned()),
        group_wait: Some(Duration::from_secs(seconds)),
        ..RouteSpec::default()
    };
    AlertRules { routes: Routes::build(&root, &|_| true).unwrap(), ..rules() }
}

on_both! {
    async fn a_storm_is_one_digest_although_its_groups_wait_for_more_than_a_minute(stage) {
        stage.play_by(waiting(5 * MINUTE));
        stage.burst(40, Warning).await;
        assert_eq!(stage.play(10 * MINUTE).await, [(5 * MINUTE + 30, 1)]);
        assert_eq!(stage.mails().await[0].data["total"], 40);
    }

    async fn a_storm_that_comes_bit_by_bit_is_seen_before_its_first_mail(stage) {
        stage.play_by(waiting(30));
        for n in 0..60 {
            stage.fire(&format!("kind.{n:03}"), Warning).await;
            stage.fire(&format!("kin.{n:03}"), Warning).await;
            stage.play(1).await;
        }
        stage.play(10 * MINUTE).await;
        let templates: Vec<_> = stage.mails().await.into_iter().map(|mail| mail.template).collect();
        assert!(templates.len() <= 2 && templates.iter().all(|template| template == "alert_digest"), "{templates:?}");
    }

    async fn the_end_of_a_storm_and_its_repeats_are_digests_too(stage) {
        let (_webhook, _slack) = stage.hooked().await;
        stage.burst(40, Critical).await;
        stage.look().await;
        assert_eq!(stage.play(MINUTE).await, [(30, 3)], "mail, webhook and chat");
        stage.settle(&stage.mails().await[0], "sent").await;
        stage.calm(40).await;
        assert_eq!(stage.play(9 * MINUTE).await, [(5 * MINUTE - 30, 3)], "five minutes after the first digest");
        assert_eq!(stage.digest_posts().await.len(), 4);
        assert_eq!(stage.mails().await.len(), 2);
        assert_eq!(stage.context.store.alerts_due().await.unwrap().at, None);

        stage.burst(40, Warning).await;
        let began = stage.mails().await.len();
        stage.play(4 * HOUR + 5 * MINUTE).await;
        let digests: Vec<_> = stage.mails().await.split_off(began);
        assert_eq!(digests.iter().map(|mail| mail.template.as_str()).collect::<Vec<_>>(), ["alert_digest"; 2], "and repeated");
    }

    async fn what_is_silenced_makes_no_storm(stage) {
        let silence = Silence {
            id: Uuid::from_u128(7),
            matchers: vec!["alertname=~\"kind.+\"".parse().unwrap()],
            created_by: "ana".to_owned(),
            comment: String::new(),
            starts_at: stage.now(),
            ends_at: stage.now() + Duration::from_secs(HOUR),
        };
        stage.context.store.insert_silence(&silence, "tests", stage.now()).await.unwrap();
        stage.burst(60, Critical).await;
        let id = stage.fire("db.down", Critical).await.incident.unwrap();
        assert_eq!(stage.look().await.mails, 1);
        assert_eq!(stage.told().await, ["raised ana@example.com db.down is wrong"]);
        assert_eq!(stage.notifications(id).await[0].change, Change::News);
        stage.play(10 * MINUTE).await;
        stage.fire("web.down", Critical).await;
        assert_eq!(stage.look().await.mails, 1, "nor when they are looked at again");
    }

    async fn who_has_no_storm_of_their_own_is_told_singly(stage) {
        stage.burst(40, Warning).await;
        stage.fire("db.down", Critical).await;
        assert_eq!(stage.look().await.mails, 1, "the warnings are somebody else's");
        assert_eq!(stage.play(2 * MINUTE).await, [(MINUTE, 1)]);
        assert_eq!(stage.told().await, ["raised ana@example.com db.down is wrong", "digest ops@example.com digest"]);
    }

    async fn a_digest_of_one_is_called_by_its_name(stage) {
        stage.play_by(AlertRules { mails_per_hour: 2, ..rules() });
        stage.fire("first", Critical).await;
        stage.look().await;
        let id = stage.fire("second", Critical).await.incident.unwrap();
        stage.play(MINUTE).await;
        let digest = stage.notifications(id).await[0].notification.digest_id.unwrap();
        assert_eq!(stage.context.store.get_notification(digest).await.unwrap().unwrap().title, "second is wrong");
        let mail = stage.mails().await.pop().unwrap();
        let renderer = mail::Renderer::new(None).unwrap();
        let said = renderer.render(&mail.template, &mail::Locale::or_english(None), &mail.data).unwrap();
        assert_eq!(said.subject, "[critical] second is wrong");
        assert!(said.text.starts_with("1 alert in 1 minute."), "{}", said.text);
    }
}
