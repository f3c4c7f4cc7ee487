//! When everything breaks at once: digests, the hourly cap, and counts that are right to the last alert.

use std::collections::HashMap;
use std::time::Duration;

use alerting::Severity::{Critical, Info, Warning};
use alerting::{Alert, Labels, State};
use store::{Channel, NotificationState, Reason};
use worker::alerts::AlertRules;

use crate::on_both;
use crate::stage::{HOUR, MINUTE, Stage, rules};

impl Stage {
    /// Digests by address.
    async fn digests(&self) -> HashMap<String, usize> {
        let mut digests = HashMap::new();
        for mail in self.mails().await {
            *digests.entry(mail.recipient).or_default() += usize::from(mail.template == "alert_digest");
        }
        digests
    }
}

/// A storm at a size that a debug build does in a few seconds: so many alerts of so many types, from callers at the same
/// time, one by one and in lists.
async fn storm(stage: &mut Stage, alerts: usize, types: usize, callers: usize) {
    let context = stage.context.clone();
    let all: Vec<Alert> = (0..alerts)
        .map(|n| stage.alert(&format!("kind.{:04}", n % types), [Info, Warning, Critical][n % types % 3]))
        .collect();
    let each = alerts.div_ceil(callers);
    let calls = all.chunks(each).enumerate().map(|(caller, mine)| {
        let (intake, now, mine) = (context.alerts.clone(), context.clock.now(), mine.to_vec());
        tokio::spawn(async move {
            let size = if caller % 2 == 0 { 1 } else { 37 };
            for some in mine.chunks(size) {
                assert_eq!(intake.accept(some, now).await.unwrap().len(), some.len());
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let active = context.store.active_incidents(100_000).await.unwrap();
    assert_eq!(active.len(), types);
    let counted: i64 = active.iter().map(|incident| incident.alerts).sum();
    assert_eq!(counted, i64::try_from(alerts).unwrap(), "nothing is lost and nothing counted twice");
    for incident in &active {
        let n: usize = incident.kind[5..].parse().unwrap();
        let expected = alerts / types + usize::from(n < alerts % types);
        assert_eq!(incident.alerts, i64::try_from(expected).unwrap(), "{}", incident.kind);
        assert_eq!(incident.suppressed, incident.alerts - 1, "{}", incident.kind);
    }
}

on_both! {
    async fn a_storm_is_counted_right_and_told_in_one_digest_a_person_and_interval(stage) {
        let types = 280;
        storm(stage, 10_000, types, 16).await;
        stage.play(4 * MINUTE).await;
        assert_eq!(stage.digests().await, HashMap::from([("ops@example.com".into(), 1), ("ana@example.com".into(), 1)]));
        assert_eq!(stage.mails().await.len(), 2, "nobody got anything but the digest");
        let mails = stage.mails().await;
        let named: i64 = mails.iter().map(|mail| mail.data["total"].as_i64().unwrap()).sum();
        assert_eq!(named, i64::try_from(types).unwrap(), "each incident is told once");
        assert!(mails.iter().all(|mail| mail.data["mails_per_hour"].is_null() && !mail.data["more"].is_null()));
        stage.play(20 * MINUTE).await;
        // Who is second in line hears of the critical ones that nobody took on.
        let digests = stage.digests().await;
        assert_eq!((digests["ops@example.com"], digests["ana@example.com"]), (1, 1));
        assert_eq!(digests.values().sum::<usize>(), stage.mails().await.iter().filter(|m| m.template == "alert_digest").count());
    }

    async fn what_follows_a_storm_is_told_singly_again(stage) {
        stage.play_by(AlertRules { storm: worker::alerts::Storm { incidents_per_minute: 3, ..rules().storm }, ..rules() });
        for n in 0..4 {
            stage.fire(&format!("kind.{n}"), Critical).await;
        }
        stage.look().await;
        assert_eq!(stage.mails().await.len(), 0, "more than three within a minute");
        assert_eq!(stage.play(MINUTE).await, [(30, 1)]);
        stage.play(5 * MINUTE).await;
        stage.fire("later", Critical).await;
        stage.look().await;
        assert_eq!(stage.told().await, ["digest ana@example.com digest", "raised ana@example.com later is wrong"]);
    }

    async fn a_person_gets_no_more_mails_an_hour_than_the_cap_and_the_last_tells_what_is_held(stage) {
        stage.play_by(AlertRules { mails_per_hour: 4, ..rules() });
        for n in 0..20 {
            stage.fire(&format!("kind.{n}"), Critical).await;
            stage.play(MINUTE).await;
        }
        stage.play(30 * MINUTE).await;
        let to_ana = async || stage.mails().await.into_iter().filter(|mail| mail.recipient == "ana@example.com").collect::<Vec<_>>();
        let templates = |mails: &[store::Delivery]| mails.iter().map(|mail| mail.template.clone()).collect::<Vec<_>>();
        let within = to_ana().await;
        assert_eq!(templates(&within), ["alert_raised", "alert_raised", "alert_raised", "alert_digest"]);
        assert_eq!(within[3].data["mails_per_hour"], 4);
        stage.play(20 * MINUTE).await;
        let later = to_ana().await;
        assert_eq!(templates(&later)[4..], ["alert_digest"], "what was held until the hour was over");
        let told: i64 = later[3..].iter().map(|mail| mail.data["total"].as_i64().unwrap()).sum();
        assert_eq!(told, 17, "every incident was told once");
    }

    async fn what_is_held_says_so_and_is_gathered_by_its_digest(stage) {
        stage.play_by(AlertRules { mails_per_hour: 2, ..rules() });
        stage.fire("first", Critical).await;
        stage.look().await;
        let id = stage.fire("second", Critical).await.incident.unwrap();
        assert_eq!(stage.look().await.held, 1);
        let state = async || stage.notifications(id).await[0].notification.state;
        assert_eq!(state().await, NotificationState::Held);
        let due = stage.context.store.alerts_due().await.unwrap().at.unwrap();
        assert_eq!(due, job::clock::after(stage.now(), Duration::from_secs(30)), "the digest is due for sure");
        stage.play(30).await;
        let told = stage.notifications(id).await;
        assert_eq!(told[0].notification.state, NotificationState::Gathered);
        let digest = stage.context.store.get_notification(told[0].notification.digest_id.unwrap()).await.unwrap().unwrap();
        assert_eq!((digest.reason, digest.target.channel), (Reason::Digest, Channel::Email));
        let about = stage.context.store.notified_incidents(digest.id, 10).await.unwrap();
        assert_eq!(about.iter().map(|(incident, _)| incident.id).collect::<Vec<_>>(), [id]);
    }

    async fn callers_at_the_same_time_open_one_incident(stage) {
        let others = [stage.another().await, stage.another().await];
        for n in 0..20 {
            let alert = Alert { labels: Labels::from_pairs([("n", n.to_string())]).unwrap(), ..stage.alert("db.down", Warning) };
            let now = stage.now();
            let calls = others.iter().chain([&stage.context]).map(|context| {
                let (alerts, alert) = (context.alerts.clone(), alert.clone());
                async move { alerts.accept(&[alert.clone(), Alert { state: State::Firing, ..alert }], now).await.unwrap() }
            });
            let answers = futures::future::join_all(calls).await;
            let ids: std::collections::HashSet<_> = answers.iter().flatten().map(|answer| answer.incident).collect();
            assert_eq!(ids.len(), 1);
            let incident = stage.incident(ids.into_iter().next().unwrap().unwrap()).await;
            assert_eq!(incident.alerts, 6);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escalations_of_a_storm_come_as_one_digest_too() {
    let mut stage = Stage::in_memory().await;
    storm(&mut stage, 400, 200, 4).await;
    stage.play(HOUR).await;
    let digests = stage.digests().await;
    assert!(digests["boss@example.com"] <= 2, "{digests:?}");
    let singly = stage.mails().await.iter().filter(|mail| mail.template != "alert_digest").count();
    assert!(singly <= 2 * 30, "{singly}");
}
