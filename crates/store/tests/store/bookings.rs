//! Booking events and the projection, on both databases.

use jiff::ToSpan;
use store::{
    Accepted, Booking, BookingEvent, BookingEventKind, BookingStatus, CancelledBy, DeliveryState, EventApplied,
    EventState, FanOut, NewBookingEvent, NewDelivery, Store, content_hash,
};

use crate::both::{at, event, fresh_id, id, mail, on_both, snapshot};

/// One mail a party, keyed as the booking jobs key them.
fn both_parties(event: &BookingEvent, booking: &Booking) -> FanOut {
    let mails = ["student", "instructor"]
        .map(|role| NewDelivery {
            booking_id: Some(booking.id.clone()),
            data: serde_json::json!({ "sequence": booking.sequence }),
            ..mail(&format!("booking:{}:v{}:confirmed:{role}", event.booking_id, event.version))
        })
        .to_vec();
    mails.into()
}

async fn accept_and_apply(store: &Store, new: &NewBookingEvent) -> EventApplied {
    store.accept_event(new, at(0)).await.unwrap();
    store.apply_event(&new.booking_id, new.version, at(1), both_parties).await.unwrap()
}

on_both! {
    async fn an_event_is_accepted_once_and_its_first_job_is_named_again(world) {
        let first = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
        let second = NewBookingEvent { job_id: fresh_id(), ..first.clone() };
        let new = Accepted::New { job_id: first.job_id };
        assert_eq!(world.store.accept_event(&first, at(0)).await.unwrap(), new);
        let duplicate = Accepted::Duplicate { job_id: first.job_id };
        assert_eq!(world.store.accept_event(&second, at(1)).await.unwrap(), duplicate);
        assert_eq!(world.store.accept_event(&first, at(2)).await.unwrap(), new, "the same report, repeated");
    }

    async fn another_content_under_the_same_version_is_a_conflict_and_changes_nothing(world) {
        let first = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&first, at(0)).await.unwrap();
        let mut other = snapshot();
        other.duration_minutes = 60;
        let other = event("bk_1", 1, BookingEventKind::Confirmed, other);
        assert_eq!(world.store.accept_event(&other, at(1)).await.unwrap(), Accepted::Conflict);
        let kept = world.store.get_event("bk_1", 1).await.unwrap().unwrap();
        assert_eq!((kept.snapshot, kept.job_id), (snapshot(), first.job_id));
    }

    async fn an_event_reads_back_as_it_was_reported(world) {
        let mut cancelled = snapshot();
        cancelled.reason = Some("Flu \u{1f912}\r\n\"sorry\"".to_owned());
        cancelled.cancelled_by = Some(CancelledBy::Student);
        cancelled.reminders = None;
        cancelled.price = None;
        cancelled.student.locale = None;
        let new = event("bk~1.x_-", 9_007_199_254_740_991, BookingEventKind::Cancelled, cancelled.clone());
        world.store.accept_event(&new, at(7)).await.unwrap();
        let read = world.store.get_event("bk~1.x_-", 9_007_199_254_740_991).await.unwrap().unwrap();
        assert_eq!(read.snapshot, cancelled);
        assert_eq!(read.event, BookingEventKind::Cancelled);
        assert_eq!((read.state, read.received_at, read.applied_at), (EventState::Accepted, at(7), None));
        assert_eq!(world.store.get_event("bk~1.x_-", 1).await.unwrap(), None);
    }

    async fn a_version_out_of_range_is_refused_for_good(world) {
        for version in [0, -1, 9_007_199_254_740_992] {
            let new = event("bk_1", version, BookingEventKind::Confirmed, snapshot());
            let error = world.store.accept_event(&new, at(0)).await.unwrap_err();
            assert!(!error.is_transient(), "{version}: {error}");
        }
    }

    async fn applying_an_event_writes_the_projection_and_its_mails_together(world) {
        let new = event("bk_1", 3, BookingEventKind::Confirmed, snapshot());
        let EventApplied::Applied { booking, deliveries } = accept_and_apply(&world.store, &new).await else {
            panic!("applied");
        };
        assert_eq!(Some(*booking.clone()), world.store.get_booking("bk_1").await.unwrap());
        assert_eq!((booking.version, booking.moves, booking.sequence), (3, 0, 0));
        assert_eq!((booking.status, booking.updated_at), (BookingStatus::Confirmed, at(1)));
        let (of, shown) = (snapshot(), *booking);
        assert_eq!((shown.service, shown.starts_at, shown.duration_minutes), (of.service, of.starts_at, 45));
        assert_eq!((shown.location, shown.url, shown.price), (of.location, of.url, of.price));
        assert_eq!((shown.student, shown.instructor, shown.reminders), (of.student, of.instructor, of.reminders));

        assert_eq!(deliveries.len(), 2);
        assert_eq!(deliveries[0].idempotency_key, "booking:bk_1:v3:confirmed:student");
        let (row, attempts) = world.store.get_delivery(deliveries[1].id).await.unwrap().unwrap();
        assert_eq!((row.state, row.booking_id.as_deref()), (DeliveryState::Queued, Some("bk_1")));
        assert!(attempts.is_empty());
        let applied = world.store.get_event("bk_1", 3).await.unwrap().unwrap();
        assert_eq!((applied.state, applied.applied_at), (EventState::Applied, Some(at(1))));
    }

    async fn applying_the_same_version_again_changes_nothing_and_names_the_same_mails(world) {
        let new = event("bk_1", 3, BookingEventKind::Confirmed, snapshot());
        let first = accept_and_apply(&world.store, &new).await;
        let again = world.store.apply_event("bk_1", 3, at(50), both_parties).await.unwrap();
        assert_eq!(again, first);
    }

    async fn the_sequence_rises_with_each_version_and_moves_only_with_the_start(world) {
        let versions = [(2, 0), (5, 0), (6, 3600), (9, 3600), (10, 0)];
        let mut seen = Vec::new();
        for (version, later) in versions {
            let mut moved = snapshot();
            moved.starts_at += (later as i64).seconds();
            moved.price.as_mut().unwrap().amount = format!("{version}.00");
            let new = event("bk_1", version, BookingEventKind::Rescheduled, moved);
            let EventApplied::Applied { booking, .. } = accept_and_apply(&world.store, &new).await else {
                panic!("applied");
            };
            assert_eq!(booking.price.unwrap().amount, format!("{version}.00"));
            seen.push((booking.sequence, booking.moves));
        }
        assert_eq!(seen, [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)]);
    }

    async fn a_lower_version_is_superseded_and_sends_nothing(world) {
        let high = event("bk_1", 7, BookingEventKind::Cancelled, snapshot());
        accept_and_apply(&world.store, &high).await;
        let low = event("bk_1", 6, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&low, at(2)).await.unwrap();
        let applied = world
            .store
            .apply_event("bk_1", 6, at(3), |_, _| panic!("a superseded event has no fan-out"))
            .await
            .unwrap();
        assert_eq!(applied, EventApplied::Superseded { current: 7 });
        assert_eq!(world.store.get_event("bk_1", 6).await.unwrap().unwrap().state, EventState::Superseded);
        let booking = world.store.get_booking("bk_1").await.unwrap().unwrap();
        assert_eq!((booking.version, booking.status), (7, BookingStatus::Cancelled));
    }

    async fn an_event_that_was_never_accepted_is_missing(world) {
        let applied = world.store.apply_event("bk_1", 1, at(0), both_parties).await.unwrap();
        assert_eq!(applied, EventApplied::Missing);
        assert_eq!(world.store.get_booking("bk_1").await.unwrap(), None);
    }

    async fn when_a_mail_cannot_be_written_nothing_of_the_event_is(world) {
        let new = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&new, at(0)).await.unwrap();
        let same_id_twice = |_: &BookingEvent, _: &Booking| {
            FanOut::from(vec![NewDelivery { id: id(1), ..mail("one") }, NewDelivery { id: id(1), ..mail("two") }])
        };
        let error = world.store.apply_event("bk_1", 1, at(1), same_id_twice).await.unwrap_err();
        assert!(!error.is_transient());
        assert_eq!(world.store.get_booking("bk_1").await.unwrap(), None);
        assert_eq!(world.store.get_delivery(id(1)).await.unwrap(), None);
        assert_eq!(world.store.get_event("bk_1", 1).await.unwrap().unwrap().state, EventState::Accepted);
    }

    async fn versions_applied_at_the_same_time_end_at_the_highest(world) {
        for version in 1..=24 {
            let new = event("bk_1", version, BookingEventKind::Confirmed, snapshot());
            world.store.accept_event(&new, at(0)).await.unwrap();
        }
        let applying = (1..=24).rev().flat_map(|version| [version, 25 - version]).map(|version| {
            let store = world.store.clone();
            tokio::spawn(async move { store.apply_event("bk_1", version, at(1), both_parties).await.unwrap() })
        });
        let mut sequences = Vec::new();
        for applied in applying.collect::<Vec<_>>() {
            if let EventApplied::Applied { booking, deliveries } = applied.await.unwrap() {
                assert_eq!(deliveries.len(), 2);
                sequences.push((booking.version, booking.sequence));
            }
        }
        let booking = world.store.get_booking("bk_1").await.unwrap().unwrap();
        assert_eq!(booking.version, 24);
        sequences.sort_unstable();
        sequences.dedup();
        assert!(sequences.iter().zip(0..).all(|((_, sequence), n)| *sequence == n), "{sequences:?}");
    }
}

#[test]
fn the_content_hash_tells_contents_and_kinds_apart_and_nothing_else() {
    let hash = content_hash(BookingEventKind::Confirmed, &snapshot());
    assert_eq!(hash, content_hash(BookingEventKind::Confirmed, &snapshot()));
    assert_ne!(hash, content_hash(BookingEventKind::Rescheduled, &snapshot()));
    let mut other = snapshot();
    other.student.locale = None;
    assert_ne!(hash, content_hash(BookingEventKind::Confirmed, &other));
}
