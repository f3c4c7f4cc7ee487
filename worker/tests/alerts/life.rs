//! What alerts, people and time do to incidents.

use std::time::Duration;

use alerting::Severity::{Critical, Info, Warning};
use alerting::{Alert, Labels, State};
use jiff::Timestamp;
use job::clock::after;
use store::{IncidentFilter, IncidentState};
use worker::alerts::{Deed, Handled, Outcome};

use crate::on_both;
use crate::stage::{HOUR, MINUTE, Stage};

impl Stage {
    async fn handle(&self, id: uuid::Uuid, deed: Deed) -> Handled {
        self.context.alerts.handle(&[id], deed, "ana", Some("looking"), self.now()).await.unwrap().remove(0)
    }

    async fn all(&self) -> usize {
        self.context.store.list_incidents(&IncidentFilter::default(), 100, None).await.unwrap().items.len()
    }
}

on_both! {
    async fn alerts_of_the_same_type_and_labels_count_on_one_incident(stage) {
        let first = stage.fire("db.down", Warning).await;
        assert_eq!((first.outcome, first.alerts), (Outcome::Opened, 1));
        stage.clock.advance(Duration::from_secs(5));
        let second = stage.fire("db.down", Warning).await;
        assert_eq!((second.outcome, second.incident, second.alerts), (Outcome::Counted, first.incident, 2));
        let other = Alert { labels: Labels::new(), ..stage.alert("db.down", Warning) };
        let other = stage.accept(&[other]).await.remove(0);
        assert_eq!(other.outcome, Outcome::Opened);
        assert_ne!(other.incident, first.incident);
        let incident = stage.incident(first.incident.unwrap()).await;
        assert_eq!((incident.alerts, incident.suppressed, incident.state), (2, 1, IncidentState::Open));
        assert_eq!(incident.last_seen_at, after(incident.first_seen_at, Duration::from_secs(5)));
        assert_eq!(stage.history(incident.id).await, ["opened"]);
    }

    async fn a_list_is_taken_in_its_order_and_one_transaction(stage) {
        let firing = stage.alert("db.down", Warning);
        let over = Alert { state: State::Resolved, ..firing.clone() };
        let answers = stage.accept(&[firing.clone(), over.clone(), over.clone(), firing.clone(), firing]).await;
        let outcomes: Vec<Outcome> = answers.iter().map(|answer| answer.outcome).collect();
        let expected =
            [Outcome::Opened, Outcome::Resolved, Outcome::NothingToResolve, Outcome::Reopened, Outcome::Counted];
        assert_eq!(outcomes, expected);
        let incident = stage.incident(answers[0].incident.unwrap()).await;
        assert_eq!((incident.alerts, incident.reopened, incident.state), (3, 1, IncidentState::Open));
        assert_eq!(stage.history(incident.id).await, ["opened", "resolved", "reopened"]);
        assert_eq!(stage.all().await, 1);
    }

    async fn an_end_before_any_beginning_is_an_answer_and_leaves_nothing(stage) {
        let answer = stage.over_with("db.down").await;
        assert_eq!((answer.outcome, answer.incident), (Outcome::NothingToResolve, None));
        assert_eq!(stage.all().await, 0);
    }

    async fn what_comes_back_soon_is_the_same_incident_and_later_a_new_one(stage) {
        let first = stage.fire("db.down", Warning).await.incident.unwrap();
        assert_eq!(stage.over_with("db.down").await.outcome, Outcome::Resolved);
        stage.clock.advance(Duration::from_secs(10 * MINUTE - 1));
        let again = stage.fire("db.down", Warning).await;
        assert_eq!((again.outcome, again.incident), (Outcome::Reopened, Some(first)));
        assert_eq!(stage.incident(first).await.reopened, 1);
        stage.over_with("db.down").await;
        stage.clock.advance(Duration::from_secs(10 * MINUTE));
        let later = stage.fire("db.down", Warning).await;
        assert_eq!(later.outcome, Outcome::Opened);
        assert_ne!(later.incident, Some(first));
        let retired = stage.incident(first).await;
        assert_eq!((retired.state, retired.retired_at), (IncidentState::Resolved, Some(stage.now())));
        assert_eq!(stage.all().await, 2);
    }

    async fn people_take_on_comment_and_end_incidents_and_twice_changes_nothing(stage) {
        let id = stage.fire("db.down", Warning).await.incident.unwrap();
        for _ in 0..2 {
            let Handled::Done(incident) = stage.handle(id, Deed::Acknowledge).await else { panic!() };
            assert_eq!((incident.state, incident.acknowledged_by.as_deref()), (IncidentState::Acknowledged, Some("ana")));
        }
        assert!(matches!(stage.handle(id, Deed::Comment).await, Handled::Done(_)));
        let Handled::Done(incident) = stage.handle(id, Deed::Resolve).await else { panic!() };
        assert_eq!((incident.state, incident.resolved_by.as_deref()), (IncidentState::Resolved, Some("ana")));
        assert!(matches!(stage.handle(id, Deed::Acknowledge).await, Handled::Over(_)));
        assert_eq!(stage.handle(uuid::Uuid::from_u128(7), Deed::Resolve).await, Handled::Missing);
        assert_eq!(stage.history(id).await, ["opened", "acknowledged", "commented", "commented", "resolved"]);
        assert_eq!(stage.fire("db.down", Warning).await.outcome, Outcome::Reopened);
        assert_eq!(stage.incident(id).await.acknowledged_by, None, "what came back is to be taken on anew");
    }

    async fn what_matters_more_than_before_is_to_be_taken_on_anew(stage) {
        let id = stage.fire("db.down", Warning).await.incident.unwrap();
        stage.handle(id, Deed::Acknowledge).await;
        stage.fire("db.down", Info).await;
        assert_eq!(stage.incident(id).await.state, IncidentState::Acknowledged, "less is no reason");
        stage.fire("db.down", Critical).await;
        let incident = stage.incident(id).await;
        assert_eq!((incident.state, incident.severity), (IncidentState::Open, Critical));
        assert_eq!(stage.history(id).await, ["opened", "acknowledged", "severity", "severity"]);
    }

    async fn an_alert_that_is_not_repeated_ends_by_its_own_end_or_after_a_while_or_never(stage) {
        let soon = Alert { ends_at: Some(after(stage.now(), Duration::from_secs(300))), ..stage.alert("a", Warning) };
        let never = Alert { ends_at: Some(Timestamp::MAX), ..stage.alert("c", Warning) };
        let answers = stage.accept(&[soon.clone(), stage.alert("b", Warning), never]).await;
        let ids: Vec<_> = answers.iter().map(|answer| answer.incident.unwrap()).collect();
        assert_eq!(stage.after(299).await.expired, 0);
        let longer = Alert { ends_at: Some(after(stage.now(), Duration::from_secs(300))), ..soon };
        stage.accept(&[longer]).await;
        assert_eq!(stage.after(299).await.expired, 0, "a repeated alert has a later end");
        assert_eq!(stage.after(1).await.expired, 1);
        assert_eq!(stage.incident(ids[0]).await.state, IncidentState::Resolved);
        assert_eq!(stage.history(ids[0]).await.last(), Some(&"expired"));
        assert_eq!(stage.after(24 * HOUR - 600).await.expired, 0);
        assert_eq!(stage.after(1).await.expired, 1);
        assert_eq!(stage.incident(ids[1]).await.state, IncidentState::Resolved);
        stage.after(300 * 24 * HOUR).await;
        assert_eq!(stage.incident(ids[2]).await.state, IncidentState::Open);
    }

    async fn incidents_are_listed_by_state_severity_type_and_label(stage) {
        for (kind, severity) in [("a", Warning), ("b", Critical), ("c", Info)] {
            stage.fire(kind, severity).await;
            stage.clock.advance(Duration::from_millis(2));
        }
        stage.over_with("c").await;
        let list = async |filter: IncidentFilter| {
            let page = stage.context.store.list_incidents(&filter, 100, None).await.unwrap();
            page.items.into_iter().map(|incident| incident.kind).collect::<Vec<_>>()
        };
        let all = IncidentFilter::default();
        assert_eq!(list(all.clone()).await, ["c", "b", "a"]);
        assert_eq!(list(IncidentFilter { states: vec![IncidentState::Open], ..all.clone() }).await, ["b", "a"]);
        assert_eq!(list(IncidentFilter { severity: Some(Critical), ..all.clone() }).await, ["b"]);
        assert_eq!(list(IncidentFilter { kind: Some("a".into()), ..all.clone() }).await, ["a"]);
        let label = |value: &str| IncidentFilter { labels: vec![("service".into(), value.into())], ..all.clone() };
        assert_eq!((list(label("search")).await.len(), list(label("other")).await.len()), (3, 0));
        let first = stage.context.store.list_incidents(&all, 2, None).await.unwrap();
        let second = stage.context.store.list_incidents(&all, 2, first.next_cursor.as_deref()).await.unwrap();
        assert_eq!((first.items.len(), second.items.len(), second.next_cursor), (2, 1, None));
        assert_eq!(stage.context.store.active_incidents(10).await.unwrap().len(), 2);
    }
}
