//! `reconcile`: what it says to a person, before and after it has made something good.

use std::time::Duration;

use job::{Clock, IdSource, QueueName, SystemClock};
use store::{BookingEventKind, FanOut, NewBookingEvent, Party, Snapshot, Store, StoreConfig, content_hash};

use crate::harness::Place;

/// A booking's event, received `ago`, that nobody has enqueued.
async fn accepted(store: &Store, booking_id: &str, ago: Duration) {
    let now = SystemClock.now();
    let party = |id: &str| Party {
        id: id.to_owned(),
        name: id.to_owned(),
        email: format!("{id}@example.com"),
        timezone: "Europe/Berlin".to_owned(),
        locale: None,
    };
    let snapshot = Snapshot {
        service: "Piano".to_owned(),
        starts_at: now + Duration::from_secs(9 * 86_400),
        duration_minutes: 60,
        location: None,
        url: None,
        price: None,
        student: party("student"),
        instructor: party("instructor"),
        reason: None,
        cancelled_by: None,
        reminders: None,
    };
    let event = BookingEventKind::Confirmed;
    let ids = IdSource::new(std::sync::Arc::new(SystemClock));
    let new = NewBookingEvent {
        booking_id: booking_id.to_owned(),
        version: 1,
        event,
        content_hash: content_hash(event, &snapshot),
        snapshot,
        job_id: ids.next(&QueueName::new("bookings").unwrap()).uuid(),
    };
    store.accept_event(&new, now - ago).await.unwrap();
}

#[tokio::test]
async fn a_person_reads_what_is_missing_and_what_became_of_it() {
    let place = Place::sqlite();
    place.run(&["reconcile", "--report"]).await.refused(1, &["store.db"]);
    place.ok(&["migrate"]).await;
    place.ok(&["enqueue", "debug.noop"]).await;
    let whole = place.ok(&["reconcile", "--report", "--dry-run"]).await;
    assert!(whole.starts_with("WHAT"), "{whole}");
    for line in ["booking events", "mails of events", "reminders", "open incidents", "every mail that must be there"] {
        assert!(whole.contains(line), "{line}: {whole}");
    }

    let store = Store::open(&StoreConfig::new(place.file_url("store.db"))).await.unwrap();
    let now = SystemClock.now();
    accepted(&store, "bk_mailless", Duration::from_secs(600)).await;
    store.apply_event("bk_mailless", 1, now, |_, _| FanOut::default()).await.unwrap();
    accepted(&store, "bk_stuck", Duration::from_secs(300)).await;
    let dry = place.run(&["reconcile", "--report", "--dry-run"]).await;
    assert_eq!(dry.code, 1, "{dry:?}");
    for line in [
        "accepted 1, applied 1",
        "2 mails are missing; without --dry-run they are written and enqueued",
        "  booking:bk_mailless:v1:booking_confirmed:student",
        "1 events were accepted and nobody has applied them",
        "  bk_stuck version 1",
    ] {
        assert!(dry.out.contains(line), "{line}: {}", dry.out);
    }

    let done = place.ok(&["reconcile", "--report"]).await;
    for line in ["2 mails were missing and are on their way now", "1 events that nobody had applied are applied now"] {
        assert!(done.contains(line), "{line}: {done}");
    }
    let after = place.ok(&["reconcile", "--report", "--dry-run"]).await;
    assert!(after.contains("applied 2") && after.contains("queued 4"), "{after}");
    assert!(after.contains("every mail that must be there is in the ledger, once"), "{after}");
}
