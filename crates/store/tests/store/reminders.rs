//! Claiming reminders, calling off what became untrue, and reading what must have been mailed, on both databases.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::Connection;
use store::{
    Booking, BookingEventKind, DeliveryFilter, DeliveryState, EventApplied, FanOut, NewDelivery, OnTheWire, Snapshot,
    Store,
};

use crate::both::{World, at, event, mail, on_both, snapshot};

/// Accepts and applies an event whose booking is to be looked at `next`.
async fn apply(
    store: &Store,
    id: &str,
    version: i64,
    kind: BookingEventKind,
    snapshot: Snapshot,
    next: Option<Timestamp>,
) -> Booking {
    store.accept_event(&event(id, version, kind, snapshot), at(version)).await.unwrap();
    let fan_out = |event: &store::BookingEvent, booking: &Booking| FanOut {
        mails: vec![NewDelivery {
            booking_id: Some(booking.id.clone()),
            booking_version: Some(event.version),
            ..mail(&format!("booking:{id}:v{version}:news"))
        }],
        next_reminder_at: next,
    };
    match store.apply_event(id, version, at(version), fan_out).await.unwrap() {
        EventApplied::Applied { booking, .. } => *booking,
        other => panic!("{other:?}"),
    }
}

/// A reminder of a booking, and the next look at `next`.
fn remind(booking: &Booking, next: Option<Timestamp>) -> FanOut {
    let key = format!("booking:{}:m{}:reminder:1h:student", booking.id, booking.moves);
    let mail = NewDelivery { booking_id: Some(booking.id.clone()), booking_moves: Some(booking.moves), ..mail(&key) };
    FanOut { mails: vec![mail], next_reminder_at: next }
}

async fn state_of(world: &World, key: &str) -> Option<DeliveryState> {
    world.store.deliveries_under(&[key.to_owned()]).await.unwrap().get(key).map(|mail| mail.state)
}

on_both! {
    async fn a_booking_is_found_when_it_is_due_and_moved_on_with_its_claim(world) {
        for (id, next) in [("bk_later", Some(at(500))), ("bk_due", Some(at(100))), ("bk_never", None)] {
            apply(&world.store, id, 1, BookingEventKind::Confirmed, snapshot(), next).await;
        }
        let none = world.store.claim_reminders(at(99), 10, |_| panic!("nothing is due")).await.unwrap();
        assert_eq!((none.bookings, none.deliveries.len()), (0, 0));
        let claimed = world.store.claim_reminders(at(100), 10, |booking| remind(booking, Some(at(900)))).await.unwrap();
        assert_eq!((claimed.bookings, claimed.deliveries.len()), (1, 1));
        assert_eq!(claimed.deliveries[0].idempotency_key, "booking:bk_due:m0:reminder:1h:student");
        assert_eq!(world.store.get_booking("bk_due").await.unwrap().unwrap().next_reminder_at, Some(at(900)));
        let both = world.store.claim_reminders(at(1000), 10, |booking| remind(booking, None)).await.unwrap();
        assert_eq!(both.bookings, 2);
        let first: BTreeSet<_> = claimed.deliveries.iter().map(|mail| mail.id).collect();
        assert!(both.deliveries.iter().any(|mail| first.contains(&mail.id)), "a claim is never made twice");
        assert_eq!(world.store.claim_reminders(at(9000), 10, |_| panic!("all is done")).await.unwrap().bookings, 0);
    }

    async fn scans_at_the_same_time_share_the_bookings_and_claim_each_once(world) {
        for n in 0..120 {
            apply(&world.store, &format!("bk_{n}"), 1, BookingEventKind::Confirmed, snapshot(), Some(at(10))).await;
        }
        let scans = (0..6).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move {
                let mut written = Vec::new();
                loop {
                    let claimed = store.claim_reminders(at(20), 7, |booking| remind(booking, None)).await.unwrap();
                    if claimed.bookings == 0 {
                        return written;
                    }
                    written.extend(claimed.deliveries.into_iter().map(|mail| mail.id));
                }
            })
        });
        let mut all = Vec::new();
        for scan in scans.collect::<Vec<_>>() {
            all.extend(scan.await.unwrap());
        }
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (120, 120));
    }

    async fn a_move_takes_the_reminder_along_and_a_changed_price_leaves_it_alone(world) {
        let first = apply(&world.store, "bk", 1, BookingEventKind::Confirmed, snapshot(), Some(at(10))).await;
        world.store.claim_reminders(at(10), 10, |booking| remind(booking, Some(at(80_000)))).await.unwrap();
        let reminder = "booking:bk:m0:reminder:1h:student";

        let mut dearer = snapshot();
        dearer.price.as_mut().unwrap().amount = "50.00".to_owned();
        let second = apply(&world.store, "bk", 2, BookingEventKind::Rescheduled, dearer.clone(), Some(at(80_000))).await;
        assert_eq!((second.start_known_at, second.previous_starts_at), (first.start_known_at, None));
        assert_eq!(state_of(world, reminder).await, Some(DeliveryState::Queued));
        assert_eq!(state_of(world, "booking:bk:v1:news").await, Some(DeliveryState::Cancelled), "older news is untrue");
        assert_eq!(state_of(world, "booking:bk:v2:news").await, Some(DeliveryState::Queued));

        dearer.starts_at += SignedDuration::from_hours(3);
        let third = apply(&world.store, "bk", 3, BookingEventKind::Rescheduled, dearer, Some(at(90_000))).await;
        assert_eq!((third.start_known_at, third.previous_starts_at), (at(3), Some(first.starts_at)));
        assert_eq!((third.moves, third.next_reminder_at), (1, Some(at(90_000))));
        assert_eq!(state_of(world, reminder).await, Some(DeliveryState::Cancelled));
    }

    async fn a_cancellation_ends_the_reminders_and_says_so_on_those_that_wait(world) {
        apply(&world.store, "bk", 1, BookingEventKind::Confirmed, snapshot(), Some(at(10))).await;
        let claimed = world.store.claim_reminders(at(10), 10, |booking| remind(booking, Some(at(50)))).await.unwrap();
        let cancelled = apply(&world.store, "bk", 2, BookingEventKind::Cancelled, snapshot(), None).await;
        assert_eq!(cancelled.next_reminder_at, None);
        assert_eq!(world.store.claim_reminders(at(5000), 10, |_| panic!("ended")).await.unwrap().bookings, 0);
        let (mail, _) = world.store.get_delivery(claimed.deliveries[0].id).await.unwrap().unwrap();
        assert_eq!(mail.state, DeliveryState::Cancelled);
        assert_eq!(mail.last_error.as_deref(), Some("version 2 of the booking made it untrue"));
        // Confirmed again, it becomes known anew: what fell due meanwhile is not made up for.
        let again = apply(&world.store, "bk", 3, BookingEventKind::Confirmed, snapshot(), Some(at(70))).await;
        assert_eq!((again.moves, again.start_known_at), (0, at(3)));
    }

    async fn a_mail_that_is_being_sent_is_not_called_off_behind_its_back(world) {
        apply(&world.store, "bk", 1, BookingEventKind::Confirmed, snapshot(), None).await;
        let key = "booking:bk:v1:news".to_owned();
        let mail = world.store.deliveries_under(std::slice::from_ref(&key)).await.unwrap().remove(&key).unwrap();
        world.store.begin_sending(mail.id, mail.job_id, 7, at(2)).await.unwrap();
        apply(&world.store, "bk", 2, BookingEventKind::Cancelled, snapshot(), None).await;
        assert_eq!(state_of(world, &key).await, Some(DeliveryState::Sending));
    }

    async fn a_mail_for_later_is_left_alone_until_then(world) {
        let later = NewDelivery { send_at: Some(at(5000)), ..mail("later") };
        let written = world.store.insert_deliveries(&[later], at(0)).await.unwrap();
        assert_eq!(written[0].send_at, Some(at(5000)));
        let quiet = std::time::Duration::from_secs(30);
        assert!(world.store.stale_intents(quiet, 10, at(5030)).await.unwrap().is_empty());
        assert_eq!(world.store.stale_intents(quiet, 10, at(5031)).await.unwrap().len(), 1);
    }

    async fn a_look_is_put_right_only_where_it_still_is_as_it_was_found(world) {
        let booking = apply(&world.store, "bk", 1, BookingEventKind::Confirmed, snapshot(), None).await;
        assert!(world.store.rearm_reminders(&booking, Some(at(40))).await.unwrap());
        assert!(!world.store.rearm_reminders(&booking, Some(at(50))).await.unwrap(), "it has another one now");
        let armed = world.store.get_booking("bk").await.unwrap().unwrap();
        assert_eq!(armed.next_reminder_at, Some(at(40)));
        apply(&world.store, "bk", 2, BookingEventKind::Confirmed, snapshot(), None).await;
        assert!(!world.store.rearm_reminders(&armed, Some(at(60))).await.unwrap(), "another version");
    }

    async fn facts_are_read_in_pages_from_their_beginning(world) {
        for version in 1..=3 {
            let new = event("bk_a", version, BookingEventKind::Confirmed, snapshot());
            world.store.accept_event(&new, at(100)).await.unwrap();
        }
        world.store.accept_event(&event("bk_b", 1, BookingEventKind::Confirmed, snapshot()), at(50)).await.unwrap();
        apply(&world.store, "bk_c", 9, BookingEventKind::Confirmed, snapshot(), None).await;
        world.store.apply_event("bk_a", 2, at(200), |_, _| FanOut::default()).await.unwrap();
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let page = world.store.events_since(at(20), last.as_ref(), 2).await.unwrap();
            seen.extend(page.iter().map(|fact| (fact.event.booking_id.clone(), fact.event.version, fact.current)));
            match page.into_iter().next_back() {
                Some(fact) => last = Some(fact.event),
                None => break,
            }
        }
        let a = |version| ("bk_a".to_owned(), version, Some(2));
        assert_eq!(seen, [("bk_b".to_owned(), 1, None), a(1), a(2), a(3)]);
    }

    async fn upcoming_bookings_are_those_that_take_place_in_the_order_of_their_starts(world) {
        for (n, hours) in [3_i64, 1, 2].into_iter().enumerate() {
            let starts = snapshot();
            let snapshot = Snapshot { starts_at: starts.starts_at + SignedDuration::from_hours(hours), ..starts };
            apply(&world.store, &format!("bk_{n}"), 1, BookingEventKind::Confirmed, snapshot, None).await;
        }
        apply(&world.store, "bk_off", 1, BookingEventKind::Cancelled, snapshot(), None).await;
        let first = world.store.upcoming_bookings(at(0), None, 2).await.unwrap();
        let rest = world.store.upcoming_bookings(at(0), first.last(), 2).await.unwrap();
        let ids: Vec<&str> = first.iter().chain(&rest).map(|booking| booking.id.as_str()).collect();
        assert_eq!(ids, ["bk_1", "bk_2", "bk_0"]);
        let starts = first[1].starts_at;
        assert_eq!(world.store.upcoming_bookings(starts, None, 9).await.unwrap()[0].id, "bk_2");
    }

    async fn many_bookings_are_written_for_a_measurement(world) {
        let (student, instructor) = (snapshot().student, snapshot().instructor);
        let minute = std::time::Duration::from_secs(60);
        let times = (at(86_400), minute);
        world.store.fill_bookings("m_", 120, times, 60 * minute, (&student, &instructor), at(0)).await.unwrap();
        let booking = world.store.get_booking("m_119").await.unwrap().unwrap();
        assert_eq!((booking.starts_at, booking.next_reminder_at), (at(86_400 + 119 * 60), Some(at(82_800 + 119 * 60))));
        assert_eq!((booking.student, booking.status), (student, store::BookingStatus::Confirmed));
    }

    async fn the_mails_under_many_keys_are_found_at_once(world) {
        let mails: Vec<NewDelivery> = (0..1_300).map(|n| mail(&format!("k{n}"))).collect();
        let written = world.store.insert_deliveries(&mails, at(0)).await.unwrap();
        let keys: Vec<String> = (0..1_400).map(|n| format!("k{n}")).collect();
        let found = world.store.deliveries_under(&keys).await.unwrap();
        assert_eq!(found.len(), 1_300);
        assert!(written.iter().all(|row| found.get(&row.idempotency_key) == Some(row)));
    }

    async fn a_mail_is_readdressed_by_the_attempt_that_has_it_and_before_its_body(world) {
        let mail = world.mail("k").await;
        let id = mail.id;
        let party = store::Party { locale: None, ..crate::both::party("ana", "Ana", "Europe/Madrid") };
        let readdress = async |token| world.store.readdress(id, token, &party, at(2)).await.unwrap();
        assert!(!readdress(7).await, "no attempt has it");
        world.store.begin_sending(id, mail.job_id, 7, at(1)).await.unwrap();
        assert!(!readdress(8).await);
        assert!(readdress(7).await && readdress(7).await);
        let (row, _) = world.store.get_delivery(id).await.unwrap().unwrap();
        assert_eq!((row.recipient.as_str(), row.recipient_name.as_deref()), ("ana@people.test", Some("Ana")));
        assert_eq!((row.locale, row.state), (None, DeliveryState::Sending));
        let filter = DeliveryFilter { recipient: Some("Ana@people.test".to_owned()), ..DeliveryFilter::default() };
        assert_eq!(world.store.list_deliveries(&filter, 10, None).await.unwrap().items.len(), 1);
        let message = OnTheWire { message_id: "<a@bookings.test>".to_owned(), subject: "Soon".to_owned() };
        assert!(world.store.mark_data(id, 7, &message, at(3)).await.unwrap());
        assert!(!readdress(7).await, "its body is being written");
    }

    async fn many_mails_are_written_together_and_those_that_are_there_keep_their_rows(world) {
        let first = world.store.insert_deliveries(&[mail("k3"), mail("k700")], at(0)).await.unwrap();
        let mails: Vec<NewDelivery> = (0..1_000).map(|n| mail(&format!("k{n}"))).collect();
        let written = world.store.insert_deliveries(&mails, at(1)).await.unwrap();
        assert!(written.iter().zip(&mails).all(|(row, mail)| row.idempotency_key == mail.idempotency_key));
        assert_eq!((&written[3], &written[700]), (&first[0], &first[1]));
        let twice = world.store.insert_deliveries(&[mail("n"), mail("n"), mail("n")], at(2)).await.unwrap();
        assert!(twice.iter().all(|row| row.id == twice[0].id), "{twice:?}");
        assert!(world.store.insert_deliveries(&[], at(3)).await.unwrap().is_empty());
    }
}

on_both! {
    async fn a_scan_reads_the_index_and_not_the_bookings(world) {
        let (student, instructor) = (snapshot().student, snapshot().instructor);
        let minute = std::time::Duration::from_secs(60);
        let first = (at(3_600), minute);
        world.store.fill_bookings("m_", 20_000, first, minute, (&student, &instructor), at(0)).await.unwrap();
        if world.database.is_some() {
            let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
            sqlx::query("ANALYZE bookings").execute(&mut connection).await.unwrap();
        }
        // As the scan binds them: a moment at which a few are due, and a page.
        for now in [at(3_600), at(4_200)] {
            let plan = world.store.plan_of_due_reminders(now, 500).await.unwrap();
            assert!(plan.iter().any(|line| line.contains("bookings_next_reminder")), "{plan:#?}");
            for word in ["Sort", "Seq Scan", "Bitmap", "TEMP B-TREE"] {
                assert!(!plan.iter().any(|line| line.contains(word)), "{plan:#?}");
            }
        }
    }
}
