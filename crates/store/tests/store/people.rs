//! Erasing and exporting a person, on both databases.

use store::{
    Added, AttemptReport, BookingEventKind, Category, Covers, DeliveryState, ERASED_ADDRESS, Erased, EventApplied,
    NewDelivery, NewSuppression, OnTheWire, SuppressionReason,
};

use crate::both::{World, at, event, fresh_id, mail, on_both, snapshot};

/// Zoë's lesson with José, and a mail to each.
async fn lesson(world: &World) {
    let new = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
    world.store.accept_event(&new, at(0)).await.unwrap();
    let fan_out = |_: &store::BookingEvent, booking: &store::Booking| -> store::FanOut {
        [&booking.student, &booking.instructor]
            .map(|party| NewDelivery {
                recipient: party.email.clone(),
                recipient_name: Some(party.name.clone()),
                booking_id: Some(booking.id.clone()),
                data: serde_json::json!({"student": {"name": booking.student.name}, "with": booking.instructor.name}),
                ..mail(&format!("booking:{}:{}", booking.id, party.id))
            })
            .to_vec()
            .into()
    };
    let applied = world.store.apply_event("bk_1", 1, at(1), fan_out).await.unwrap();
    assert!(matches!(applied, EventApplied::Applied { .. }), "{applied:?}");
}

fn on_the_wire() -> OnTheWire {
    OnTheWire { message_id: "<a@bookings.test>".to_owned(), subject: "Zoë, your lesson".to_owned() }
}

/// A receiver that names whom it does not know.
fn refusal() -> AttemptReport {
    AttemptReport {
        relay: Some("mx:25".to_owned()),
        code: Some(550),
        text: Some("<zoe@people.test>: no such user".to_owned()),
        ..AttemptReport::default()
    }
}

fn bounce(delivery: uuid::Uuid) -> NewSuppression {
    NewSuppression {
        id: fresh_id(),
        address: "zoe@people.test".to_owned(),
        address_hash: Some("h1".to_owned()),
        covers: Covers::All,
        reason: SuppressionReason::HardBounce,
        detail: Some("<zoe@people.test>: no such user".to_owned()),
        delivery_id: Some(delivery),
        actor: "a refusal by mx:25".to_owned(),
    }
}

on_both! {
    async fn whoever_is_erased_is_nowhere_to_be_read_and_nothing_is_sent_twice(world) {
        let store = &world.store;
        lesson(world).await;
        let suppression = NewSuppression {
            id: fresh_id(),
            address: "zoe@people.test".to_owned(),
            address_hash: None,
            covers: Covers::All,
            reason: SuppressionReason::Manual,
            detail: Some("Zoë asked".to_owned()),
            delivery_id: None,
            actor: "tests".to_owned(),
        };
        store.add_suppression(&suppression, at(2)).await.unwrap();
        let before = store.export_person("Zoe@people.test").await.unwrap();
        assert_eq!((before.bookings.len(), before.booking_events.len(), before.mails.len()), (1, 1, 1));
        assert_eq!(before.suppressions.len(), 1);

        let erased = store.erase_person("ZOE@people.test", "h1", at(3)).await.unwrap();
        assert_eq!(erased, Erased { bookings: 1, deliveries: 1, cancelled: 1, emails: 0, suppressions: 1 });
        let after = store.export_person("zoe@people.test").await.unwrap();
        assert_eq!(after, store::PersonExport::default());
        let booking = store.get_booking("bk_1").await.unwrap().unwrap();
        assert_eq!((booking.student.email.as_str(), booking.student.name.as_str()), (ERASED_ADDRESS, "erased"));
        assert_eq!(booking.instructor.name, "José Nuñez");
        let reported = store.get_event("bk_1", 1).await.unwrap().unwrap();
        assert_eq!(reported.snapshot.student.email, ERASED_ADDRESS);
        let mails = store.list_deliveries(&Default::default(), 10, None).await.unwrap().items;
        let shown = format!("{mails:?} {booking:?} {reported:?}");
        assert!(!shown.contains("Zoë") && !shown.to_lowercase().contains("zoe@"), "{shown}");
        let theirs = mails.iter().find(|mail| mail.recipient == ERASED_ADDRESS).unwrap();
        assert_eq!((theirs.state, theirs.idempotency_key.as_str()), (DeliveryState::Cancelled, "booking:bk_1:zoe"));
        let others = mails.iter().find(|mail| mail.recipient != ERASED_ADDRESS).unwrap();
        assert_eq!(others.data, serde_json::json!({"student": {"name": "erased"}, "with": "José Nuñez"}));
        assert_eq!(others.state, DeliveryState::Queued);

        // The address is still known by its hash, and by nothing else.
        let hashes = ["h0".to_owned(), "h1".to_owned()];
        let found = store.find_suppression("zoe@people.test", &hashes, Category::Booking).await.unwrap().unwrap();
        assert_eq!((found.address, found.detail), (None, None));
        assert_eq!(store.find_suppression("zoe@people.test", &[], Category::Booking).await.unwrap(), None);
        assert_eq!(store.erase_person("zoe@people.test", "h1", at(4)).await.unwrap(), Erased::default());
    }
    async fn an_attempt_that_ends_after_its_reader_was_erased_writes_them_down_no_more(world) {
        let store = &world.store;
        for (n, sent) in [false, true].into_iter().enumerate() {
            let mail = world.mail(&format!("mail{n}")).await;
            store.begin_sending(mail.id, mail.job_id, 7, at(1)).await.unwrap();
            store.erase_person("zoe@people.test", "h1", at(2)).await.unwrap();
            assert!(!store.readdress(mail.id, 7, &snapshot().student, at(3)).await.unwrap());
            assert!(store.mark_data(mail.id, 7, &on_the_wire(), at(3)).await.unwrap());
            let written = match sent {
                true => store.mark_sent(mail.id, 7, &refusal(), at(4)).await.unwrap(),
                false => store.mark_failed(mail.id, 7, &refusal(), at(4)).await.unwrap(),
            };
            assert!(written);
            let added = store.add_suppression(&bounce(mail.id), at(5)).await.unwrap();
            let Added::New(suppression) = added else { panic!("{added:?}") };
            assert_eq!((suppression.address, suppression.detail), (None, None));
            let history = store.delivery_history(mail.id).await.unwrap().unwrap();
            assert_eq!((history.attempts.len(), history.attempts[0].code), (1, Some(550)), "what was learned stays");
            assert!(!format!("{history:?}").to_lowercase().contains("zo"), "{history:?}");
        }
        let known = ["h1".to_owned()];
        assert!(store.find_suppression("zoe@people.test", &known, Category::Booking).await.unwrap().is_some());
        assert!(store.find_suppression("zoe@people.test", &[], Category::Booking).await.unwrap().is_none());
    }

    async fn however_erasing_and_ending_meet_nothing_is_left(world) {
        let store = &world.store;
        for n in 0..40 {
            let mail = world.mail(&format!("mail{n}")).await;
            store.begin_sending(mail.id, mail.job_id, 7, at(1)).await.unwrap();
            assert!(store.mark_data(mail.id, 7, &on_the_wire(), at(2)).await.unwrap());
            let (report, bounce) = (refusal(), bounce(mail.id));
            let (erased, failed, added) = tokio::join!(
                store.erase_person("zoe@people.test", "h1", at(3)),
                store.mark_failed(mail.id, 7, &report, at(3)),
                store.add_suppression(&bounce, at(3)),
            );
            assert_eq!((erased.is_ok(), failed.is_ok(), added.is_ok()), (true, true, true), "{n}");
            let history = store.delivery_history(mail.id).await.unwrap().unwrap();
            assert!(!format!("{history:?}").to_lowercase().contains("zo"), "{n}: {history:?}");
            let left = store.find_suppression("zoe@people.test", &[], Category::Booking).await.unwrap();
            assert_eq!(left, None, "{n}");
        }
    }

    async fn a_person_whose_address_is_beyond_ascii_is_found_in_either_case(world) {
        let store = &world.store;
        let mut booked = snapshot();
        booked.student.email = "Ünal.Şahin@people.test".to_owned();
        let new = event("bk_1", 1, BookingEventKind::Confirmed, booked.clone());
        store.accept_event(&new, at(0)).await.unwrap();
        // No mail yet: the booking alone knows them.
        store.apply_event("bk_1", 1, at(1), |_, _| store::FanOut::default()).await.unwrap();
        let someone_else = event("bk_2", 1, BookingEventKind::Confirmed, snapshot());
        store.accept_event(&someone_else, at(0)).await.unwrap();
        store.apply_event("bk_2", 1, at(1), |_, _| store::FanOut::default()).await.unwrap();
        assert_eq!(store.export_person("ünal.şahin@people.test").await.unwrap().bookings.len(), 1);
        let erased = store.erase_person("ÜNAL.ŞAHIN@people.test", "h1", at(3)).await.unwrap();
        assert_eq!(erased.bookings, 1);
        assert_eq!(store.get_booking("bk_1").await.unwrap().unwrap().student.email, ERASED_ADDRESS);
        assert_eq!(store.get_booking("bk_2").await.unwrap().unwrap().student.email, "zoe@people.test");
    }
}
