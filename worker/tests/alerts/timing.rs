//! When who is told: each rule of time, to the second.

use std::time::Duration;

use alerting::Severity::{Critical, Info, Warning};
use alerting::{Alert, Labels};
use store::{IncidentState, Reason};
use worker::alerts::Deed;

use crate::on_both;
use crate::stage::{HOUR, MINUTE, rules};

on_both! {
    async fn the_first_of_a_group_waits_for_others_and_they_are_told_together(stage) {
        stage.fire("a", Info).await;
        assert_eq!(stage.after(29).await.mails, 0);
        stage.fire("b", Info).await;
        let looked = stage.after(1).await;
        assert_eq!((looked.groups, looked.mails), (1, 1));
        assert_eq!(stage.told().await, ["group ops@example.com a is wrong"]);
        let mail = &stage.mails().await[0];
        assert_eq!((mail.data["news"].as_array().unwrap().len(), &mail.data["others"]), (2, &1.into()));
    }

    async fn what_is_new_in_a_group_waits_for_the_interval(stage) {
        stage.fire("a", Info).await;
        assert_eq!(stage.play(30).await, [(30, 1)]);
        stage.fire("b", Info).await;
        assert_eq!(stage.play(5 * MINUTE - 1).await, []);
        assert_eq!(stage.play(1).await, [(1, 1)]);
        let mails = stage.mails().await;
        let titles = |n: usize, list: &str| {
            let all = mails[n].data[list].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap().to_owned());
            all.collect::<Vec<_>>()
        };
        assert_eq!((titles(1, "news"), titles(1, "still")), (vec!["b is wrong".to_owned()], vec!["a is wrong".to_owned()]));
        stage.play(2 * 5 * MINUTE).await;
        stage.fire("c", Info).await;
        assert_eq!(stage.play(30).await, [(30, 1)], "long after the last message only the wait counts");
    }

    async fn a_group_repeats_itself_while_nobody_takes_it_on(stage) {
        let id = stage.fire("a", Warning).await.incident.unwrap();
        assert_eq!(stage.play(30).await, [(30, 1)]);
        assert_eq!(stage.after(4 * HOUR - 1).await.mails, 0);
        assert_eq!(stage.after(1).await.mails, 1);
        let last = stage.mails().await.pop().unwrap();
        assert_eq!((last.template.as_str(), &last.data["reason"]), ("alert_raised", &"repeated".into()));
        stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
        assert_eq!(stage.after(4 * HOUR).await.mails, 0);
        assert_eq!(stage.after(4 * HOUR).await.mails, 0);
        stage.over_with("a").await;
        assert_eq!(stage.after(0).await.mails, 1);
        let last = stage.mails().await.pop().unwrap();
        assert_eq!((last.template.as_str(), &last.data["acknowledged_by"]), ("alert_resolved", &"ana".into()));
        assert_eq!(stage.context.store.alerts_due().await.unwrap().at, None, "the group has ended");
    }

    async fn the_end_is_told_after_the_interval_and_that_of_what_was_not_told_never(stage) {
        stage.fire("a", Warning).await;
        stage.play(30).await;
        stage.over_with("a").await;
        assert_eq!(stage.play(5 * MINUTE - 1).await, []);
        assert_eq!(stage.play(1).await, [(1, 1)]);
        let id = stage.fire("b", Warning).await.incident.unwrap();
        stage.clock.advance(Duration::from_secs(29));
        stage.over_with("b").await;
        assert_eq!(stage.play(HOUR).await, []);
        assert_eq!(stage.told().await, ["raised ops@example.com a is wrong", "resolved ops@example.com a is wrong"]);
        assert_eq!(stage.history(id).await, ["opened", "resolved", "brief"]);
    }

    async fn what_flaps_within_the_interval_is_told_once(stage) {
        stage.fire("a", Warning).await;
        stage.play(30).await;
        for _ in 0..5 {
            stage.over_with("a").await;
            stage.play(10).await;
            stage.fire("a", Warning).await;
            stage.play(10).await;
        }
        assert_eq!(stage.play(10 * MINUTE).await, []);
        assert_eq!(stage.told().await, ["raised ops@example.com a is wrong"]);
        stage.over_with("a").await;
        assert_eq!(stage.play(1).await, [(1, 1)]);
        stage.fire("a", Warning).await;
        assert_eq!(stage.play(5 * MINUTE).await, [(30, 1)], "its end was told and the group was over: it is news");
        assert_eq!(stage.mails().await.pop().unwrap().data["reopened"], 6);
    }

    async fn nobody_acknowledges_and_the_next_are_told_step_by_step(stage) {
        let id = stage.fire("db.down", Critical).await.incident.unwrap();
        assert_eq!(stage.look().await.mails, 1, "critical ones do not wait");
        assert_eq!(stage.play(40 * MINUTE).await, [(15 * MINUTE, 1), (30 * MINUTE, 1)]);
        let to = |mail: &store::Delivery| (mail.recipient.clone(), mail.data["reason"].as_str().unwrap().to_owned());
        let told: Vec<_> = stage.mails().await.iter().map(to).collect();
        let expected = [("ana@example.com", "raised"), ("boss@example.com", "escalated"), ("ops@example.com", "escalated")];
        assert_eq!(told, expected.map(|(who, why)| (who.to_owned(), why.to_owned())));
        let reasons: Vec<Reason> =
            stage.notifications(id).await.iter().map(|told| told.notification.reason).collect();
        assert_eq!(reasons, [Reason::Raised, Reason::Escalated, Reason::Escalated]);
        stage.over_with("db.down").await;
        assert_eq!(stage.look().await.mails, 3, "whoever was told is told of its end");
    }

    async fn who_acknowledges_in_time_spares_the_next(stage) {
        let id = stage.fire("db.down", Critical).await.incident.unwrap();
        stage.look().await;
        stage.play(15 * MINUTE - 1).await;
        stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
        assert_eq!(stage.play(2 * HOUR).await, []);
    }

    async fn what_becomes_critical_is_told_to_who_is_on_call_and_no_longer_repeated_to_the_others(stage) {
        let id = stage.fire("db.down", Warning).await.incident.unwrap();
        stage.play(30).await;
        stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
        stage.fire("db.down", Critical).await;
        assert_eq!(stage.look().await.mails, 1);
        stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
        stage.after(4 * HOUR).await;
        assert_eq!(stage.told().await, ["raised ops@example.com db.down is wrong", "raised ana@example.com db.down is wrong"]);
    }

    async fn a_critical_one_mutes_its_warning_until_it_is_over(stage) {
        // The same type and labels, but for one that only the warning's rule sets.
        let warning = Alert { labels: Labels::from_pairs([("service", "db"), ("rule", "w")]).unwrap(), ..stage.alert("db.slow", Warning) };
        let critical = Alert { labels: Labels::from_pairs([("service", "db"), ("rule", "c")]).unwrap(), ..stage.alert("db.slow", Critical) };
        let mut standing = rules();
        standing.inhibitions[0].equal = alerting::Equal::Labels(vec!["alertname".to_owned(), "service".to_owned()]);
        stage.play_by(standing);
        let ids: Vec<_> = stage.accept(&[critical.clone(), warning]).await.iter().map(|a| a.incident.unwrap()).collect();
        stage.play(20 * MINUTE - 1).await;
        let told = stage.told().await;
        assert_eq!(told, ["raised ana@example.com db.slow is wrong", "raised boss@example.com db.slow is wrong"]);
        assert_eq!(stage.history(ids[1]).await, ["opened", "muted"]);
        stage.accept(&[Alert { state: alerting::State::Resolved, ..critical }]).await;
        stage.play(6 * MINUTE).await;
        assert_eq!(stage.history(ids[1]).await, ["opened", "muted", "unmuted"]);
        assert!(stage.told().await.contains(&"raised ops@example.com db.slow is wrong".to_owned()));
    }

    async fn what_time_ends_is_told_as_over(stage) {
        let ends_at = Some(job::clock::after(stage.now(), Duration::from_secs(10 * MINUTE)));
        let answer = stage.accept(&[Alert { ends_at, ..stage.alert("a", Warning) }]).await.remove(0);
        assert_eq!(stage.play(HOUR).await, [(30, 1), (10 * MINUTE, 1)]);
        assert_eq!(stage.incident(answer.incident.unwrap()).await.state, IncidentState::Resolved);
        assert_eq!(stage.told().await, ["raised ops@example.com a is wrong", "resolved ops@example.com a is wrong"]);
    }

    async fn whoever_configures_other_routes_leaves_nothing_untold(stage) {
        let id = stage.fire("db.down", Warning).await.incident.unwrap();
        stage.play(30).await;
        let mut other = rules();
        let root = alerting::RouteSpec {
            receiver: Some("boss".to_owned()),
            routes: vec![alerting::RouteSpec {
                matchers: vec!["service=\"search\"".parse().unwrap()],
                receiver: Some("oncall".to_owned()),
                ..alerting::RouteSpec::default()
            }],
            ..alerting::RouteSpec::default()
        };
        other.routes = alerting::Routes::build(&root, &|_| true).unwrap();
        stage.play_by(other);
        stage.play(4 * HOUR + MINUTE).await;
        assert_eq!(stage.told().await, ["raised ops@example.com db.down is wrong", "raised ana@example.com db.down is wrong"]);
        stage.over_with("db.down").await;
        stage.play(5 * MINUTE).await;
        assert_eq!(stage.told().await.last().unwrap(), "resolved ana@example.com db.down is wrong");
        assert_eq!(stage.incident(id).await.state, IncidentState::Resolved);
    }

    async fn any_number_of_workers_tell_each_thing_once(stage) {
        let others = [stage.another().await, stage.another().await, stage.another().await];
        for n in 0..20 {
            stage.fire(&format!("kind.{n}"), Critical).await;
        }
        let looks = others.iter().map(worker::alerts::clockwork::once);
        let looked: Vec<_> = futures::future::join_all(looks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(looked.iter().map(|looked| looked.mails).sum::<usize>() + stage.look().await.mails, 20);
        let mut told = stage.told().await;
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 20);
    }
}
