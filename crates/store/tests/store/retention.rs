//! Taking out what is old: only what is at its end, a piece at a time, the key longer than the content.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use store::{
    Accepted, AttemptReport, BookingEventKind, CatchUp, EmailAccepted, EmailRecipients, Gone, Moved, NewDelivery,
    NewEmail, NewTick, Old, Overlap, ScheduleSpec, TickCause, TickEnd, TickLimits, story,
};

use crate::both::{World, at, by, event, fresh_id, mail, on_both, snapshot};

async fn sent(world: &World, key: &str, seconds: i64) -> uuid::Uuid {
    let mail = world.store.insert_deliveries(&[mail(key)], at(seconds)).await.unwrap().remove(0);
    world.store.begin_sending(mail.id, mail.job_id, 1, at(seconds)).await.unwrap();
    world.store.mark_sent(mail.id, 1, &AttemptReport::default(), at(seconds)).await.unwrap();
    mail.id
}

on_both! {
    async fn a_mail_loses_its_content_then_its_row_and_one_on_its_way_nothing(world) {
        let old = sent(world, "old", 0).await;
        let young = sent(world, "young", 1_000).await;
        let waiting = world.mail("waiting").await;
        assert_eq!(world.store.take_out(Old::MailContents, at(500), at(2_000)).await.unwrap(), 1);
        assert_eq!(world.store.take_out(Old::MailContents, at(500), at(2_000)).await.unwrap(), 0);
        let (mail, attempts) = world.store.get_delivery(old).await.unwrap().unwrap();
        assert_eq!((mail.data, attempts.len(), mail.idempotency_key.as_str()), (json!({}), 1, "old"));
        assert_ne!(world.store.get_delivery(young).await.unwrap().unwrap().0.data, json!({}));
        assert_ne!(world.store.get_delivery(waiting.id).await.unwrap().unwrap().0.data, json!({}));

        assert_eq!(world.store.take_out(Old::Mails, at(500), at(2_000)).await.unwrap(), 1);
        assert_eq!(world.store.get_delivery(old).await.unwrap(), None);
        assert!(world.store.get_delivery(young).await.unwrap().is_some());
        assert!(world.store.get_delivery(waiting.id).await.unwrap().is_some());
    }

    async fn a_mail_of_which_nothing_is_left_is_not_sent_again_and_says_why(world) {
        let store = &world.store;
        let failed = async |key: &str, email_id| {
            let new = NewDelivery { email_id, ..mail(key) };
            let mail = store.insert_deliveries(&[new], at(0)).await.unwrap().remove(0);
            store.begin_sending(mail.id, mail.job_id, 1, at(0)).await.unwrap();
            store.mark_failed(mail.id, 1, &AttemptReport::default(), at(0)).await.unwrap();
            mail.id
        };
        let release = async |id| store.release_delivery(id, fresh_id(), by(), at(2_000)).await.unwrap();
        let (ours, theirs) = (failed("ours", None).await, failed("theirs", Some(fresh_id())).await);
        assert_eq!(release(theirs).await, Moved::Gone(Gone::Content), "what the caller gave is gone");
        store.take_out(Old::MailContents, at(500), at(1_000)).await.unwrap();
        assert_eq!(release(ours).await, Moved::Gone(Gone::Content));
        let told = story(&store.delivery_history(ours).await.unwrap().unwrap(), at(2_000));
        assert!(told.last().unwrap().contains("cannot be sent again"), "{told:?}");

        let erased = failed("erased", None).await;
        store.begin_sending(erased, erased, 2, at(1)).await.unwrap();
        let sending = world.mail("sending").await;
        store.begin_sending(sending.id, sending.job_id, 1, at(1)).await.unwrap();
        store.erase_person("zoe@people.test", "hash", at(2)).await.unwrap();
        store.mark_failed(sending.id, 1, &AttemptReport::default(), at(3)).await.unwrap();
        assert_eq!(release(sending.id).await, Moved::Gone(Gone::Recipient));
        assert_eq!(release(erased).await, Moved::Gone(Gone::Recipient), "it was called off with them");
        let told = story(&store.delivery_history(erased).await.unwrap().unwrap(), at(2_000));
        assert_eq!(told.last().unwrap(), "Its recipient was erased: it cannot be sent again.");
    }

    async fn what_a_caller_gave_goes_with_the_contents_and_the_call_with_its_mails(world) {
        let store = &world.store;
        let accept = async |id, seconds| {
            let new = NewEmail {
                id,
                idempotency_key: None,
                payload_hashes: vec!["0".repeat(32)],
                sender: "hello".to_owned(),
                template: None,
                content: b"sealed".to_vec(),
                recipients: EmailRecipients::default(),
                tags: BTreeMap::new(),
                send_at: None,
                deliveries: vec![NewDelivery { email_id: Some(id), ..mail(&format!("email:{id}")) }],
            };
            let EmailAccepted::New(rows) = store.accept_email(&new, at(seconds)).await.unwrap() else { panic!("new") };
            (rows[0].id, rows[0].job_id)
        };
        let (old, waiting, young) = (fresh_id(), fresh_id(), fresh_id());
        let (mail, job) = accept(old, 0).await;
        accept(waiting, 0).await;
        accept(young, 1_000).await;
        store.begin_sending(mail, job, 1, at(1)).await.unwrap();
        store.mark_sent(mail, 1, &AttemptReport::default(), at(2)).await.unwrap();
        assert_eq!(store.take_out(Old::EmailContents, at(500), at(2_000)).await.unwrap(), 1);
        assert_eq!(store.take_out(Old::EmailContents, at(500), at(2_000)).await.unwrap(), 0);
        let content = async |id| store.get_email(id).await.unwrap().map(|email| email.content);
        assert_eq!(content(old).await, Some(None));
        assert_eq!((content(waiting).await, content(young).await), (Some(Some(b"sealed".to_vec())), Some(Some(b"sealed".to_vec()))));

        assert_eq!(store.take_out(Old::Emails, at(500), at(2_000)).await.unwrap(), 0, "its mail is still there");
        assert_eq!(store.take_out(Old::Mails, at(500), at(2_000)).await.unwrap(), 1);
        assert_eq!(store.take_out(Old::Emails, at(500), at(2_000)).await.unwrap(), 1);
        assert_eq!(content(old).await, None);
        assert!(content(waiting).await.is_some() && content(young).await.is_some());
    }

    async fn the_event_that_a_booking_stands_at_stays(world) {
        for version in [1, 2] {
            let new = event("bk_1", version, BookingEventKind::Confirmed, snapshot());
            world.store.accept_event(&new, at(version)).await.unwrap();
            world.store.apply_event("bk_1", version, at(version), |_, _| Vec::new().into()).await.unwrap();
        }
        let accepted = event("bk_2", 1, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&accepted, at(3)).await.unwrap();
        assert_eq!(world.store.take_out(Old::BookingEvents, at(500), at(2_000)).await.unwrap(), 1);
        assert_eq!(world.store.take_out(Old::BookingEvents, at(500), at(2_000)).await.unwrap(), 0);
        // A repeated report is still known as one.
        let again = event("bk_1", 2, BookingEventKind::Confirmed, snapshot());
        let answer = world.store.accept_event(&again, at(600)).await.unwrap();
        assert!(matches!(answer, Accepted::Duplicate { .. }), "{answer:?}");
    }

    async fn ticks_go_when_they_have_ended(world) {
        let spec = ScheduleSpec {
            cron: "@hourly".to_owned(),
            timezone: "UTC".to_owned(),
            kind: "debug.noop".to_owned(),
            queue: "debug".to_owned(),
            args: json!({}),
            catch_up: CatchUp::Once,
            max_lateness: Duration::from_secs(60),
            overlap: Overlap::Allow,
            jitter: Duration::ZERO,
            failure_limit: None,
        };
        world.store.create_schedule("s", &spec, at(0)).await.unwrap();
        let limits = TickLimits { max_attempts: 1, timeout: Duration::from_secs(1) };
        let mut ticks = Vec::new();
        for seconds in [10, 20, 1_000] {
            let new = NewTick {
                planned_at: at(seconds),
                cause: TickCause::Run,
                note: None,
                run_at: at(seconds),
                job_id: fresh_id(),
                patient: false,
            };
            ticks.push(world.store.run_schedule("s", limits, &new, at(seconds)).await.unwrap().unwrap());
        }
        for tick in [&ticks[0], &ticks[2]] {
            let (name, job) = (tick.schedule.as_str(), tick.job_id);
            world.store.end_tick(name, tick.planned_at, job, TickEnd::Done, None, at(1_100)).await.unwrap();
        }
        assert_eq!(world.store.take_out(Old::Ticks, at(500), at(2_000)).await.unwrap(), 1);
        let left = world.store.list_ticks("s", None, 10, None).await.unwrap().items;
        assert_eq!(left.iter().map(|tick| tick.tick.planned_at).collect::<Vec<_>>(), [at(1_000), at(20)]);
    }

    async fn one_call_takes_a_bounded_piece(world) {
        let mails: Vec<_> = (0..Old::CHUNK + 10).map(|n| mail(&format!("m{n}"))).collect();
        let written = world.store.insert_deliveries(&mails, at(0)).await.unwrap();
        for mail in &written {
            world.store.begin_sending(mail.id, mail.job_id, 1, at(0)).await.unwrap();
            world.store.mark_sent(mail.id, 1, &AttemptReport::default(), at(0)).await.unwrap();
        }
        assert_eq!(world.store.take_out(Old::Mails, at(500), at(600)).await.unwrap(), Old::CHUNK);
        assert_eq!(world.store.take_out(Old::Mails, at(500), at(600)).await.unwrap(), 10);
    }

    async fn incidents_go_when_they_are_over_and_no_group_has_to_tell_of_them(world) {
        let (old, open, pending) = (incident(1), incident(2), incident(3));
        for one in [&old, &open, &pending] {
            let changes = store::Changes { incidents: vec![store::IncidentChange::New(one.clone())], ..store::Changes::default() };
            change(world, one, changes).await;
        }
        for one in [&old, &pending] {
            let over = store::Incident { state: store::IncidentState::Resolved, resolved_at: Some(at(100)), ..one.clone() };
            let changes = store::Changes { incidents: vec![store::IncidentChange::Moved(over)], ..store::Changes::default() };
            change(world, one, changes).await;
        }
        let call = store::GroupCall {
            key: "g".to_owned(),
            route: "{}".to_owned(),
            labels: alerting::Labels::new(),
            due_at: at(200),
            incident_id: pending.id,
            again: false,
        };
        change(world, &pending, store::Changes { groups: vec![call], ..store::Changes::default() }).await;
        assert_eq!(world.store.take_out(Old::Incidents, at(100), at(2_000)).await.unwrap(), 0, "not older than that");
        assert_eq!(world.store.take_out(Old::Incidents, at(101), at(2_000)).await.unwrap(), 1);
        assert_eq!(world.store.get_incident(old.id).await.unwrap(), None);
        assert!(world.store.get_incident(open.id).await.unwrap().is_some());
        assert!(world.store.get_incident(pending.id).await.unwrap().is_some());
        assert_eq!(world.store.take_out(Old::Notifications, at(101), at(2_000)).await.unwrap(), 0);
    }
}

fn incident(n: u128) -> store::Incident {
    store::Incident {
        id: crate::both::id(n),
        fingerprint: format!("{n:032x}"),
        kind: "db.down".to_owned(),
        severity: alerting::Severity::Warning,
        title: "It is down".to_owned(),
        message: String::new(),
        labels: alerting::Labels::new(),
        details: alerting::Details::new(),
        state: store::IncidentState::Open,
        alerts: 1,
        suppressed: 0,
        reopened: 0,
        starts_at: at(0),
        first_seen_at: at(0),
        opened_at: at(0),
        last_seen_at: at(0),
        expires_at: None,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        retired_at: None,
    }
}

async fn change(world: &World, incident: &store::Incident, changes: store::Changes) {
    let which = store::WhichIncidents::Ids(vec![incident.id]);
    world.store.change_incidents(&which, at(0), |_| (changes.clone(), ())).await.unwrap();
}
