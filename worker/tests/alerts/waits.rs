//! What waits for the end of its group's interval, and what does not wait for it.

use std::time::Duration;

use alerting::Severity::{Critical, Info, Warning};
use alerting::{RouteSpec, Routes, Step};
use worker::alerts::{AlertRules, Deed};

use crate::on_both;
use crate::stage::{HOUR, MINUTE, Stage, rules};

impl Stage {
    /// Critical ones are told together, to on-call, and after 15 minutes to the boss as well.
    fn with_one_group(&mut self) {
        let root = RouteSpec {
            receiver: Some("oncall".to_owned()),
            group_by: Some(vec!["service".to_owned()]),
            group_wait: Some(Duration::ZERO),
            escalate: Some(vec![Step { after: Duration::from_secs(15 * MINUTE), receiver: "boss".to_owned() }]),
            ..RouteSpec::default()
        };
        let routes = Routes::build(&root, &|_| true).unwrap();
        self.play_by(AlertRules { routes, ..rules() });
    }

    /// The same, after a warning was told.
    async fn warned_in_one_group(&mut self) {
        self.with_one_group();
        self.fire("db.down", Warning).await;
        self.look().await;
    }

    pub async fn to(&self, address: &str) -> Vec<String> {
        let told = self.told().await;
        told.into_iter()
            .filter(|line| line.contains(address))
            .map(|line| line.replace(&format!(" {address}"), ""))
            .collect()
    }
}

on_both! {
    async fn news_in_a_group_does_not_put_off_an_escalation_nor_does_that_bring_news_forward(stage) {
        stage.with_one_group();
        stage.fire("a", Critical).await;
        assert_eq!(stage.look().await.mails, 1);
        stage.play(14 * MINUTE).await;
        stage.fire("b", Critical).await;
        assert_eq!(stage.look().await.mails, 1, "long after the last message there is no wait");
        stage.play(MINUTE / 2).await;
        stage.fire("c", Critical).await;
        let rest = stage.play(5 * MINUTE).await;
        assert_eq!(rest, [(30, 1), (4 * MINUTE + 30, 1)], "the boss at 15:00, and c five minutes after b");
        assert_eq!(stage.to("boss@example.com").await, ["raised a is wrong"]);
    }

    async fn an_end_waits_for_the_interval_although_the_group_is_looked_at_for_another_reason(stage) {
        stage.with_one_group();
        stage.fire("a", Critical).await;
        stage.look().await;
        stage.play(14 * MINUTE).await;
        stage.fire("b", Critical).await;
        stage.look().await;
        stage.over_with("b").await;
        assert_eq!(stage.play(5 * MINUTE).await, [(MINUTE, 1), (5 * MINUTE, 1)], "the boss at 15:00; the end of b at 19:00");
        stage.over_with("a").await;
        assert_eq!(stage.play(HOUR).await, [(5 * MINUTE, 2)], "on-call and the boss");
        assert_eq!(stage.context.store.alerts_due().await.unwrap().at, None);
    }

    async fn who_was_told_of_a_warning_is_told_of_its_end_although_it_became_critical_in_the_same_group(stage) {
        stage.warned_in_one_group().await;
        // After a quarter of an hour the boss knows, too.
        stage.play(16 * MINUTE).await;
        stage.fire("db.down", Critical).await;
        // Before it was told how much it matters now.
        stage.over_with("db.down").await;
        stage.play(10 * MINUTE).await;
        let both = ["raised db.down is wrong", "resolved db.down is wrong"];
        assert_eq!(stage.to("ana@example.com").await, both);
        assert_eq!(stage.to("boss@example.com").await, both);
        assert_eq!(stage.context.store.alerts_due().await.unwrap().at, None, "no group is left");
    }

    async fn what_became_critical_is_told_and_escalated_anew_in_the_same_group(stage) {
        stage.warned_in_one_group().await;
        stage.play(MINUTE).await;
        stage.fire("db.down", Critical).await;
        assert_eq!(stage.play(25 * MINUTE).await, [(4 * MINUTE, 1), (19 * MINUTE, 1)], "news, and the boss 15 minutes later");
        assert_eq!(stage.to("ana@example.com").await, ["raised db.down is wrong", "raised db.down is wrong"]);
    }

    async fn what_comes_back_as_more_before_its_end_was_told_is_news(stage) {
        stage.warned_in_one_group().await;
        stage.play(30).await;
        stage.over_with("db.down").await;
        stage.play(MINUTE).await;
        stage.fire("db.down", Critical).await;
        stage.play(10 * MINUTE).await;
        assert_eq!(stage.to("ana@example.com").await, ["raised db.down is wrong", "raised db.down is wrong"]);
    }

    async fn who_was_told_of_a_warning_is_told_of_its_end_when_it_had_become_critical(stage) {
        let id = stage.fire("db.down", Warning).await.incident.unwrap();
        stage.play(30).await;
        stage.fire("db.down", Critical).await;
        stage.play(10 * MINUTE).await;
        stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
        stage.play(5 * HOUR).await;
        stage.over_with("db.down").await;
        stage.play(10 * MINUTE).await;
        let both = ["raised db.down is wrong", "resolved db.down is wrong"];
        assert_eq!(stage.to("ops@example.com").await, both, "neither repeated nor forgotten");
        assert_eq!(stage.to("ana@example.com").await, both);
        assert_eq!(stage.context.store.alerts_due().await.unwrap().at, None, "no group is left");
    }

    async fn what_became_less_than_critical_is_not_escalated_and_its_end_is_told_to_both(stage) {
        stage.fire("db.down", Critical).await;
        stage.look().await;
        stage.fire("db.down", Warning).await;
        stage.play(HOUR).await;
        stage.over_with("db.down").await;
        stage.play(10 * MINUTE).await;
        let both = ["raised db.down is wrong", "resolved db.down is wrong"];
        assert_eq!((stage.to("ana@example.com").await, stage.to("ops@example.com").await), (both.map(str::to_owned).to_vec(), both.map(str::to_owned).to_vec()));
        assert!(stage.to("boss@example.com").await.is_empty());
    }

    async fn nobody_is_told_of_an_end_twice(stage) {
        let mut rules = rules();
        // Ana is on call, and the boss of herself; and warnings go to her, too.
        for receiver in ["ops", "boss"] {
            rules.receivers.get_mut(receiver).unwrap().emails.push("ana@example.com".to_owned());
        }
        stage.play_by(rules);
        stage.fire("db.down", Warning).await;
        stage.play(30).await;
        stage.fire("db.down", Critical).await;
        stage.play(16 * MINUTE).await;
        stage.over_with("db.down").await;
        stage.play(10 * MINUTE).await;
        let ends = async |address| stage.to(address).await.iter().filter(|line| line.starts_with("resolved")).count();
        assert_eq!((ends("ana@example.com").await, ends("ops@example.com").await, ends("boss@example.com").await), (1, 1, 1));
    }

    async fn a_group_that_is_quiet_says_nothing_of_what_began_and_ended_meanwhile(stage) {
        stage.fire("a", Info).await;
        stage.play(30).await;
        let id = stage.fire("b", Info).await.incident.unwrap();
        stage.play(MINUTE).await;
        stage.over_with("b").await;
        assert_eq!(stage.play(HOUR).await, []);
        assert_eq!(stage.history(id).await, ["opened", "resolved", "brief"]);
    }
}
