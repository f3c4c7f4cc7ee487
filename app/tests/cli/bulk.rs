//! `jobs retry --all-dead`.

use job::{Envelope, IdSource, Kind, SystemClock, UniqueKey};
use queue::Enqueue;
use serde_json::value::RawValue;
use std::sync::Arc;

use crate::harness::{Place, debug, on_both};

/// Puts jobs into the debug queue, faster than a process a job.
async fn fill(place: &Place, kind: &str, count: usize) {
    let ids = IdSource::new(Arc::new(SystemClock));
    let broker = place.broker().await;
    let now = broker.now().await.unwrap();
    let args = RawValue::from_string("{}".to_owned()).unwrap();
    let jobs: Vec<Enqueue> = (0..count)
        .map(|_| Envelope::raw(ids.next(&debug()), Kind::new(kind).unwrap(), debug(), args.clone(), now))
        .map(|envelope| Enqueue::from(envelope.with_limits(1, std::time::Duration::from_secs(1))))
        .collect();
    broker.enqueue(&jobs).await.unwrap();
}

#[tokio::test]
async fn all_dead_jobs_of_a_queue_are_retried_over_many_pages() {
    on_both(async |place| {
        fill(&place, "debug.noop", 700).await;
        assert_eq!(place.bury_all().await, 700);
        let answer = place.json(&["jobs", "retry", "--all-dead", "--queue", "debug"]).await;
        assert_eq!((answer["retried"].as_u64(), answer["left_dead"].as_u64()), (Some(700), Some(0)));
        let queues = place.json(&["queues", "list"]).await;
        let debug = queues["items"].as_array().unwrap().iter().find(|queue| queue["name"] == "debug").unwrap();
        assert_eq!((&debug["counts"]["dead"], &debug["counts"]["available"]), (&0.into(), &700.into()));
        let out = place.ok(&["jobs", "retry", "--all-dead", "--queue", "debug"]).await;
        assert_eq!(out, "no dead jobs in queue debug\n");
    })
    .await;
}

#[tokio::test]
async fn only_the_wanted_kind_is_retried() {
    on_both(async |place| {
        fill(&place, "debug.noop", 3).await;
        fill(&place, "debug.panic", 2).await;
        place.bury_all().await;
        let out = place.ok(&["jobs", "retry", "--all-dead", "--queue", "debug", "--kind", "debug.panic"]).await;
        assert_eq!(out, "2 dead debug.panic jobs of queue debug are available again\n");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_cannot_be_retried_is_named_and_the_others_are() {
    on_both(async |place| {
        let broker = place.broker().await;
        let now = broker.now().await.unwrap();
        let ids = IdSource::new(Arc::new(SystemClock));
        let args = RawValue::from_string("{}".to_owned()).unwrap();
        let keyed = |id| {
            let envelope = Envelope::raw(id, Kind::new("debug.noop").unwrap(), debug(), args.clone(), now);
            Enqueue::from(envelope.with_unique_key(UniqueKey::new("k").unwrap()))
        };
        let first = ids.next(&debug());
        broker.enqueue(&[keyed(first)]).await.unwrap();
        fill(&place, "debug.noop", 1).await;
        place.bury_all().await;
        let holder = ids.next(&debug());
        broker.enqueue(&[keyed(holder)]).await.unwrap();

        let said = place.run(&["jobs", "retry", "--all-dead", "--queue", "debug"]).await;
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.out.contains("1 dead jobs") && said.out.contains(&first.to_string()), "{said:?}");
        assert!(said.out.contains(&format!("job {holder} holds its unique key")), "{said:?}");
    })
    .await;
}
