//! The ledger: an attempt from its beginning to its end, on both databases.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use store::{
    Action, AttemptOutcome, AttemptReport, Begun, By, Category, Class, Delivery, DeliveryFilter, DeliveryState,
    MailPhase, Moved, NewDelivery, OnTheWire, Store, story,
};
use uuid::Uuid;

use crate::both::{at, by, fresh_id, id, mail, on_both};

/// All 64 bits are used.
const MINE: u64 = u64::MAX - 4;
const THEIRS: u64 = 7;

fn message() -> OnTheWire {
    OnTheWire { message_id: "<a@bookings.test>".to_owned(), subject: "Your lesson – bestätigt".to_owned() }
}

fn report(code: u16, text: &str) -> AttemptReport {
    AttemptReport {
        relay: Some("mx.people.test:25".to_owned()),
        phase: Some("reply".to_owned()),
        code: Some(code),
        enhanced: Some("2.0.0".to_owned()),
        text: Some(text.to_owned()),
        duration: Duration::from_millis(1234),
    }
}

/// An attempt of the mail's own job.
async fn begins(store: &Store, id: Uuid, token: u64, now: Timestamp) -> Begun {
    let job_id = row(store, id).await.job_id;
    store.begin_sending(id, job_id, token, now).await.unwrap()
}

async fn begin(store: &Store, id: Uuid, token: u64) -> Delivery {
    match begins(store, id, token, at(1)).await {
        Begun::Begun(delivery) => *delivery,
        other => panic!("begun, not {other:?}"),
    }
}

async fn begin_and_mark(store: &Store, id: Uuid, token: u64) {
    begin(store, id, token).await;
    assert!(store.mark_data(id, token, &message(), at(2)).await.unwrap());
}

async fn row(store: &Store, id: Uuid) -> Delivery {
    store.get_delivery(id).await.unwrap().unwrap().0
}

/// A new mail, brought to `state` by the calls that lead there.
async fn in_state(store: &Store, state: DeliveryState) -> Uuid {
    let key = format!("{state}:{}", fresh_id());
    let id = store.insert_deliveries(&[mail(&key)], at(0)).await.unwrap()[0].id;
    match state {
        DeliveryState::Queued => {}
        DeliveryState::Cancelled => drop(store.cancel_delivery(id, by(), at(1)).await.unwrap()),
        _ => drop(begin(store, id, MINE).await),
    }
    let report = report(0, "so");
    let settled = match state {
        DeliveryState::Queued | DeliveryState::Cancelled | DeliveryState::Sending => true,
        DeliveryState::Sent => store.mark_sent(id, MINE, &report, at(2)).await.unwrap(),
        DeliveryState::Deferred => store.mark_deferred(id, MINE, &report, at(60), at(2)).await.unwrap(),
        DeliveryState::Held => store.mark_held(id, MINE, &report, at(2)).await.unwrap(),
        DeliveryState::Suppressed => store.mark_suppressed(id, MINE, &report, at(2)).await.unwrap(),
        DeliveryState::Expired => store.mark_expired(id, MINE, &report, at(2)).await.unwrap(),
        DeliveryState::Failed => store.mark_failed(id, MINE, &report, at(2)).await.unwrap(),
        DeliveryState::Unknown => store.mark_unknown(id, MINE, &report, at(2)).await.unwrap(),
    };
    assert!(settled);
    assert_eq!(row(store, id).await.state, state);
    id
}

on_both! {
    async fn a_mail_reads_back_as_it_was_written(world) {
        let new = NewDelivery {
            booking_id: Some("bk_1".to_owned()),
            category: Category::Security,
            locale: Some("de-AT".to_owned()),
            calendar: Some(serde_json::json!({ "sequence": 3 })),
            email_id: Some(fresh_id()),
            ..mail("k")
        };
        let written = world.store.insert_deliveries(std::slice::from_ref(&new), at(0)).await.unwrap().remove(0);
        assert_eq!((written.id, written.job_id, written.release), (new.id, new.job_id, 0));
        let read = row(&world.store, new.id).await;
        assert_eq!(
            (read.idempotency_key, read.template, read.sender, read.category, read.recipient, read.recipient_name),
            (new.idempotency_key, new.template, new.sender, new.category, new.recipient, new.recipient_name)
        );
        assert_eq!((read.data, read.booking_id, read.deadline), (new.data, new.booking_id, new.deadline));
        assert_eq!(read.class, Class::Account);
        assert_eq!((read.locale, read.calendar, read.email_id), (new.locale, new.calendar, new.email_id));
        let listed = world.store.list_deliveries(&DeliveryFilter::default(), 10, None).await.unwrap().items;
        assert_eq!(listed, [row(&world.store, new.id).await]);
        assert_eq!((read.state, read.phase, read.attempts), (DeliveryState::Queued, None, 0));
        assert_eq!((read.created_at, read.touched_at, read.sent_at), (at(0), at(0), None));
    }

    async fn a_key_is_written_once_and_answers_with_its_first_row(world) {
        let first = world.mail("k").await;
        let again = world.store.insert_deliveries(&[mail("new"), mail("k")], at(5)).await.unwrap();
        assert_eq!(again[1], first);
        assert_eq!(again[0].idempotency_key, "new");
        assert_eq!(world.store.insert_deliveries(&[], at(5)).await.unwrap(), []);
    }

    async fn a_mail_that_goes_well_is_begun_marked_and_sent(world) {
        let id = world.mail("k").await.id;
        let begun = begin(&world.store, id, MINE).await;
        assert_eq!((begun.state, begun.phase, begun.attempts), (DeliveryState::Sending, Some(MailPhase::Envelope), 1));
        assert_eq!((begun.mail_date, begun.message_id), (Some(at(1)), None));
        assert!(world.store.mark_data(id, MINE, &message(), at(2)).await.unwrap());
        assert_eq!(row(&world.store, id).await.phase, Some(MailPhase::Data));
        assert!(world.store.mark_sent(id, MINE, &report(250, "OK"), at(3)).await.unwrap());

        let (sent, attempts) = world.store.get_delivery(id).await.unwrap().unwrap();
        assert_eq!((sent.state, sent.phase, sent.sent_at), (DeliveryState::Sent, None, Some(at(3))));
        assert_eq!(sent.message_id.as_deref(), Some("<a@bookings.test>"));
        assert_eq!(sent.subject.as_deref(), Some("Your lesson – bestätigt"));
        assert_eq!(sent.last_error, None);
        let attempt = &attempts[0];
        assert_eq!((attempt.n, attempt.outcome, attempt.started_at), (1, AttemptOutcome::Sent, at(1)));
        assert_eq!((attempt.code, attempt.duration), (Some(250), Duration::from_millis(1234)));
        assert_eq!(attempt.relay.as_deref(), Some("mx.people.test:25"));
        assert_eq!(attempts.len(), 1);
        let begun_again = begins(&world.store, id, THEIRS, at(4)).await;
        assert_eq!(begun_again, Begun::NotSendable(DeliveryState::Sent));
    }

    async fn every_call_of_an_attempt_may_be_repeated(world) {
        let id = world.mail("k").await.id;
        begin(&world.store, id, MINE).await;
        assert_eq!(begin(&world.store, id, MINE).await.attempts, 1);
        for _ in 0..2 {
            assert!(world.store.mark_data(id, MINE, &message(), at(2)).await.unwrap());
        }
        for _ in 0..2 {
            assert!(world.store.mark_sent(id, MINE, &report(250, "OK"), at(3)).await.unwrap());
        }
        assert_eq!(world.store.get_delivery(id).await.unwrap().unwrap().1.len(), 1);
    }

    async fn the_date_and_the_message_id_are_the_same_in_every_attempt(world) {
        let id = world.mail("k").await.id;
        begin_and_mark(&world.store, id, MINE).await;
        assert!(world.store.mark_deferred(id, MINE, &report(451, "later"), at(60), at(3)).await.unwrap());
        let deferred = row(&world.store, id).await;
        assert_eq!((deferred.state, deferred.next_attempt_at), (DeliveryState::Deferred, Some(at(60))));
        assert_eq!(deferred.last_error.as_deref(), Some("later"));

        let Begun::Begun(second) = begins(&world.store, id, THEIRS, at(60)).await else {
            panic!("begun");
        };
        assert_eq!((second.attempts, second.next_attempt_at), (2, None));
        assert_eq!((second.mail_date, second.message_id.as_deref()), (Some(at(1)), Some("<a@bookings.test>")));
        let other = OnTheWire { message_id: "<b@bookings.test>".to_owned(), ..message() };
        assert!(world.store.mark_data(id, THEIRS, &other, at(61)).await.unwrap());
        assert_eq!(row(&world.store, id).await.message_id.as_deref(), Some("<a@bookings.test>"));
    }

    async fn who_lost_the_lease_is_refused_the_mark_and_every_end(world) {
        let id = world.mail("k").await.id;
        begin(&world.store, id, THEIRS).await;
        assert_eq!(begin(&world.store, id, MINE).await.attempts, 2, "taken over before the body");

        assert!(!world.store.mark_data(id, THEIRS, &message(), at(2)).await.unwrap());
        let late = report(250, "OK");
        assert!(!world.store.mark_sent(id, THEIRS, &late, at(2)).await.unwrap());
        assert!(!world.store.mark_failed(id, THEIRS, &late, at(2)).await.unwrap());
        assert!(!world.store.mark_unknown(id, THEIRS, &late, at(2)).await.unwrap());
        assert!(!world.store.mark_deferred(id, THEIRS, &late, at(9), at(2)).await.unwrap());

        assert!(world.store.mark_data(id, MINE, &message(), at(3)).await.unwrap());
        assert!(world.store.mark_sent(id, MINE, &late, at(4)).await.unwrap());
        let (_, attempts) = world.store.get_delivery(id).await.unwrap().unwrap();
        let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Lost, AttemptOutcome::Sent]);
    }

    async fn a_worker_that_vanished_in_the_body_leaves_an_unknown_mail_that_is_not_sent_again(world) {
        let id = world.mail("k").await.id;
        begin_and_mark(&world.store, id, THEIRS).await;
        assert_eq!(begins(&world.store, id, MINE, at(20)).await, Begun::BecameUnknown);
        let (left, attempts) = world.store.get_delivery(id).await.unwrap().unwrap();
        assert_eq!(left.state, DeliveryState::Unknown);
        assert_eq!((attempts[0].outcome, attempts[0].phase.as_deref()), (AttemptOutcome::Unknown, Some("data")));
        assert_eq!(attempts[0].duration, Duration::from_secs(19));
        let again = begins(&world.store, id, MINE, at(21)).await;
        assert_eq!(again, Begun::NotSendable(DeliveryState::Unknown));
        assert!(!world.store.mark_data(id, MINE, &message(), at(21)).await.unwrap());
    }

    async fn an_unknown_mail_is_sent_after_all_when_its_worker_got_the_reply(world) {
        let id = world.mail("k").await.id;
        begin_and_mark(&world.store, id, THEIRS).await;
        assert_eq!(begins(&world.store, id, MINE, at(20)).await, Begun::BecameUnknown);
        assert!(!world.store.mark_sent(id, MINE, &report(250, "OK"), at(21)).await.unwrap(), "not the one who wrote it");
        assert!(world.store.mark_sent(id, THEIRS, &report(250, "OK"), at(22)).await.unwrap());
        let (sent, attempts) = world.store.get_delivery(id).await.unwrap().unwrap();
        assert_eq!((sent.state, sent.sent_at, sent.last_error), (DeliveryState::Sent, Some(at(22)), None));
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].outcome, attempts[0].code), (AttemptOutcome::Sent, Some(250)));
    }

    async fn a_late_reply_counts_for_nothing_once_the_mail_was_released(world) {
        let id = world.mail("k").await.id;
        begin_and_mark(&world.store, id, THEIRS).await;
        assert!(world.store.mark_unknown(id, THEIRS, &report(0, "connection reset"), at(5)).await.unwrap());
        assert!(matches!(world.store.release_delivery(id, fresh_id(), by(), at(6)).await.unwrap(), Moved::Done(_)));
        assert!(!world.store.mark_sent(id, THEIRS, &report(250, "OK"), at(7)).await.unwrap());
        assert_eq!(row(&world.store, id).await.state, DeliveryState::Queued);
    }

    async fn an_alert_is_sent_again_when_its_worker_vanished_in_the_body(world) {
        let alert = NewDelivery { category: Category::Alert, ..mail("k") };
        let id = world.store.insert_deliveries(&[alert], at(0)).await.unwrap()[0].id;
        begin_and_mark(&world.store, id, THEIRS).await;
        let again = begin(&world.store, id, MINE).await;
        assert_eq!((again.attempts, again.phase), (2, Some(MailPhase::Envelope)));
        assert!(!world.store.mark_sent(id, THEIRS, &report(250, "OK"), at(3)).await.unwrap());
        assert!(world.store.mark_data(id, MINE, &message(), at(3)).await.unwrap());
        assert!(world.store.mark_sent(id, MINE, &report(250, "OK"), at(4)).await.unwrap());
    }

    async fn of_many_attempts_at_once_one_writes_the_body(world) {
        let id = world.mail("k").await.id;
        let attempts = (0..32_u64).map(|token| {
            let store = world.store.clone();
            tokio::spawn(async move {
                match begins(&store, id, token, at(1)).await {
                    Begun::Begun(_) => store.mark_data(id, token, &message(), at(2)).await.unwrap(),
                    _ => false,
                }
            })
        });
        let mut written = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            written += u32::from(attempt.await.unwrap());
        }
        assert_eq!(written, 1);
    }

    async fn a_mail_that_does_not_exist_is_missing(world) {
        assert_eq!(world.store.begin_sending(id(1), id(1), MINE, at(1)).await.unwrap(), Begun::Missing);
        assert!(!world.store.mark_data(id(1), MINE, &message(), at(1)).await.unwrap());
        assert_eq!(world.store.get_delivery(id(1)).await.unwrap(), None);
        assert_eq!(world.store.cancel_delivery(id(1), by(), at(1)).await.unwrap(), Moved::Missing);
        assert_eq!(world.store.release_delivery(id(1), id(2), by(), at(1)).await.unwrap(), Moved::Missing);
        assert_eq!(world.store.resolve_delivery(id(1), true, by(), at(1)).await.unwrap(), Moved::Missing);
    }

    async fn a_release_counts_up_and_names_the_new_job(world) {
        let id = in_state(&world.store, DeliveryState::Held).await;
        let job_id = fresh_id();
        let Moved::Done(released) = world.store.release_delivery(id, job_id, by(), at(9)).await.unwrap() else {
            panic!("released");
        };
        assert_eq!((released.release, released.job_id, released.state), (1, job_id, DeliveryState::Queued));
        let begun = world.store.begin_sending(id, job_id, THEIRS, at(9)).await.unwrap();
        assert!(matches!(begun, Begun::Begun(_)), "{begun:?}");
        assert!(world.store.mark_data(id, THEIRS, &message(), at(9)).await.unwrap());
        assert!(world.store.mark_sent(id, THEIRS, &report(250, "OK"), at(10)).await.unwrap());
        let (_, attempts) = world.store.get_delivery(id).await.unwrap().unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.n).collect::<Vec<_>>(), [1, 2]);
    }

    async fn of_two_jobs_of_a_mail_that_ask_at_once_under_one_lease_only_its_own_gets_it(world) {
        let store = &world.store;
        for n in 0..32 {
            let mail = world.mail(&format!("k{n}")).await;
            let Moved::Done(released) = store.release_delivery(mail.id, fresh_id(), by(), at(2)).await.unwrap() else {
                panic!("released");
            };
            let ask = async |job| store.begin_sending(mail.id, job, MINE, at(3)).await.unwrap();
            let (before, own) = tokio::join!(ask(mail.job_id), ask(released.job_id));
            assert_eq!(before, Begun::Superseded);
            assert!(matches!(own, Begun::Begun(_)), "{own:?}");
        }
    }

    async fn the_job_of_before_a_release_sends_nothing_even_under_the_same_lease(world) {
        let store = &world.store;
        let mail = world.mail("k").await;
        let id = mail.id;
        let Moved::Done(released) = store.release_delivery(id, fresh_id(), by(), at(2)).await.unwrap() else {
            panic!("released");
        };
        let before = async || store.begin_sending(id, mail.job_id, MINE, at(3)).await.unwrap();
        assert_eq!(before().await, Begun::Superseded, "while it waits");
        let begun = store.begin_sending(id, released.job_id, MINE, at(3)).await.unwrap();
        assert!(matches!(begun, Begun::Begun(_)), "{begun:?}");
        assert_eq!(before().await, Begun::Superseded, "before the body");
        assert!(store.mark_data(id, MINE, &message(), at(4)).await.unwrap());
        assert_eq!(before().await, Begun::Superseded, "in the body");
        assert!(store.mark_sent(id, MINE, &report(250, "OK"), at(5)).await.unwrap());
        assert_eq!(before().await, Begun::Superseded, "after it");
        assert_eq!(row(store, id).await.attempts, 1);
    }

    async fn a_person_says_what_became_of_an_unknown_mail(world) {
        let went = in_state(&world.store, DeliveryState::Unknown).await;
        assert!(matches!(world.store.resolve_delivery(went, true, by(), at(9)).await.unwrap(), Moved::Done(_)));
        assert_eq!(row(&world.store, went).await.sent_at, Some(at(9)));
        let stayed = in_state(&world.store, DeliveryState::Unknown).await;
        assert!(matches!(world.store.resolve_delivery(stayed, false, by(), at(9)).await.unwrap(), Moved::Done(_)));
        let stayed = row(&world.store, stayed).await;
        assert_eq!((stayed.state, stayed.sent_at), (DeliveryState::Failed, None));
    }

    async fn what_was_done_to_a_mail_is_told_with_who_did_it(world) {
        let store = &world.store;
        let id = in_state(store, DeliveryState::Unknown).await;
        let told = story(&store.delivery_history(id).await.unwrap().unwrap(), at(5));
        assert!(told[0].starts_with("Nobody knows whether it arrived: so."), "{told:?}");
        assert!(told.last().unwrap().contains("resolve it as sent or failed"), "{told:?}");

        store.release_delivery(id, fresh_id(), By::person(fresh_id(), "the key ops"), at(9)).await.unwrap();
        store.cancel_delivery(id, By::person(fresh_id(), "the key bookings"), at(10)).await.unwrap();
        assert_eq!(store.cancel_delivery(id, by(), at(11)).await.unwrap(), Moved::Refused(DeliveryState::Cancelled));
        let history = store.delivery_history(id).await.unwrap().unwrap();
        let deeds: Vec<_> = history.deeds.iter().map(|deed| (deed.action, deed.found, deed.actor.as_str())).collect();
        assert_eq!(
            deeds,
            [
                (Action::Resend, DeliveryState::Unknown, "the key ops"),
                (Action::Cancel, DeliveryState::Queued, "the key bookings"),
            ]
        );
        let told = story(&history, at(12)).join(" ");
        assert!(told.contains("set on its way again by the key ops; it had been unknown."), "{told}");
        assert!(!told.to_lowercase().contains("zoe"), "no address and no name: {told}");
    }

    async fn a_person_gives_a_mail_its_time_again(world) {
        let store = &world.store;
        let mail = in_state(store, DeliveryState::Held).await;
        assert!(matches!(store.release_delivery(mail, fresh_id(), by(), at(4000)).await.unwrap(), Moved::Done(_)));
        assert_eq!(row(store, mail).await.deadline, Some(at(4000 + 24 * 3600)));
    }

    async fn a_mail_without_a_deadline_gets_that_of_its_class(world) {
        for category in Category::ALL.iter().copied() {
            let new = NewDelivery { category, deadline: None, ..mail(category.as_str()) };
            let id = world.store.insert_deliveries(&[new], at(0)).await.unwrap()[0].id;
            let deadline = at(0) + SignedDuration::try_from(category.class().worth()).unwrap();
            assert_eq!(row(&world.store, id).await.deadline, Some(deadline), "{category}");
        }
    }

    async fn many_mails_under_way_at_once_each_get_their_own_answer(world) {
        let mails: Vec<_> = (0..300).map(|n| mail(&format!("k{n}"))).collect();
        let ids: Vec<_> = world.store.insert_deliveries(&mails, at(0)).await.unwrap().iter().map(|row| row.id).collect();
        let sending = ids.iter().enumerate().map(|(n, id)| {
            let (store, id, token) = (world.store.clone(), *id, n as u64 + 1);
            tokio::spawn(async move {
                let begun = begin(&store, id, token).await;
                assert_eq!((begun.id, begun.idempotency_key), (id, format!("k{n}")));
                // Every tenth has lost its lease meanwhile.
                let token = if n % 10 == 0 { token + 1_000 } else { token };
                let message = OnTheWire { message_id: format!("<{n}@bookings.test>"), ..message() };
                let marked = store.mark_data(id, token, &message, at(2)).await.unwrap();
                let sent = store.mark_sent(id, token, &report(250, &format!("OK {n}")), at(3)).await.unwrap();
                assert_eq!((marked, sent), (n % 10 != 0, n % 10 != 0), "{n}");
            })
        });
        for one in sending.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        for (n, id) in ids.iter().enumerate() {
            let (mail, attempts) = world.store.get_delivery(*id).await.unwrap().unwrap();
            if n % 10 == 0 {
                assert_eq!((mail.state, mail.phase), (DeliveryState::Sending, Some(MailPhase::Envelope)));
            } else {
                assert_eq!((mail.state, mail.message_id), (DeliveryState::Sent, Some(format!("<{n}@bookings.test>"))));
                assert_eq!(attempts[0].text, Some(format!("OK {n}")));
                assert_eq!((attempts[0].started_at, attempts[0].code), (at(1), Some(250)));
            }
        }
    }

    async fn a_relay_that_says_nul_does_not_keep_the_end_from_being_written(world) {
        for (key, sent) in [("sent", true), ("failed", false)] {
            let id = world.mail(key).await.id;
            begin(&world.store, id, MINE).await;
            let report = report(250, "o\0k");
            let written = match sent {
                true => world.store.mark_sent(id, MINE, &report, at(3)).await,
                false => world.store.mark_failed(id, MINE, &report, at(3)).await,
            };
            assert!(written.unwrap());
            let (_, attempts) = world.store.get_delivery(id).await.unwrap().unwrap();
            assert_eq!(attempts[0].text.as_deref(), Some("o\u{fffd}k"));
        }
    }
}
