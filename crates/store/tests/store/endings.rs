//! What an ended job leaves of its row: closed, reopened, renewed.

use std::time::Duration;

use store::{
    Accepted, AttemptOutcome, AttemptReport, Begun, BookingEventKind, Closed, Delivery, DeliveryRef, DeliveryState,
    EventApplied, EventState, FanOut, Intent, JobEnd, Moved, NewBookingEvent, OnTheWire,
};

use crate::both::{World, at, by, event, fresh_id, on_both, snapshot};

const MINE: u64 = u64::MAX - 4;
const THEIRS: u64 = 7;

/// Ends the mail with its job, 31 s after the epoch, for who was silent before.
async fn close(world: &World, mail: &DeliveryRef, ended: JobEnd) -> Option<Closed> {
    let intent = Intent::Delivery(mail.clone());
    world.store.close_intent(&intent, ended, "its job ended so", at(31), at(40)).await.unwrap()
}

async fn row(world: &World, mail: &DeliveryRef) -> Delivery {
    world.store.get_delivery(mail.id).await.unwrap().unwrap().0
}

fn message() -> OnTheWire {
    OnTheWire { message_id: "<a@bookings.test>".to_owned(), subject: "Your lesson".to_owned() }
}

/// What the sweep would still find, long after.
async fn open_intents(world: &World) -> usize {
    world.store.stale_intents(Duration::from_secs(30), 100, at(100_000)).await.unwrap().len()
}

fn intent(new: &NewBookingEvent) -> Intent {
    Intent::BookingEvent {
        booking_id: new.booking_id.clone(),
        version: new.version,
        event: new.event,
        job_id: new.job_id,
    }
}

on_both! {
    async fn a_waiting_mail_ends_as_its_job_did_and_the_sweep_is_done_with_it(world) {
        let ends = [
            (JobEnd::Dead, DeliveryState::Failed),
            (JobEnd::Cancelled, DeliveryState::Cancelled),
            (JobEnd::Expired, DeliveryState::Expired),
        ];
        for (ended, state) in ends {
            let mail = world.mail(ended.as_str()).await;
            assert_eq!(close(world, &mail, ended).await, Some(Closed::Delivery(state)));
            let closed = row(world, &mail).await;
            assert_eq!((closed.state, closed.last_error.as_deref()), (state, Some("its job ended so")));
            assert_eq!(close(world, &mail, ended).await, None, "once is enough");
        }
        assert_eq!(open_intents(world).await, 0);
    }

    async fn a_mail_that_was_heard_of_or_has_another_job_is_left_alone(world) {
        let mail = world.mail("k").await;
        let other = DeliveryRef { job_id: fresh_id(), ..mail.clone() };
        assert_eq!(close(world, &other, JobEnd::Dead).await, None);
        world.store.begin_sending(mail.id, mail.job_id, MINE, at(35)).await.unwrap();
        assert_eq!(close(world, &mail, JobEnd::Dead).await, None);
        assert_eq!(row(world, &mail).await.state, DeliveryState::Sending);
    }

    async fn an_attempt_that_lost_its_mail_so_may_not_write_its_body(world) {
        let mail = world.mail("k").await;
        world.store.begin_sending(mail.id, mail.job_id, MINE, at(1)).await.unwrap();
        assert_eq!(close(world, &mail, JobEnd::Dead).await, Some(Closed::Delivery(DeliveryState::Failed)));
        assert!(!world.store.mark_data(mail.id, MINE, &message(), at(41)).await.unwrap());
        let report = AttemptReport::default();
        assert!(!world.store.mark_failed(mail.id, MINE, &report, at(41)).await.unwrap());
        let (_, attempts) = world.store.get_delivery(mail.id).await.unwrap().unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [AttemptOutcome::Lost]);
    }

    async fn a_mail_whose_body_had_begun_is_unknown_and_its_late_reply_still_counts(world) {
        let mail = world.mail("k").await;
        world.store.begin_sending(mail.id, mail.job_id, MINE, at(1)).await.unwrap();
        assert!(world.store.mark_data(mail.id, MINE, &message(), at(2)).await.unwrap());
        assert_eq!(close(world, &mail, JobEnd::Dead).await, Some(Closed::Delivery(DeliveryState::Unknown)));
        let begun = world.store.begin_sending(mail.id, mail.job_id, THEIRS, at(50)).await.unwrap();
        assert_eq!(begun, Begun::NotSendable(DeliveryState::Unknown), "nobody sends it again unasked");
        assert!(world.store.mark_sent(mail.id, MINE, &AttemptReport::default(), at(60)).await.unwrap());
        assert_eq!(row(world, &mail).await.state, DeliveryState::Sent);
    }

    async fn a_redriven_job_takes_its_mail_up_again(world) {
        for ended in JobEnd::ALL {
            let mail = world.mail(ended.as_str()).await;
            close(world, &mail, *ended).await.unwrap();
            let begun = world.store.begin_sending(mail.id, mail.job_id, THEIRS, at(50)).await.unwrap();
            assert!(matches!(begun, Begun::Begun(_)), "{begun:?}");
            assert!(world.store.mark_sent(mail.id, THEIRS, &AttemptReport::default(), at(51)).await.unwrap());
        }
    }

    async fn a_mail_that_a_person_called_off_or_a_relay_refused_is_not_taken_up_again(world) {
        let called_off = world.mail("called off").await;
        world.store.cancel_delivery(called_off.id, by(), at(1)).await.unwrap();
        let refused = world.mail("refused").await;
        world.store.begin_sending(refused.id, refused.job_id, MINE, at(1)).await.unwrap();
        world.store.mark_failed(refused.id, MINE, &AttemptReport::default(), at(2)).await.unwrap();
        for (mail, state) in [(called_off, DeliveryState::Cancelled), (refused, DeliveryState::Failed)] {
            assert_eq!(close(world, &mail, JobEnd::Dead).await, None, "it has its end");
            let begun = world.store.begin_sending(mail.id, mail.job_id, THEIRS, at(50)).await.unwrap();
            assert_eq!(begun, Begun::NotSendable(state));
        }
    }

    async fn a_mail_that_could_not_be_made_is_failed_and_made_by_its_job_redriven(world) {
        let mail = world.mail("k").await;
        world.store.begin_sending(mail.id, mail.job_id, MINE, at(1)).await.unwrap();
        assert!(world.store.mark_unsendable(mail.id, MINE, &AttemptReport::default(), at(2)).await.unwrap());
        assert_eq!(row(world, &mail).await.state, DeliveryState::Failed);
        let begun = world.store.begin_sending(mail.id, mail.job_id, THEIRS, at(50)).await.unwrap();
        assert!(matches!(begun, Begun::Begun(_)), "{begun:?}");
    }

    async fn a_released_mail_belongs_to_its_new_job(world) {
        let mail = world.mail("k").await;
        close(world, &mail, JobEnd::Dead).await.unwrap();
        let Moved::Done(released) = world.store.release_delivery(mail.id, fresh_id(), by(), at(50)).await.unwrap() else {
            panic!("released");
        };
        assert_eq!((released.state, released.release), (DeliveryState::Queued, 1));
        world.store.begin_sending(mail.id, released.job_id, MINE, at(51)).await.unwrap();
        world.store.mark_failed(mail.id, MINE, &AttemptReport::default(), at(52)).await.unwrap();
        let begun = world.store.begin_sending(mail.id, released.job_id, THEIRS, at(53)).await.unwrap();
        assert_eq!(begun, Begun::NotSendable(DeliveryState::Failed), "this time the relay refused it");
    }

    async fn an_event_fails_with_its_job_and_the_job_redriven_applies_it(world) {
        let new = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&new, at(0)).await.unwrap();
        let close = async |silent_since| {
            world.store.close_intent(&intent(&new), JobEnd::Dead, "no luck", at(silent_since), at(40)).await.unwrap()
        };
        assert_eq!(close(0).await, None, "it was heard of then");
        assert_eq!(close(31).await, Some(Closed::BookingEvent));
        let failed = world.store.get_event("bk_1", 1).await.unwrap().unwrap();
        assert_eq!((failed.state, failed.failure.as_deref()), (EventState::Failed, Some("no luck")));
        assert_eq!(open_intents(world).await, 0);

        let applied = world.store.apply_event("bk_1", 1, at(50), |_, _| FanOut::default()).await.unwrap();
        assert!(matches!(applied, EventApplied::Applied { .. }), "{applied:?}");
        let applied = world.store.get_event("bk_1", 1).await.unwrap().unwrap();
        assert_eq!((applied.state, applied.failure), (EventState::Applied, None));
        assert_eq!(close(100).await, None, "it is done");
    }

    async fn a_failed_event_that_is_reported_again_is_accepted_again_under_the_new_job(world) {
        let first = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&first, at(0)).await.unwrap();
        world.store.close_intent(&intent(&first), JobEnd::Dead, "no luck", at(31), at(40)).await.unwrap().unwrap();
        let second = NewBookingEvent { job_id: fresh_id(), ..first.clone() };
        let answer = world.store.accept_event(&second, at(50)).await.unwrap();
        assert_eq!(answer, Accepted::Duplicate { job_id: second.job_id });
        let accepted = world.store.get_event("bk_1", 1).await.unwrap().unwrap();
        assert_eq!((accepted.state, accepted.job_id), (EventState::Accepted, second.job_id));
        assert_eq!(accepted.received_at, at(0));
        let third = NewBookingEvent { job_id: fresh_id(), ..first };
        let answer = world.store.accept_event(&third, at(51)).await.unwrap();
        assert_eq!(answer, Accepted::Duplicate { job_id: second.job_id });
        assert_eq!(open_intents(world).await, 1, "the sweep watches over it again");
    }

    async fn an_open_intent_is_given_another_job_once(world) {
        let mail = world.mail("k").await;
        let new = event("bk_1", 1, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&new, at(0)).await.unwrap();
        for intent in [Intent::Delivery(mail.clone()), intent(&new)] {
            let (one, other) = (fresh_id(), fresh_id());
            assert!(world.store.renew_job(&intent, one).await.unwrap());
            assert!(!world.store.renew_job(&intent, other).await.unwrap());
        }
        let ids: Vec<_> = world
            .store
            .stale_intents(Duration::ZERO, 10, at(100))
            .await
            .unwrap()
            .iter()
            .map(Intent::job_id)
            .collect();
        assert!(!ids.contains(&mail.job_id) && !ids.contains(&new.job_id), "{ids:?}");
    }
}
