//! `postrider alerts list|show|ack|resolve`.

use std::sync::Arc;

use alerting::{Alert, Labels, Severity, State};
use job::{Clock, IdSource, SystemClock};
use store::{Store, StoreConfig};
use worker::alerts::Intake;

use crate::harness::Place;

#[tokio::test]
async fn incidents_are_listed_shown_taken_on_and_ended() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    assert_eq!(place.ok(&["alerts", "list"]).await, "");
    let store = Store::open(&StoreConfig::new(place.file_url("store.db"))).await.unwrap();
    let intake = Intake::new(store.clone(), Arc::default(), Arc::new(IdSource::new(Arc::new(SystemClock))));
    let now = SystemClock.now();
    let alert = Alert {
        kind: "db.down".to_owned(),
        severity: Severity::Critical,
        title: "The database is down".to_owned(),
        message: "No connection.".to_owned(),
        labels: Labels::from_pairs([("service", "search")]).unwrap(),
        details: alerting::Details::new(),
        state: State::Firing,
        starts_at: now,
        ends_at: None,
    };
    let id = intake.accept(&[alert], now).await.unwrap()[0].incident.unwrap().to_string();
    store.close().await;

    let listed = place.json(&["alerts", "list", "--severity", "critical", "--label", "service=search"]).await;
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["state"]), (&id.as_str().into(), &"open".into()));
    assert!(place.json(&["alerts", "list", "--label", "service=x"]).await["items"].as_array().unwrap().is_empty());
    let table = place.ok(&["alerts", "list"]).await;
    assert!(table.contains("The database is down") && table.contains("service=search"), "{table}");

    let said = place.ok(&["alerts", "ack", &id, "--by", "Ana", "--note", "looking"]).await;
    assert!(said.contains("taken on"), "{said}");
    let shown = place.ok(&["alerts", "show", &id]).await;
    for part in ["acknowledged by Ana: looking", "No connection.", "by Ana,"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(place.ok(&["alerts", "resolve", &id]).await.contains("over"));
    assert!(place.json(&["alerts", "list"]).await["items"].as_array().unwrap().is_empty());
    assert_eq!(place.json(&["alerts", "list", "--all"]).await["items"][0]["state"], "resolved");
    let detail = place.json(&["alerts", "show", &id]).await;
    let events: Vec<&str> =
        detail["timeline"].as_array().unwrap().iter().map(|item| item["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["opened", "acknowledged", "resolved"]);
    place.run(&["alerts", "ack", &id]).await.refused(1, &[]);
    place.run(&["alerts", "show", "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77"]).await.refused(1, &["no incident"]);
    place.run(&["alerts", "list", "--label", "x"]).await.refused(2, &["NAME=VALUE"]);
    place.run(&["alerts", "list", "--state", "burning"]).await.refused(2, &["open, acknowledged, resolved"]);
}
