//! `migrate`: once, again, and only looking.

use serde_json::json;
use testkit::Database;

use crate::harness::{Place, names};

async fn migrates(place: &Place) {
    let before = place.json(&["migrate", "--status"]).await;
    assert_eq!((&before["current"], &before["applied"]), (&json!(false), &json!([])));
    let pending = before["pending"].as_array().unwrap().len();
    assert!(pending > 0 && place.ok(&["migrate", "--status"]).await.contains("pending"));

    let first = place.json(&["migrate"]).await;
    assert_eq!(names(&first), ["applied", "applied_now", "changed", "current", "pending", "store", "unknown"]);
    assert_eq!(first["applied_now"].as_array().unwrap().len(), pending);
    let again = place.ok(&["migrate"]).await;
    assert!(again.contains("is up to date") && again.contains("done before"), "{again}");
    let after = place.json(&["migrate", "--status"]).await;
    assert_eq!((&after["current"], &after["pending"]), (&json!(true), &json!([])));
    assert_eq!(after["applied"], first["applied_now"]);
}

#[tokio::test]
async fn sqlite_is_migrated_once() {
    let place = Place::sqlite();
    place.ok(&["migrate", "--status"]).await;
    assert!(!place.dir.join("store.db").exists(), "looking made a file");
    migrates(&place).await;
}

#[tokio::test]
async fn postgres_is_migrated_once_and_its_password_is_not_shown() {
    let database = Database::create().await;
    let place = Place::sqlite().with("STORE__URL", database.url());
    migrates(&place).await;
    let store = place.json(&["migrate"]).await["store"].to_string();
    assert!(store.contains("postgres://[secret]@"), "{store}");
}

#[tokio::test]
async fn several_may_migrate_at_once() {
    let database = Database::create().await;
    let place = Place::sqlite().with("STORE__URL", database.url());
    let args = ["migrate"];
    let (a, b, c) = tokio::join!(place.ok(&args), place.ok(&args), place.ok(&args));
    assert!([&a, &b, &c].iter().all(|out| out.contains("is up to date")), "{a}{b}{c}");
}
