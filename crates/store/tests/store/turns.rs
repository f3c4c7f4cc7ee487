//! A mail whose turn has not come: its attempt was none, on both databases.

use store::{AttemptReport, Begun, DeliveryState, OnTheWire};

use crate::both::{at, by, fresh_id, on_both};

const MINE: u64 = u64::MAX - 4;

on_both! {
    async fn an_attempt_that_is_put_back_was_none(world) {
        let (store, mail) = (&world.store, world.mail("one").await);
        for n in 0..3 {
            let begun = store.begin_sending(mail.id, mail.job_id, MINE + n, at(1)).await.unwrap();
            let Begun::Begun(delivery) = begun else { panic!("{begun:?}") };
            assert_eq!(delivery.attempts, 1);
            // Its answer may be lost: the second call changes nothing.
            for _ in 0..2 {
                assert!(store.put_back(mail.id, MINE + n, "not yet", at(60), at(2)).await.unwrap());
            }
        }
        let (row, attempts) = store.get_delivery(mail.id).await.unwrap().unwrap();
        assert_eq!((row.state, row.phase, row.attempts), (DeliveryState::Deferred, None, 0));
        assert_eq!((row.last_error.as_deref(), row.next_attempt_at), (Some("not yet"), Some(at(60))));
        assert!(attempts.is_empty(), "{attempts:?}");
        let silent = async |now| store.stale_intents(std::time::Duration::from_secs(30), 10, at(now)).await.unwrap().len();
        assert_eq!((silent(89).await, silent(91).await), (0, 1), "the sweep leaves it alone until then");
    }

    async fn only_who_has_the_mail_puts_it_back_and_only_before_its_body(world) {
        let (store, mail) = (&world.store, world.mail("one").await);
        let put_back = async |token| store.put_back(mail.id, token, "not yet", at(60), at(3)).await.unwrap();
        store.begin_sending(mail.id, mail.job_id, MINE, at(1)).await.unwrap();
        assert!(!put_back(7).await, "another attempt's");
        let message = OnTheWire { message_id: "<a@b.test>".to_owned(), subject: "S".to_owned() };
        assert!(store.mark_data(mail.id, MINE, &message, at(2)).await.unwrap());
        assert!(!put_back(MINE).await, "its body has begun");
        assert!(store.mark_deferred(mail.id, MINE, &AttemptReport::default(), at(60), at(4)).await.unwrap());
        assert_eq!(store.get_delivery(mail.id).await.unwrap().unwrap().0.attempts, 1);
        store.release_delivery(mail.id, fresh_id(), by(), at(5)).await.unwrap();
        assert!(!put_back(MINE).await, "it was released under another job");
    }

    async fn attempts_that_got_as_far_as_a_relay_are_told_from_others(world) {
        let (store, mail) = (&world.store, world.mail("one").await);
        let relay = |name: Option<&str>| AttemptReport { relay: name.map(str::to_owned), ..AttemptReport::default() };
        for (n, name) in [None, Some("a:25"), None, Some("b:25")].into_iter().enumerate() {
            let token = MINE - n as u64;
            store.begin_sending(mail.id, mail.job_id, token, at(1)).await.unwrap();
            assert!(store.mark_deferred(mail.id, token, &relay(name), at(60), at(2)).await.unwrap());
        }
        assert_eq!(store.attempts_at_relays(mail.id).await.unwrap(), 2);
        assert_eq!(store.attempts_at_relays(fresh_id()).await.unwrap(), 0);
    }
}
