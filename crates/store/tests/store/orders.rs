//! Events of a booking in every order, late and repeated: the projection ends in the state of the highest version, and
//! only what is true of it still waits to be sent.

use std::cell::Cell;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use store::{
    Booking, BookingEvent, BookingEventKind, BookingStatus, DeliveryFilter, DeliveryState, EventApplied, EventState,
    FanOut, NewBookingEvent, NewDelivery,
};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::both::{World, at, event, mail, on_both, snapshot};

/// Orders that are tried on each database.
const CASES: u32 = 24;

/// What happens to a booking, and then in which order it is heard of.
#[derive(Debug, Clone)]
struct Story {
    /// Kind, and hours by which the start differs from the first; version n + 1.
    events: Vec<(BookingEventKind, i64)>,
    /// Indices into `events`, with repeats: accepted and applied one after the other.
    heard: Vec<usize>,
}

fn story() -> impl Strategy<Value = Story> {
    let kind = prop::sample::select(BookingEventKind::ALL);
    prop::collection::vec((kind, 0_i64..3), 1..6).prop_flat_map(|events| {
        let once: Vec<usize> = (0..events.len()).collect();
        let again = prop::collection::vec(0..events.len(), 0..5);
        again.prop_flat_map(move |again| {
            let all: Vec<usize> = once.iter().copied().chain(again).collect();
            let events = events.clone();
            Just(all).prop_shuffle().prop_map(move |heard| Story { events: events.clone(), heard })
        })
    })
}

/// One mail an event, and a reminder of the start while the booking stands.
fn fan_out(event: &BookingEvent, booking: &Booking) -> FanOut {
    let about = |key: String| NewDelivery { booking_id: Some(booking.id.clone()), ..mail(&key) };
    let news = about(format!("booking:{}:v{}:news:student", booking.id, event.version));
    let mut mails = vec![NewDelivery { booking_version: Some(event.version), ..news }];
    if booking.status == BookingStatus::Confirmed {
        let reminder = about(format!("booking:{}:m{}:reminder:1h:student", booking.id, booking.moves));
        mails.push(NewDelivery { booking_moves: Some(booking.moves), ..reminder });
    }
    FanOut { mails, next_reminder_at: (booking.status == BookingStatus::Confirmed).then_some(booking.starts_at) }
}

async fn play(world: &World, id: &str, story: &Story) -> Result<(), TestCaseError> {
    let told: Vec<NewBookingEvent> = story
        .events
        .iter()
        .enumerate()
        .map(|(n, (kind, hours))| {
            let mut snapshot = snapshot();
            snapshot.starts_at += SignedDuration::from_hours(*hours);
            snapshot.service = format!("Piano {n}");
            event(id, n as i64 + 1, *kind, snapshot)
        })
        .collect();
    let mut highest_so_far = 0;
    for (step, n) in story.heard.iter().enumerate() {
        let (new, now) = (&told[*n], at(step as i64));
        world.store.accept_event(new, now).await.unwrap();
        let applied = world.store.apply_event(id, new.version, now, fan_out).await.unwrap();
        highest_so_far = highest_so_far.max(new.version);
        match applied {
            EventApplied::Applied { booking, .. } => prop_assert_eq!(booking.version, highest_so_far),
            EventApplied::Superseded { current } => prop_assert_eq!(current, highest_so_far),
            EventApplied::Missing => prop_assert!(false, "an accepted event is there"),
        }
    }

    let last = told.last().unwrap();
    let booking = world.store.get_booking(id).await.unwrap().unwrap();
    prop_assert_eq!((booking.version, booking.status), (last.version, last.event.status()));
    prop_assert_eq!((&booking.service, booking.starts_at), (&last.snapshot.service, last.snapshot.starts_at));
    prop_assert_eq!(booking.next_reminder_at.is_some(), booking.status == BookingStatus::Confirmed);
    for new in &told {
        let state = world.store.get_event(id, new.version).await.unwrap().unwrap().state;
        prop_assert!(matches!(state, EventState::Applied | EventState::Superseded), "{} is {}", new.version, state);
    }

    let filter = DeliveryFilter { booking_id: Some(id.to_owned()), ..DeliveryFilter::default() };
    let mails = world.store.list_deliveries(&filter, 1000, None).await.unwrap().items;
    let keys: BTreeSet<&str> = mails.iter().map(|mail| mail.idempotency_key.as_str()).collect();
    prop_assert_eq!(keys.len(), mails.len(), "each key once");
    let waiting: BTreeSet<&str> = mails
        .iter()
        .filter(|mail| mail.state == DeliveryState::Queued)
        .map(|mail| mail.idempotency_key.as_str())
        .collect();
    let (news, reminder) = (
        format!("booking:{id}:v{}:news:student", last.version),
        format!("booking:{id}:m{}:reminder:1h:student", booking.moves),
    );
    let mut expected = BTreeSet::from([news.as_str()]);
    if booking.status == BookingStatus::Confirmed {
        expected.insert(&reminder);
    }
    // A reminder that was called off while the booking was cancelled stays so when it is confirmed again.
    let called_off =
        mails.iter().any(|mail| mail.idempotency_key == reminder && mail.state == DeliveryState::Cancelled);
    if called_off {
        expected.remove(reminder.as_str());
    }
    prop_assert_eq!(waiting, expected);
    Ok(())
}

on_both! {
    async fn events_in_any_order_end_in_the_state_of_the_highest_version(world) {
        // Always the same stories: what fails once fails again.
        let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config { cases: CASES, ..Config::default() }, chance);
        let told = Cell::new(0);
        let outcome = runner.run(&story(), |story| {
            let id = format!("bk_{}", told.replace(told.get() + 1));
            block_in_place(|| Handle::current().block_on(play(world, &id, &story)))
        });
        if let Err(why) = outcome {
            panic!("{why}");
        }
    }
}
