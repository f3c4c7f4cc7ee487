//! Heartbeats by a clock that is moved by hand: late, back, removed, and told once however many workers look.

use std::sync::Arc;
use std::time::Duration;

use alerting::Severity;
use job::{Clock, ManualClock};
use store::{HeartbeatState, Incident, IncidentFilter, IncidentState};
use worker::Context;
use worker::heartbeats::watch::{Looked, once};
use worker::heartbeats::{Definition, Desk, HeartbeatRules, Refused};

use crate::stage::Stage;

const MINUTE: Duration = Duration::from_secs(60);

struct House {
    stage: Stage,
    clock: ManualClock,
}

impl House {
    async fn open(configured: &[(&str, Definition)]) -> Self {
        let clock = ManualClock::at("2026-11-24T04:00:00Z".parse().unwrap());
        let mut stage = Stage::at(&clock).await;
        stage.context.heartbeats = Arc::new(rules(configured));
        Self { stage, clock }
    }

    fn context(&self) -> &Context {
        &self.stage.context
    }

    fn desk(&self) -> Desk<'_> {
        Desk { store: &self.context().store, rules: &self.context().heartbeats }
    }

    async fn beat(&self, name: &str, given: Option<Definition>) {
        self.desk().beat(name, given, self.clock.now()).await.unwrap();
    }

    async fn look(&self) -> Looked {
        once(self.context()).await.unwrap()
    }

    async fn state(&self, name: &str) -> Option<HeartbeatState> {
        self.context().store.get_heartbeat(name).await.unwrap().map(|heartbeat| heartbeat.state)
    }

    async fn incidents(&self) -> Vec<Incident> {
        self.context().store.list_incidents(&IncidentFilter::default(), 100, None).await.unwrap().items
    }
}

fn rules(configured: &[(&str, Definition)]) -> HeartbeatRules {
    HeartbeatRules { configured: configured.iter().map(|(name, d)| ((*name).to_owned(), *d)).collect() }
}

fn every(minutes: u32) -> Definition {
    Definition::new(MINUTE * minutes, Some(MINUTE), Some(Severity::Warning)).unwrap()
}

#[tokio::test]
async fn one_that_stays_away_is_an_incident_until_it_is_back() {
    let house = House::open(&[]).await;
    house.beat("backup", Some(every(10))).await;
    house.clock.advance(MINUTE * 11 - Duration::from_millis(1));
    assert_eq!(house.look().await, Looked::default());
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(house.look().await, Looked { late: 1, told: 1 });
    assert_eq!(house.look().await, Looked::default());
    let incident = house.incidents().await.remove(0);
    assert_eq!(
        (incident.kind.as_str(), incident.state, incident.severity),
        ("heartbeat.late", IncidentState::Open, Severity::Warning)
    );
    assert_eq!((incident.labels.get("heartbeat"), incident.labels.get("source")), (Some("backup"), Some("postrider")));
    assert!(incident.message.contains("last heard of at 2026-11-24T04:00:00Z"), "{}", incident.message);
    assert_eq!(incident.expires_at, None, "it does not end by itself");

    house.clock.advance(MINUTE);
    house.beat("backup", None).await;
    assert_eq!(house.look().await, Looked { late: 0, told: 1 });
    let over = house.incidents().await.remove(0);
    assert_eq!((over.id, over.state), (incident.id, IncidentState::Resolved));
    assert_eq!(over.resolved_at, Some(house.clock.now()));
}

#[tokio::test]
async fn one_that_beats_in_time_is_never_spoken_of() {
    let house = House::open(&[]).await;
    house.beat("backup", Some(every(10))).await;
    for _ in 0..50 {
        house.clock.advance(MINUTE * 10);
        house.beat("backup", None).await;
        assert_eq!(house.look().await, Looked::default());
    }
    assert!(house.incidents().await.is_empty());
}

#[tokio::test]
async fn those_of_the_configuration_are_waited_for_from_the_start_and_go_with_it() {
    let mut house = House::open(&[("export", every(10))]).await;
    assert_eq!(house.desk().mirror(house.clock.now()).await.unwrap(), 1);
    assert_eq!(house.desk().mirror(house.clock.now()).await.unwrap(), 0);
    house.clock.advance(MINUTE * 11);
    assert_eq!(house.look().await, Looked { late: 1, told: 1 });
    assert!(house.incidents().await[0].message.contains("has not been heard of since it was defined"));
    let taken = house.desk().remove("export", house.clock.now()).await;
    assert!(matches!(taken, Err(Refused::OfConfig)), "{taken:?}");
    let changed = house.desk().beat("export", Some(every(1)), house.clock.now()).await;
    assert!(matches!(changed, Err(Refused::OfConfig)), "{changed:?}");

    house.stage.context.heartbeats = Arc::new(rules(&[]));
    assert_eq!(house.desk().mirror(house.clock.now()).await.unwrap(), 1);
    assert_eq!(house.state("export").await, None);
    house.look().await;
    assert_eq!(house.incidents().await[0].state, IncidentState::Resolved);
}

#[tokio::test]
async fn one_of_the_configuration_may_beat_before_any_worker_has_started() {
    let house = House::open(&[("export", every(10))]).await;
    house.beat("export", None).await;
    assert_eq!(house.desk().mirror(house.clock.now()).await.unwrap(), 0);
    assert_eq!(house.state("export").await, Some(HeartbeatState::Ok));
}

#[tokio::test]
async fn one_that_is_removed_while_it_is_late_ends_its_incident_and_is_gone() {
    let house = House::open(&[]).await;
    house.beat("backup", Some(every(10))).await;
    house.clock.advance(MINUTE * 20);
    house.look().await;
    house.desk().remove("backup", house.clock.now()).await.unwrap();
    let gone = house.desk().beat("backup", None, house.clock.now()).await;
    assert!(matches!(gone, Err(Refused::Unknown)), "{gone:?}");
    assert_eq!(house.look().await, Looked { late: 0, told: 1 });
    assert_eq!(house.incidents().await[0].state, IncidentState::Resolved);
    assert_eq!(house.look().await, Looked::default());
}

#[tokio::test]
async fn late_and_back_before_anybody_looked_is_nothing() {
    let house = House::open(&[]).await;
    house.beat("backup", Some(every(10))).await;
    house.clock.advance(MINUTE * 20);
    house.beat("backup", None).await;
    assert_eq!(house.look().await, Looked::default());
    assert!(house.incidents().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_that_look_at_once_raise_each_incident_once() {
    let house = House::open(&[]).await;
    for n in 0..40 {
        house.beat(&format!("check-{n}"), Some(every(10))).await;
    }
    house.clock.advance(MINUTE * 11);
    let looks = (0..8).map(|_| {
        let context = house.context().clone();
        tokio::spawn(async move { once(&context).await.unwrap() })
    });
    let mut sum = Looked::default();
    for look in looks.collect::<Vec<_>>() {
        let looked = look.await.unwrap();
        (sum.late, sum.told) = (sum.late + looked.late, sum.told + looked.told);
    }
    assert_eq!(sum, Looked { late: 40, told: 40 });
    let incidents = house.incidents().await;
    assert_eq!(incidents.len(), 40);
    assert!(incidents.iter().all(|incident| incident.alerts == 1), "{incidents:?}");
}
