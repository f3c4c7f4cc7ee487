//! Lists by filter, page by page.

use store::{Delivery, DeliveryFilter, DeliveryState, NewDelivery, StoreError};
use uuid::Uuid;

use crate::both::{World, at, by, mail, on_both};

/// Twelve mails, three a second, to four people about three bookings.
async fn twelve(world: &World) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for n in 0..12 {
        let new = NewDelivery {
            recipient: format!("Person{}@People.test", n % 4),
            booking_id: Some(format!("bk_{}", n % 3)),
            ..mail(&format!("k{n}"))
        };
        ids.push(world.store.insert_deliveries(&[new], at(n / 3)).await.unwrap()[0].id);
    }
    ids.reverse();
    ids
}

async fn pages(world: &World, filter: &DeliveryFilter, limit: u32) -> Vec<Vec<Delivery>> {
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let page = world.store.list_deliveries(filter, limit, cursor.as_deref()).await.unwrap();
        pages.push(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return pages,
        }
    }
}

fn ids(pages: &[Vec<Delivery>]) -> Vec<Uuid> {
    pages.iter().flatten().map(|delivery| delivery.id).collect()
}

on_both! {
    async fn mails_are_listed_newest_first_page_by_page(world) {
        let all = twelve(world).await;
        for (limit, expected) in [(5, 3), (12, 1), (11, 2), (1, 12), (0, 12), (100, 1)] {
            let pages = pages(world, &DeliveryFilter::default(), limit).await;
            assert_eq!(pages.len(), expected, "pages of {limit}");
            assert_eq!(ids(&pages), all);
        }
    }

    async fn a_page_stays_right_while_mails_are_added_in_front(world) {
        let all = twelve(world).await;
        let first = world.store.list_deliveries(&DeliveryFilter::default(), 4, None).await.unwrap();
        world.store.insert_deliveries(&[mail("newer")], at(100)).await.unwrap();
        let rest = world.store.list_deliveries(&DeliveryFilter::default(), 50, first.next_cursor.as_deref()).await.unwrap();
        assert_eq!(ids(&[first.items, rest.items]), all);
    }

    async fn a_person_is_found_whatever_the_case_of_the_address(world) {
        twelve(world).await;
        let filter = DeliveryFilter { recipient: Some("PERSON1@people.TEST".to_owned()), ..DeliveryFilter::default() };
        let found = pages(world, &filter, 2).await;
        assert_eq!(found.len(), 2);
        assert!(found.iter().flatten().all(|delivery| delivery.recipient == "Person1@People.test"));
        assert_eq!(ids(&found).len(), 3);
    }

    async fn conditions_are_met_together(world) {
        let all = twelve(world).await;
        world.store.cancel_delivery(all[0], by(), at(50)).await.unwrap();
        let filter = |state| DeliveryFilter {
            recipient: Some("person3@people.test".to_owned()),
            booking_id: Some("bk_2".to_owned()),
            state,
        };
        assert_eq!(ids(&pages(world, &filter(None), 10).await), [all[0]]);
        assert_eq!(ids(&pages(world, &filter(Some(DeliveryState::Cancelled)), 10).await), [all[0]]);
        assert!(ids(&pages(world, &filter(Some(DeliveryState::Queued)), 10).await).is_empty());
    }

    async fn every_state_can_be_listed(world) {
        let all = twelve(world).await;
        world.store.cancel_delivery(all[3], by(), at(50)).await.unwrap();
        for state in DeliveryState::ALL.iter().copied() {
            let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
            let found = ids(&pages(world, &filter, 5).await);
            let expected = match state {
                DeliveryState::Queued => all.iter().copied().filter(|id| *id != all[3]).collect(),
                DeliveryState::Cancelled => vec![all[3]],
                _ => Vec::new(),
            };
            assert_eq!(found, expected, "{state}");
        }
    }

    async fn a_cursor_of_somebody_else_is_the_callers_fault(world) {
        let error = world.store.list_deliveries(&DeliveryFilter::default(), 5, Some("' OR 1=1")).await.unwrap_err();
        assert!(matches!(error, StoreError::BadCursor));
        assert!(error.is_input() && !error.is_transient());
    }
}
