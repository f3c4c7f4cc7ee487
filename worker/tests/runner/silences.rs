//! What is silenced is counted and not told, and told when the silence is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alerting::{Alert, Details, Labels, Severity, Silence, State};
use job::{Clock, ManualClock};
use store::Put;
use uuid::Uuid;
use worker::Context;
use worker::alerts::{AlertRules, Intake, OPERATORS, Receiver, clockwork};

use crate::stage::Stage;

fn alert(host: &str, clock: &ManualClock) -> Alert {
    Alert {
        kind: "disk".to_owned(),
        severity: Severity::Warning,
        title: "The disk is nearly full".to_owned(),
        message: String::new(),
        labels: Labels::from_pairs([("host", host)]).unwrap(),
        details: Details::new(),
        state: State::Firing,
        starts_at: clock.now(),
        ends_at: None,
    }
}

#[tokio::test]
async fn a_silence_mutes_and_when_it_is_over_what_still_goes_on_is_told() {
    let clock = ManualClock::at("2026-05-01T12:00:00Z".parse().unwrap());
    let stage = Stage::at(&clock).await;
    let operators = Receiver { emails: vec!["ops@example.com".to_owned()], ..Receiver::default() };
    let rules = AlertRules {
        receivers: BTreeMap::from([(OPERATORS.to_owned(), operators)]),
        resolve_timeout: Duration::from_secs(86_400),
        ..AlertRules::default()
    };
    let intake = Intake::new(stage.context.store.clone(), Arc::new(rules), Arc::clone(&stage.context.ids));
    let context = Context { alerts: intake.clone(), ..stage.context.clone() };
    let silence = Silence {
        id: Uuid::from_u128(7),
        matchers: vec!["host=\"db-1\"".parse().unwrap(), "alertname=\"disk\"".parse().unwrap()],
        created_by: "Ana".to_owned(),
        comment: String::new(),
        starts_at: clock.now(),
        ends_at: clock.now() + Duration::from_secs(3_600),
    };
    let put = context.store.insert_silence(&silence, "tests", clock.now()).await.unwrap();
    assert!(matches!(put, Put::Done(_)));

    let mut told = 0;
    let mut look = async |minutes: u64| {
        for _ in 0..minutes {
            clock.advance(Duration::from_secs(60));
            told += clockwork::once(&context).await.unwrap().mails;
        }
        told
    };
    intake.accept(&[alert("db-1", &clock)], clock.now()).await.unwrap();
    assert_eq!(look(30).await, 0, "it is silenced");
    let incidents = context.store.active_incidents(10).await.unwrap();
    assert_eq!((incidents.len(), incidents[0].alerts), (1, 1), "and counted");
    intake.accept(&[alert("db-2", &clock)], clock.now()).await.unwrap();
    assert_eq!(look(10).await, 1, "another host is not");
    assert_eq!(look(40).await, 2, "the silence is over, and it still goes on");
}
