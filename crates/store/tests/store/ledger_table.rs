//! The table of the ledger against what the store does: every event at every place, on both databases.

use std::time::Duration;

use store::table::{Event, Place};
use store::{AttemptReport, Category, DeliveryRef, Intent, JobEnd, NewDelivery, OnTheWire, Store};

use crate::both::{World, at, by, fresh_id, mail, on_both};

const MINE: u64 = 1 << 63;
const THEIRS: u64 = 7;

fn message() -> OnTheWire {
    OnTheWire { message_id: "<a@bookings.test>".to_owned(), subject: "Your lesson".to_owned() }
}

async fn place_of(store: &Store, mail: &DeliveryRef) -> Place {
    let (row, _) = store.get_delivery(mail.id).await.unwrap().unwrap();
    Place::of(row.state, row.phase)
}

/// A new mail, brought to `place` by the calls that lead there.
async fn mail_at(world: &World, place: Place, category: Category) -> DeliveryRef {
    let (store, report) = (&world.store, AttemptReport::default());
    let new = NewDelivery { category, ..mail(&fresh_id().to_string()) };
    let mail = store.insert_deliveries(&[new], at(0)).await.unwrap().remove(0);
    if !matches!(place, Place::Queued | Place::Cancelled) {
        store.begin_sending(mail.id, mail.job_id, MINE, at(1)).await.unwrap();
    }
    let (id, now) = (mail.id, at(2));
    let there = match place {
        Place::Queued | Place::Envelope => true,
        Place::Body => store.mark_data(id, MINE, &message(), now).await.unwrap(),
        Place::Deferred => store.mark_deferred(id, MINE, &report, at(60), now).await.unwrap(),
        Place::Held => store.mark_held(id, MINE, &report, now).await.unwrap(),
        Place::Suppressed => store.mark_suppressed(id, MINE, &report, now).await.unwrap(),
        Place::Expired => store.mark_expired(id, MINE, &report, now).await.unwrap(),
        Place::Failed => store.mark_failed(id, MINE, &report, now).await.unwrap(),
        Place::Unknown => store.mark_unknown(id, MINE, &report, now).await.unwrap(),
        Place::Sent => store.mark_sent(id, MINE, &report, now).await.unwrap(),
        Place::Cancelled => {
            store.cancel_delivery(id, by(), now).await.unwrap();
            true
        }
    };
    assert!(there, "{place:?}");
    assert_eq!(place_of(store, &mail).await, place);
    mail
}

/// Lets the event happen, whatever comes of it.
async fn happens(store: &Store, mail: &DeliveryRef, event: Event) {
    let (id, report, now) = (mail.id, AttemptReport::default(), at(200));
    let job = async |ended: JobEnd| {
        let intent = Intent::Delivery(mail.clone());
        store.close_intent(&intent, ended, "no luck", at(150), now).await.unwrap();
    };
    match event {
        Event::Begins | Event::BeginsAgain => drop(store.begin_sending(id, mail.job_id, THEIRS, now).await.unwrap()),
        Event::Marked => drop(store.mark_data(id, MINE, &message(), now).await.unwrap()),
        Event::Taken => drop(store.mark_sent(id, MINE, &report, now).await.unwrap()),
        Event::PutOff => drop(store.mark_deferred(id, MINE, &report, at(300), now).await.unwrap()),
        Event::Refused => drop(store.mark_failed(id, MINE, &report, now).await.unwrap()),
        Event::ReplyLost => drop(store.mark_unknown(id, MINE, &report, now).await.unwrap()),
        Event::TooLate => drop(store.mark_expired(id, MINE, &report, now).await.unwrap()),
        Event::NotAuthentic => drop(store.mark_held(id, MINE, &report, now).await.unwrap()),
        Event::Unwanted => drop(store.mark_suppressed(id, MINE, &report, now).await.unwrap()),
        Event::Untrue => drop(store.mark_called_off(id, MINE, &report, now).await.unwrap()),
        Event::Cancel => drop(store.cancel_delivery(id, by(), now).await.unwrap()),
        Event::Release => drop(store.release_delivery(id, fresh_id(), by(), now).await.unwrap()),
        Event::ResolveSent => drop(store.resolve_delivery(id, true, by(), now).await.unwrap()),
        Event::ResolveFailed => drop(store.resolve_delivery(id, false, by(), now).await.unwrap()),
        Event::JobDead => job(JobEnd::Dead).await,
        Event::JobCancelled => job(JobEnd::Cancelled).await,
        Event::JobExpired => job(JobEnd::Expired).await,
    }
}

on_both! {
    async fn every_event_at_every_place_leads_where_the_table_says(world) {
        let mut pairs = 0;
        for event in Event::ALL {
            let category = if event == Event::BeginsAgain { Category::Alert } else { Category::Booking };
            for place in Place::ALL {
                let mail = mail_at(world, place, category).await;
                happens(&world.store, &mail, event).await;
                let expected = place.after(event).unwrap_or(place);
                assert_eq!(place_of(&world.store, &mail).await, expected, "{event:?} at {place:?}");
                pairs += 1;
            }
        }
        assert_eq!(pairs, 18 * 11);
    }

    async fn what_is_swept_is_what_is_not_at_its_end(world) {
        for place in Place::ALL {
            let mail = mail_at(world, place, Category::Booking).await;
            let open = world.store.stale_intents(Duration::ZERO, 100, at(1_000)).await.unwrap();
            let swept = open.iter().any(|intent| intent.job_id() == mail.job_id);
            assert_eq!(swept, !place.state().is_terminal(), "{place:?}");
        }
    }
}
