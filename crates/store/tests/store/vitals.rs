//! What a watch reads: how mail fares, and whether everything that burns is told. On both databases.

use alerting::{Alert, Labels, Severity, State};
use store::{
    AttemptReport, Category, Changes, DeliveryState, GroupCall, Incident, IncidentChange, IncidentState, MailVitals,
    NewDelivery, OpenIncidents, Store, WhichIncidents,
};
use uuid::Uuid;

use crate::both::{at, fresh_id, mail, on_both};

const TOKEN: u64 = 7;

/// A mail of this category, brought to `state` at second `end`.
async fn mail_that_is(store: &Store, state: DeliveryState, category: Category, end: i64) {
    let new = NewDelivery { category, ..mail(&fresh_id().to_string()) };
    let mail = store.insert_deliveries(&[new], at(0)).await.unwrap().remove(0);
    let id = mail.id;
    store.begin_sending(id, mail.job_id, TOKEN, at(1)).await.unwrap();
    let report = AttemptReport::default();
    let done = match state {
        DeliveryState::Failed => store.mark_failed(id, TOKEN, &report, at(end)).await.unwrap(),
        DeliveryState::Unknown => store.mark_unknown(id, TOKEN, &report, at(end)).await.unwrap(),
        DeliveryState::Held => store.mark_held(id, TOKEN, &report, at(end)).await.unwrap(),
        _ => store.mark_sent(id, TOKEN, &report, at(end)).await.unwrap(),
    };
    assert!(done);
}

fn incident(kind: &str, opened: i64) -> Incident {
    let alert = Alert {
        kind: kind.to_owned(),
        severity: Severity::Warning,
        title: kind.to_owned(),
        message: String::new(),
        labels: Labels::new(),
        details: alerting::Details::new(),
        state: State::Firing,
        starts_at: at(opened),
        ends_at: None,
    };
    Incident {
        id: fresh_id(),
        fingerprint: alert.fingerprint().to_string(),
        kind: alert.kind,
        severity: alert.severity,
        title: alert.title,
        message: alert.message,
        labels: alert.labels,
        details: alert.details,
        state: IncidentState::Open,
        alerts: 1,
        suppressed: 0,
        reopened: 0,
        starts_at: at(opened),
        first_seen_at: at(opened),
        opened_at: at(opened),
        last_seen_at: at(opened),
        expires_at: None,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        retired_at: None,
    }
}

/// Writes an incident, with a group that is going to look or with none.
async fn open(store: &Store, incident: Incident, with_group: bool) -> Uuid {
    let id = incident.id;
    let call = GroupCall {
        key: format!("group of {}", incident.kind),
        route: "root".to_owned(),
        labels: Labels::new(),
        due_at: at(500),
        incident_id: id,
        again: false,
    };
    let changes = Changes {
        groups: with_group.then_some(call).into_iter().collect(),
        incidents: vec![IncidentChange::New(incident)],
        ..Changes::default()
    };
    store.change_incidents(&WhichIncidents::Ids(Vec::new()), at(0), |_| (changes.clone(), ())).await.unwrap();
    id
}

on_both! {
    async fn what_failed_lately_is_counted_and_alerts_are_not(world) {
        use DeliveryState::{Failed, Held, Sent, Unknown};
        let store = &world.store;
        assert_eq!(store.mail_vitals(at(0)).await.unwrap(), MailVitals::default());
        for (state, category, end) in [
            (Failed, Category::Booking, 100),
            (Failed, Category::Account, 200),
            (Failed, Category::Alert, 200),
            (Unknown, Category::Booking, 200),
            (Unknown, Category::Alert, 200),
            (Sent, Category::Booking, 200),
            (Held, Category::Alert, 90),
            (Held, Category::Booking, 150),
            (Held, Category::Report, 170),
        ] {
            mail_that_is(store, state, category, end).await;
        }
        let vitals = |failed, unknown| MailVitals { failed, unknown, held_since: Some(at(150)) };
        assert_eq!(store.mail_vitals(at(99)).await.unwrap(), vitals(2, 1));
        assert_eq!(store.mail_vitals(at(150)).await.unwrap(), vitals(1, 1));
        assert_eq!(store.mail_vitals(at(200)).await.unwrap(), vitals(0, 0));
    }

    async fn an_incident_that_no_group_would_tell_is_found(world) {
        let store = &world.store;
        open(store, incident("due", 100), true).await;
        let lost = open(store, incident("lost", 100), false).await;
        open(store, incident("young", 300), false).await;
        let over = Incident { state: IncidentState::Resolved, ..incident("over", 100) };
        open(store, over, false).await;
        let found = store.open_incidents(at(0), at(200)).await.unwrap();
        assert_eq!(found, OpenIncidents { told: 0, muted: 0, due: 1, untold: 1 });
        assert_eq!(store.untold_incidents(at(0), at(200), 10).await.unwrap(), [lost]);
        assert!(store.untold_incidents(at(100), at(200), 10).await.unwrap().is_empty(), "older than was asked for");
    }
}
