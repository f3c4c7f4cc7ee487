//! Mail that callers give us to send, on both databases.

use std::collections::BTreeMap;

use store::{DeliveryState, EmailAccepted, EmailRecipients, NewDelivery, NewEmail};
use uuid::Uuid;

use crate::both::{World, at, fresh_id, mail, on_both};

fn email(key: Option<&str>, payload: u8) -> NewEmail {
    let id = fresh_id();
    let to = ["ana@example.com", "ben@example.com"];
    NewEmail {
        id,
        idempotency_key: key.map(str::to_owned),
        payload_hashes: vec![format!("{payload:032}")],
        sender: "hello".to_owned(),
        template: None,
        content: b"sealed".to_vec(),
        recipients: EmailRecipients { to: to.map(str::to_owned).to_vec(), ..EmailRecipients::default() },
        tags: BTreeMap::from([("flow".to_owned(), "welcome".to_owned())]),
        send_at: None,
        deliveries: to
            .iter()
            .enumerate()
            .map(|(n, to)| NewDelivery {
                recipient: (*to).to_owned(),
                email_id: Some(id),
                ..mail(&format!("email:{id}:{n}"))
            })
            .collect(),
    }
}

async fn accepted(world: &World, new: &NewEmail, second: i64) -> EmailAccepted {
    world.store.accept_email(new, at(second)).await.unwrap()
}

on_both! {
    async fn an_email_and_its_deliveries_are_written_together_and_read_back(world) {
        let new = email(None, 1);
        let EmailAccepted::New(rows) = accepted(world, &new, 0).await else { panic!("not new") };
        assert_eq!(rows.len(), 2);
        let read = world.store.get_email(new.id).await.unwrap().unwrap();
        assert_eq!((read.content.as_deref(), &read.recipients, &read.tags), (Some(&b"sealed"[..]), &new.recipients, &new.tags));
        assert_eq!((read.sender.as_str(), read.template, read.created_at), ("hello", None, at(0)));
        let ids = |rows: &[store::DeliveryRef]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(&world.store.email_deliveries(new.id).await.unwrap()), ids(&rows));
        assert_eq!(world.store.get_email(Uuid::nil()).await.unwrap(), None);
    }

    async fn a_repeated_call_is_known_and_another_one_under_its_key_is_refused_for_a_day(world) {
        let new = email(Some("k:POST:1"), 1);
        accepted(world, &new, 0).await;
        let EmailAccepted::Duplicate { id, deliveries, .. } = accepted(world, &email(Some("k:POST:1"), 1), 10).await else {
            panic!("not a duplicate")
        };
        assert_eq!((id, deliveries.len()), (new.id, 2));
        assert_eq!(accepted(world, &email(Some("k:POST:1"), 2), 20).await, EmailAccepted::Conflict);
        assert!(matches!(accepted(world, &email(Some("k:POST:2"), 2), 20).await, EmailAccepted::New(_)));
        // The key of the ring was changed in between: the older one still tells that it is the same.
        let mut rotated = email(Some("k:POST:1"), 3);
        rotated.payload_hashes.push(format!("{:032}", 1));
        assert!(matches!(accepted(world, &rotated, 30).await, EmailAccepted::Duplicate { .. }));
        let day = 24 * 3600;
        assert!(matches!(accepted(world, &email(Some("k:POST:1"), 2), day).await, EmailAccepted::New(_)));
    }

    async fn a_key_that_was_forgotten_is_taken_anew_by_one_of_many_who_use_it_at_once(world) {
        accepted(world, &email(Some("daily"), 1), 0).await;
        let day = 26 * 3600;
        let calls = (0..16).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { store.accept_email(&email(Some("daily"), 1), at(day)).await.unwrap() })
        });
        let mut new = 0;
        for call in calls.collect::<Vec<_>>() {
            match call.await.unwrap() {
                EmailAccepted::New(_) => new += 1,
                EmailAccepted::Duplicate { .. } => {}
                EmailAccepted::Conflict => panic!("the same call"),
            }
        }
        assert_eq!(new, 1);
    }

    async fn what_is_to_be_sent_later_is_silent_until_then(world) {
        let new = NewEmail { send_at: Some(at(7200)), ..email(None, 1) };
        accepted(world, &new, 0).await;
        let quiet = std::time::Duration::from_secs(30);
        assert!(world.store.stale_intents(quiet, 10, at(7200)).await.unwrap().is_empty());
        assert_eq!(world.store.stale_intents(quiet, 10, at(7231)).await.unwrap().len(), 2);
        let row = world.store.email_deliveries(new.id).await.unwrap().remove(0);
        assert_eq!(row.state, DeliveryState::Queued);
    }
}
