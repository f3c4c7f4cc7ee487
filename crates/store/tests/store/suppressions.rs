//! Who must not be written to, on both databases.

use store::{
    Action, Added, Category, Covers, DeliveryEvent, DeliveryEventKind, DeliveryState, Lifting, NewDelivery,
    NewSuppression, SuppressionFilter, SuppressionReason, Which,
};
use uuid::Uuid;

use crate::both::{World, at, fresh_id, mail, on_both};

fn suppression(address: &str, covers: Covers) -> NewSuppression {
    NewSuppression {
        id: fresh_id(),
        address: address.to_owned(),
        address_hash: Some(format!("hash of {address}")),
        covers,
        reason: SuppressionReason::Manual,
        detail: Some("they asked".to_owned()),
        delivery_id: None,
        actor: "tests".to_owned(),
    }
}

async fn held(world: &World, category: Category, address: &str) -> Uuid {
    let new = NewDelivery { category, recipient: address.to_owned(), ..mail(&format!("held:{}", fresh_id())) };
    let row = world.store.insert_deliveries(&[new], at(0)).await.unwrap().remove(0);
    world.store.begin_sending(row.id, row.job_id, 7, at(1)).await.unwrap();
    assert!(world.store.mark_suppressed(row.id, 7, &Default::default(), at(1)).await.unwrap());
    row.id
}

fn shadows(address: &str) -> Vec<String> {
    vec![format!("newer hash of {address}"), format!("hash of {address}")]
}

fn by(actor: &str) -> Lifting<'_> {
    Lifting { actor, shadows: &shadows, new_id: &fresh_id }
}

fn bounce(delivery_id: Uuid) -> DeliveryEvent {
    DeliveryEvent {
        delivery_id,
        at: at(5),
        kind: DeliveryEventKind::Bounce,
        verified: true,
        status: Some("5.1.1".to_owned()),
        text: Some("no such user".to_owned()),
    }
}

async fn holds(world: &World, address: &str, category: Category) -> bool {
    world.store.find_suppression(address, &[], category).await.unwrap().is_some()
}

on_both! {
    async fn an_address_is_suppressed_once_whatever_its_case(world) {
        let first = suppression("Ana@Example.com", Covers::All);
        assert!(matches!(world.store.add_suppression(&first, at(0)).await.unwrap(), Added::New(_)));
        let again = suppression("ana@example.COM", Covers::All);
        let Added::Already(row) = world.store.add_suppression(&again, at(1)).await.unwrap() else { panic!("new") };
        assert_eq!((row.id, row.address.as_deref(), row.created_at), (first.id, Some("ana@example.com"), at(0)));
        assert!(holds(world, "ANA@example.com", Category::Security).await);
        assert!(!holds(world, "ben@example.com", Category::Security).await);
        assert_eq!(world.store.get_suppression(first.id).await.unwrap(), Some(row));
    }

    async fn who_unsubscribed_from_reports_still_gets_everything_else(world) {
        world.store.add_suppression(&suppression("ana@example.com", Covers::Report), at(0)).await.unwrap();
        for category in Category::ALL {
            assert_eq!(holds(world, "ana@example.com", *category).await, *category == Category::Report, "{category}");
        }
    }

    async fn many_who_ask_at_once_each_get_their_own_answer(world) {
        for n in (0..60).step_by(3) {
            let covers = if n % 2 == 0 { Covers::All } else { Covers::Report };
            world.store.add_suppression(&suppression(&format!("p{n}@example.com"), covers), at(n)).await.unwrap();
        }
        let asking = (0..60).map(|n| {
            let store = world.store.clone();
            tokio::spawn(async move {
                // Two ask about each, as two mails to one person do.
                let address = format!("P{}@example.com", n / 2);
                let category = if n % 4 < 2 { Category::Booking } else { Category::Report };
                (n, category, store.find_suppression(&address, &["no such hash".to_owned()], category).await.unwrap())
            })
        });
        for one in asking.collect::<Vec<_>>() {
            let (n, category, found) = one.await.unwrap();
            let person = n / 2;
            let held = person % 3 == 0 && (person % 2 == 0 || category == Category::Report);
            let expected = held.then(|| format!("p{person}@example.com"));
            assert_eq!(found.and_then(|found| found.address), expected, "{n}");
        }
    }

    async fn lifting_sets_on_their_way_what_nothing_else_holds_and_what_is_still_worth_it(world) {
        let store = &world.store;
        for covers in [Covers::All, Covers::Report] {
            store.add_suppression(&suppression("ana@example.com", covers), at(0)).await.unwrap();
        }
        let booking = held(world, Category::Booking, "Ana@example.com").await;
        let report = held(world, Category::Report, "ana@example.com").await;
        let other = held(world, Category::Booking, "ben@example.com").await;
        let Some(all) = store.find_suppression("ana@example.com", &[], Category::Booking).await.unwrap() else { panic!() };
        let lifted = store.lift_suppressions(&Which::Id(all.id), &by("ops"), at(10)).await.unwrap();
        assert_eq!(lifted.suppressions.iter().map(|s| s.id).collect::<Vec<_>>(), [all.id]);
        assert_eq!(lifted.suppressions[0].lifted_by.as_deref(), Some("ops"));
        assert_eq!(lifted.released.iter().map(|r| (r.id, r.release, r.state)).collect::<Vec<_>>(), [
            (booking, 1, DeliveryState::Queued)
        ]);
        let deeds = store.delivery_history(booking).await.unwrap().unwrap().deeds;
        let deeds: Vec<_> = deeds.iter().map(|deed| (deed.action, deed.found, deed.actor.as_str())).collect();
        assert_eq!(deeds, [(Action::Resend, DeliveryState::Suppressed, "ops, by lifting a suppression")]);
        let lifted = store
            .lift_suppressions(&Which::Address("ANA@example.com".to_owned()), &by("ops"), at(11))
            .await
            .unwrap();
        assert_eq!(lifted.released.iter().map(|r| r.id).collect::<Vec<_>>(), [report]);
        assert!(!holds(world, "ana@example.com", Category::Report).await);
        let none = store.lift_suppressions(&Which::Id(all.id), &by("ops"), at(12)).await.unwrap();
        assert!(none.suppressions.is_empty() && none.released.is_empty());
        let state = store.get_delivery(other).await.unwrap().unwrap().0.state;
        assert_eq!(state, DeliveryState::Suppressed);
    }

    async fn what_is_left_of_an_erased_person_is_found_and_lifted_by_address_and_by_id(world) {
        let store = &world.store;
        let whole = SuppressionFilter { address: Some("Eva@example.com".to_owned()), ..SuppressionFilter::default() };
        let filter = SuppressionFilter { shadows: shadows("eva@example.com"), ..whole.clone() };
        for which in ["address", "id"] {
            let new = suppression("eva@example.com", Covers::All);
            store.add_suppression(&new, at(0)).await.unwrap();
            store.erase_person("eva@example.com", "hash of eva@example.com", at(1)).await.unwrap();
            // She came back, and is written to.
            let held = held(world, Category::Booking, "eva@example.com").await;
            assert!(store.list_suppressions(&whole, 10, None).await.unwrap().items.is_empty());
            let found = store.list_suppressions(&filter, 10, None).await.unwrap().items;
            assert_eq!(found.iter().map(|found| (found.id, found.address.as_deref())).collect::<Vec<_>>(), [(new.id, None)]);
            let which = match which {
                "address" => Which::Address("EVA@example.com".to_owned()),
                _ => Which::Id(new.id),
            };
            let lifted = store.lift_suppressions(&which, &by("ops"), at(10)).await.unwrap();
            assert_eq!(lifted.suppressions.iter().map(|s| s.id).collect::<Vec<_>>(), [new.id]);
            assert_eq!(lifted.released.iter().map(|r| r.id).collect::<Vec<_>>(), [held], "{which:?}");
        }
    }

    async fn what_is_past_its_deadline_stays_where_it_is(world) {
        world.store.add_suppression(&suppression("ana@example.com", Covers::All), at(0)).await.unwrap();
        held(world, Category::Booking, "ana@example.com").await;
        let lifted = world
            .store
            .lift_suppressions(&Which::Address("ana@example.com".to_owned()), &by("ops"), at(1_000_000))
            .await
            .unwrap();
        assert_eq!((lifted.suppressions.len(), lifted.released.len()), (1, 0));
    }

    async fn an_unsubscription_alone_can_be_taken_back(world) {
        let manual = suppression("ana@example.com", Covers::All);
        let reader = NewSuppression {
            reason: SuppressionReason::Unsubscribe,
            ..suppression("ana@example.com", Covers::Report)
        };
        for new in [&manual, &reader] {
            world.store.add_suppression(new, at(0)).await.unwrap();
        }
        let which = Which::Unsubscribed("ana@example.com".to_owned());
        let lifted = world.store.lift_suppressions(&which, &by("reader"), at(1)).await.unwrap();
        assert_eq!(lifted.suppressions.iter().map(|s| s.id).collect::<Vec<_>>(), [reader.id]);
        assert!(holds(world, "ana@example.com", Category::Report).await);
    }

    async fn lists_show_what_is_in_force_and_on_demand_what_was_lifted(world) {
        let store = &world.store;
        for n in 0..3 {
            store.add_suppression(&suppression(&format!("p{n}@example.com"), Covers::All), at(n)).await.unwrap();
        }
        let gone = Which::Address("p1@example.com".to_owned());
        store.lift_suppressions(&gone, &by("ops"), at(9)).await.unwrap();
        let mut filter = SuppressionFilter::default();
        let first = store.list_suppressions(&filter, 1, None).await.unwrap();
        assert_eq!(first.items[0].address.as_deref(), Some("p2@example.com"));
        let second = store.list_suppressions(&filter, 1, first.next_cursor.as_deref()).await.unwrap();
        assert_eq!(second.items[0].address.as_deref(), Some("p0@example.com"));
        assert_eq!(second.next_cursor, None);
        filter.lifted = true;
        assert_eq!(store.list_suppressions(&filter, 10, None).await.unwrap().items.len(), 3);
        filter.address = Some("P1@example.com".to_owned());
        assert_eq!(store.list_suppressions(&filter, 10, None).await.unwrap().items.len(), 1);
        // Once more, after it was lifted.
        let again = store.add_suppression(&suppression("p1@example.com", Covers::All), at(10)).await.unwrap();
        assert!(matches!(again, Added::New(_)));
        assert_eq!(store.list_suppressions(&filter, 10, None).await.unwrap().items.len(), 2);
    }

    async fn a_report_and_what_follows_from_it_are_one(world) {
        let store = &world.store;
        let row = world.mail("m").await;
        let event = bounce(row.id);
        let new = suppression("ana@example.com", Covers::All);
        // What cannot be written takes the report along: handed in again it has its effect.
        let other = suppression("ben@example.com", Covers::All);
        store.add_suppression(&other, at(4)).await.unwrap();
        let broken = NewSuppression { id: other.id, ..new.clone() };
        assert!(store.add_report(fresh_id(), &event, b"raw", &broken).await.is_err());
        assert!(store.delivery_events(row.id).await.unwrap().is_empty());
        assert!(store.add_report(fresh_id(), &event, b"raw", &new).await.unwrap());
        assert!(holds(world, "ana@example.com", Category::Booking).await);
        store.lift_suppressions(&Which::Id(new.id), &by("ops"), at(6)).await.unwrap();
        assert!(!store.add_report(fresh_id(), &event, b"raw", &new).await.unwrap());
        assert!(!holds(world, "ana@example.com", Category::Booking).await, "what was lifted stays lifted");
    }

    async fn a_report_is_written_down_once(world) {
        let row = world.mail("m").await;
        let event = bounce(row.id);
        assert!(world.store.add_delivery_event(fresh_id(), &event, b"raw").await.unwrap());
        assert!(!world.store.add_delivery_event(fresh_id(), &event, b"raw").await.unwrap());
        assert_eq!(world.store.delivery_events(row.id).await.unwrap(), std::slice::from_ref(&event));
        let nobody = DeliveryEvent { delivery_id: fresh_id(), ..event };
        assert!(!world.store.add_delivery_event(fresh_id(), &nobody, b"raw").await.unwrap());
        assert_eq!(world.store.delivery_by_message_id(&format!("<{}@x.test>", row.id)).await.unwrap(), None);
    }
}
