//! `delivery`: why a mail did or did not arrive, and the ways out.

use job::{Chance, Clock, SystemClock};
use store::{AttemptReport, Category, NewDelivery, OnTheWire, Store, StoreConfig};
use uuid::Uuid;

use crate::harness::{Place, on_both};

/// A mail whose relay fell silent after the dot.
async fn unknown(place: &Place) -> Uuid {
    let chance = Chance::system();
    let (id, now) = (Uuid::from_u64_pair(chance.bits(), chance.bits()), SystemClock.now());
    let store = Store::open(&StoreConfig::new(place.file_url("store.db"))).await.unwrap();
    let new = NewDelivery::new(id, id.to_string(), Category::Account, "welcome", "hello", "zoe@example.com");
    store.insert_deliveries(&[new], now).await.unwrap();
    store.begin_sending(id, id, 7, now).await.unwrap();
    let wire = OnTheWire { message_id: "<m@example.com>".to_owned(), subject: "Welcome".to_owned() };
    store.mark_data(id, 7, &wire, now).await.unwrap();
    let report = AttemptReport {
        relay: Some("mx.example.com:25".to_owned()),
        phase: Some("dot".to_owned()),
        text: Some("no answer in \u{1b}[31mtime".to_owned()),
        ..AttemptReport::default()
    };
    store.mark_unknown(id, 7, &report, now).await.unwrap();
    store.close().await;
    id
}

#[tokio::test]
async fn a_mail_of_unknown_fate_is_explained_and_resolved() {
    on_both(async |place| {
        place.ok(&["migrate"]).await;
        let id = unknown(&place).await.to_string();
        let list = place.ok(&["delivery", "list", "--state", "unknown", "--recipient", "zoe@example.com"]).await;
        assert!(list.contains(&id) && list.contains("welcome"), "{list}");
        let shown = place.ok(&["delivery", "show", &id]).await;
        assert!(shown.starts_with("Nobody knows whether it arrived") && !shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains("Ask the relay for Message-ID <m@example.com>"), "{shown}");
        let json = place.json(&["delivery", "show", &id]).await;
        assert_eq!((&json["state"], &json["attempts"][0]["phase"]), (&"unknown".into(), &"dot".into()));

        let said = place.json(&["delivery", "resolve", "--sent", &id]).await;
        assert_eq!(said["items"][0]["outcome"], "sent");
        let again = place.run(&["delivery", "resolve", "--failed", &id]).await;
        assert_eq!((again.code, again.out.contains("it is sent")), (1, true), "{again:?}");
        let shown = place.ok(&["delivery", "show", &id]).await;
        assert!(shown.contains("by the command line; it had been unknown"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_resent_with_a_job_of_its_own_or_called_off() {
    on_both(async |place| {
        place.ok(&["migrate"]).await;
        let id = unknown(&place).await.to_string();
        assert!(place.ok(&["delivery", "resend", &id]).await.contains("on its way again"));
        let job = place.json(&["delivery", "show", &id]).await["job_id"].as_str().unwrap().to_owned();
        assert_eq!(place.json(&["jobs", "show", &job]).await["kind"], "email.send");
        assert!(place.ok(&["delivery", "cancel", &id]).await.contains("called off"));
        let twice = place.run(&["delivery", "cancel", &id]).await;
        assert_eq!((twice.code, twice.out.contains("it is cancelled")), (1, true), "{twice:?}");
        let nobody = place.run(&["delivery", "resend", &Uuid::nil().to_string()]).await;
        assert_eq!((nobody.code, nobody.out.contains("no such delivery")), (1, true), "{nobody:?}");
        place.run(&["delivery", "resolve", &id]).await.refused(2, &["--sent"]);
        place.run(&["delivery", "list", "--state", "lost"]).await.refused(2, &["--state"]);
    })
    .await;
}
