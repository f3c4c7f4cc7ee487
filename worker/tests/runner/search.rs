//! Search events as jobs: written once however often their job runs, counted when that is due.

use std::time::Duration;

use jiff::Timestamp;
use job::{Clock, JobState, ManualClock};
use serde_json::json;
use store::{Device, EventId, Granularity, InteractionKind, MetricsFilter, NewInteraction, NewSearch};

use crate::stage::{Stage, share};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A stranger's search.
pub fn search(id: &str, at: Timestamp) -> NewSearch {
    NewSearch {
        id: EventId::new(id),
        at,
        subject: None,
        session: None,
        guest: true,
        consent: false,
        query: "piano".to_owned(),
        kind: "text".to_owned(),
        device: Device::Other,
        results: 0,
        filters: None,
        referrer: None,
        network: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_written_once_and_counted() {
    let clock = ManualClock::at(at("2026-11-25T10:30:00Z"));
    let stage = Stage::at(&clock).await;
    let runner = stage.runner(|settings| settings.queues = vec![share("search"), share("default")]);
    let click = NewInteraction {
        id: EventId::new("c1"),
        at: clock.now(),
        search: EventId::new("s1").key,
        kind: InteractionKind::Click,
        item: None,
        position: Some(1),
        after_ms: None,
    };
    let lost = NewInteraction { id: EventId::new("c2"), search: EventId::new("never").key, ..click.clone() };
    let batch = json!({
        "received_at": clock.now(), "searches": [search("s1", clock.now()), search("s2", clock.now())],
        "interactions": [click, lost],
    });
    for _ in 0..2 {
        let id = stage.enqueue(stage.envelope_in("search", "search.ingest", batch.clone())).await;
        stage.until(id, JobState::Completed).await;
    }
    let rollup = async |args: serde_json::Value| {
        let id = stage.enqueue(stage.envelope_in("default", "search.rollup", args)).await;
        let record = stage.until(id, JobState::Completed).await;
        serde_json::from_str::<serde_json::Value>(&record.result.unwrap()).unwrap()
    };
    let done = rollup(json!({})).await;
    assert_eq!((&done["hours"], &done["days"], &done["searches"]), (&json!(1), &json!(1), &json!(2)), "{done}");
    let again = rollup(json!({})).await;
    assert_eq!((&again["hours"], &again["days"]), (&json!(0), &json!(0)), "nothing is new: {again}");
    // Whose search never came is an orphan by then.
    clock.advance(Duration::from_secs(16 * 60));
    let later = rollup(json!({})).await;
    assert_eq!((&later["orphaned"], &later["hours"]), (&json!(1), &json!(1)), "{later}");
    let asked = rollup(json!({"from": "2026-11-25T09:00:00Z", "to": "2026-11-25T11:00:00Z"})).await;
    assert_eq!((&asked["hours"], &asked["days"], &asked["finished"]), (&json!(2), &json!(1), &json!(true)), "{asked}");

    let (from, to) = (at("2026-11-25T10:00:00Z"), at("2026-11-25T11:00:00Z"));
    let all = MetricsFilter::default();
    let counted = stage.context.store.search_metrics(from, to, Granularity::Hour, &all).await.unwrap();
    assert_eq!((counted[0].searches, counted[0].clicked, counted[0].orphans), (2, 1, 1));
    let too_old = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"});
    let id = stage.enqueue(stage.envelope_in("default", "search.rollup", too_old)).await;
    stage.until(id, JobState::Dead).await;
    assert_eq!(runner.shut_down().await, 0);
}
