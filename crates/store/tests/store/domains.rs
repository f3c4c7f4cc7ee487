//! Domains: their row, changed by one at a time; their history; their held mails.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use store::{
    Action, AttemptReport, Begun, DeliveryState, Domain, DomainRelay, DomainState, HeldMail, Moved, NewDelivery,
    NewDomainCheck,
};

use crate::both::{at, by, fresh_id, mail, on_both};

fn found(text: &str) -> NewDomainCheck {
    NewDomainCheck {
        id: fresh_id(),
        cause: "due".to_owned(),
        verdict: "fail".to_owned(),
        state: DomainState::Suspect,
        report: json!({ "found": text }),
    }
}

on_both! {
    async fn a_domain_is_read_as_it_was_written(world) {
        assert_eq!(world.store.domain("example.test").await.unwrap(), None);
        let mut domain = Domain {
            state: DomainState::Failed,
            checked_at: Some(at(5)),
            verified_at: Some(at(1)),
            failing_since: Some(at(2)),
            unclear_in_a_row: 3,
            next_check_at: Some(at(300)),
            told: true,
            reason: Some("spf.record (example.test): none".to_owned()),
            report: Some(json!({ "findings": [] })),
            plan: Some("0123abcd".to_owned()),
            relays: ["a.relay.test:25", "b.relay.test:587"]
                .map(|relay| DomainRelay::of(relay, Domain { told: true, unclear_in_a_row: 2, checked_at: Some(at(4)), ..Domain::unknown("x") }))
                .to_vec(),
            ..Domain::unknown("example.test")
        };
        assert_eq!(DomainRelay::of("a.relay.test:25", domain.relays[0].as_domain("x")), domain.relays[0]);
        assert!(world.store.save_domain(&domain, None, at(5)).await.unwrap());
        domain.revision = 1;
        assert_eq!(world.store.domain("example.test").await.unwrap(), Some(domain.clone()));
        let fresh = Domain { revision: 1, ..Domain::unknown("example.test") };
        assert!(world.store.save_domain(&fresh, None, at(6)).await.unwrap());
        assert_eq!(world.store.domains().await.unwrap(), [Domain { revision: 2, ..fresh }]);
    }

    async fn who_writes_on_what_another_has_changed_is_told(world) {
        let unknown = Domain::unknown("example.test");
        assert!(world.store.save_domain(&unknown, None, at(0)).await.unwrap());
        assert!(!world.store.save_domain(&unknown, Some(&found("late")), at(0)).await.unwrap());
        let first = world.store.domain("example.test").await.unwrap().unwrap();
        assert!(world.store.save_domain(&first, None, at(1)).await.unwrap());
        assert!(!world.store.save_domain(&first, Some(&found("late")), at(1)).await.unwrap());
        assert!(world.store.domain_checks("example.test", 10, None).await.unwrap().items.is_empty());
    }

    async fn history_is_listed_newest_first_in_pages_and_old_lines_go(world) {
        world.store.save_domain(&Domain::unknown("example.test"), Some(&found("ancient")), at(-9_000_000)).await.unwrap();
        for n in 0..3 {
            let domain = world.store.domain("example.test").await.unwrap().unwrap();
            assert!(world.store.save_domain(&domain, Some(&found(&format!("{n}"))), at(n)).await.unwrap());
        }
        let page = world.store.domain_checks("example.test", 2, None).await.unwrap();
        let texts: Vec<_> = page.items.iter().map(|check| check.report["found"].as_str().unwrap()).collect();
        assert_eq!(texts, ["2", "1"]);
        assert_eq!((page.items[0].checked_at, page.items[0].state), (at(2), DomainState::Suspect));
        let rest = world.store.domain_checks("example.test", 2, page.next_cursor.as_deref()).await.unwrap();
        assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
        assert!(world.store.domain_checks("example.test", 2, Some("x")).await.unwrap_err().is_input());
    }

    async fn a_check_is_brought_forward_and_never_put_off(world) {
        let domain = Domain { next_check_at: Some(at(100)), ..Domain::unknown("example.test") };
        world.store.save_domain(&domain, None, at(0)).await.unwrap();
        for (by, then) in [(200, 100), (50, 50), (60, 50)] {
            world.store.check_domain_by("example.test", at(by)).await.unwrap();
            assert_eq!(world.store.domain("example.test").await.unwrap().unwrap().next_check_at, Some(at(then)));
        }
    }

    async fn a_selector_is_switched_once(world) {
        assert!(!world.store.switch_selector("example.test", "s1", "s2", at(0)).await.unwrap());
        world.store.save_domain(&Domain::unknown("example.test"), None, at(0)).await.unwrap();
        assert!(!world.store.switch_selector("example.test", "s1", "s1", at(0)).await.unwrap());
        assert!(world.store.switch_selector("example.test", "s1", "s2", at(7)).await.unwrap());
        assert!(!world.store.switch_selector("example.test", "s1", "s2", at(8)).await.unwrap());
        let domain = world.store.domain("example.test").await.unwrap().unwrap();
        assert_eq!((domain.selector.as_deref(), domain.previous_selector.as_deref()), (Some("s2"), Some("s1")));
        assert_eq!(domain.switched_at, Some(at(7)));
        assert!(world.store.save_domain(&domain, None, at(9)).await.unwrap());
        let kept = world.store.domain("example.test").await.unwrap().unwrap();
        assert_eq!(kept.selector.as_deref(), Some("s2"), "a check leaves it as it found it");
        assert!(!world.store.save_domain(&Domain { selector: None, ..domain }, None, at(9)).await.unwrap());
        assert!(world.store.switch_selector("example.test", "s2", "s3", at(10)).await.unwrap());
    }

    async fn held_mails_are_found_by_their_sender_and_released(world) {
        let report = AttemptReport { duration: Duration::ZERO, ..AttemptReport::default() };
        let (one, two) = (world.mail("one").await, world.mail("two").await);
        for mail in [&one, &two] {
            assert!(matches!(world.store.begin_sending(mail.id, mail.job_id, 7, at(1)).await.unwrap(), Begun::Begun(_)));
        }
        assert!(world.store.mark_held(one.id, 7, &report, at(2)).await.unwrap());
        let held = async |sender: &str, templates: Option<&[&str]>, again| {
            world.store.held_mails(sender, templates, again, 10).await.unwrap()
        };
        assert_eq!(held("bookings", None, at(0)).await, [one.id]);
        assert!(held("hello", None, at(9)).await.is_empty());
        assert_eq!(held("bookings", Some(&["other", "booking_confirmed"]), at(0)).await, [one.id]);
        assert!(held("bookings", Some(&["other"]), at(9)).await.is_empty());
        assert_eq!(world.store.held_counts().await.unwrap(), [("bookings".to_owned(), 1)].into());
        assert!(matches!(world.store.release_delivery(one.id, fresh_id(), by(), at(3)).await.unwrap(), Moved::Done(_)));
        assert!(world.store.held_counts().await.unwrap().is_empty());
        // Held again, it waits a while.
        let (row, _) = world.store.get_delivery(one.id).await.unwrap().unwrap();
        world.store.begin_sending(one.id, row.job_id, 8, at(4)).await.unwrap();
        assert!(world.store.mark_held(one.id, 8, &report, at(5)).await.unwrap());
        assert!(held("bookings", None, at(4)).await.is_empty());
        assert_eq!(held("bookings", None, at(5)).await, [one.id]);
    }

    async fn held_mails_are_released_together_each_once_whoever_does_it(world) {
        let report = AttemptReport::default();
        let mut asked = Vec::new();
        for n in 0..40 {
            let mail = world.mail(&format!("m{n}")).await;
            world.store.begin_sending(mail.id, mail.job_id, 7, at(1)).await.unwrap();
            assert!(world.store.mark_held(mail.id, 7, &report, at(2)).await.unwrap());
            asked.push(mail.id);
        }
        // One that is not held, one that nobody knows, and one whose reader was erased: that is called off.
        let sent = world.mail("sent").await;
        let erased = NewDelivery { recipient: "ann@people.test".to_owned(), ..mail("erased") };
        let erased = world.store.insert_deliveries(&[erased], at(0)).await.unwrap().remove(0);
        world.store.begin_sending(erased.id, erased.job_id, 7, at(1)).await.unwrap();
        assert!(world.store.mark_held(erased.id, 7, &report, at(2)).await.unwrap());
        world.store.erase_person("ann@people.test", "hash", at(3)).await.unwrap();
        asked.extend([sent.id, fresh_id(), erased.id]);

        let another = world.another().await;
        let page = || -> Vec<HeldMail> { asked.iter().map(|id| HeldMail { mail: *id, job: fresh_id() }).collect() };
        let (mine, theirs) = (page(), page());
        let (a, b) = tokio::join!(
            world.store.release_held(&mine, "the domain a.test, mended", at(4)),
            another.release_held(&theirs, "the domain a.test, mended", at(4)),
        );
        let released = [a.unwrap(), b.unwrap()].concat();
        let ids: BTreeSet<_> = released.iter().map(|mail| mail.id).collect();
        assert_eq!((released.len(), ids.len()), (40, 40), "each once");
        for mail in &released {
            assert_eq!((mail.state, mail.release), (DeliveryState::Queued, 1));
            let story = world.store.delivery_history(mail.id).await.unwrap().unwrap();
            assert_eq!(story.delivery.job_id, mail.job_id);
            assert!(mine.iter().chain(&theirs).any(|asked| (asked.mail, asked.job) == (mail.id, mail.job_id)));
            assert_eq!(story.delivery.deadline, Some(at(3600)), "a repair makes nothing worth more");
            let deeds: Vec<_> = story.deeds.iter().map(|deed| (deed.action, deed.found, deed.actor.as_str())).collect();
            assert_eq!(deeds, [(Action::Resend, DeliveryState::Held, "the domain a.test, mended")]);
            // Whoever believed to have it does not any more.
            assert!(!world.store.mark_failed(mail.id, 7, &report, at(5)).await.unwrap());
        }
        for page in [&mine, &theirs] {
            assert!(world.store.release_held(page, "again", at(6)).await.unwrap().is_empty());
        }
        assert!(world.store.release_held(&[], "nothing", at(6)).await.unwrap().is_empty());
    }
}
