//! `keys`: made, shown once, listed, revoked.

use store::{Scope, Store, StoreConfig};
use testkit::Database;

use crate::harness::{Place, names};

async fn on_both(test: impl AsyncFn(&Place, &str)) {
    let place = Place::sqlite();
    test(&place, &place.file_url("store.db")).await;
    let database = Database::create().await;
    test(&Place::sqlite().with("STORE__URL", database.url()), database.url()).await;
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    on_both(async |place, url| {
        place.ok(&["migrate"]).await;
        let said = place.run(&["keys", "create", "shop", "--scope", "bookings:write,jobs:read", "--rate", "20"]).await;
        assert_eq!(said.code, 0, "{said:?}");
        let secret = said.out.trim();
        assert!(secret.starts_with("pr_") && secret.len() == 46, "standard output is the key alone: {}", said.out);
        assert!(said.err.contains("cannot be shown again") && !said.err.contains(secret), "{}", said.err);

        let store = Store::open(&StoreConfig::new(url)).await.unwrap();
        let key = store.find_api_key(secret).await.unwrap().expect("it works");
        assert!(key.allows(Scope::BookingsWrite) && key.allows(Scope::JobsRead) && !key.allows(Scope::JobsWrite));
        assert_eq!(key.rate_per_second, Some(20));

        let list = place.json(&["keys", "list"]).await;
        let fields = ["created_at", "id", "last_used_at", "name", "prefix", "rate_per_second", "revoked_at", "scopes"];
        assert_eq!(names(&list["items"][0]), fields);
        assert!(!list.to_string().contains(secret));
        assert!(place.ok(&["keys", "list"]).await.contains("bookings:write, jobs:read"));

        place.ok(&["keys", "revoke", &key.id.to_string()]).await;
        assert!(store.find_api_key(secret).await.unwrap().is_none());
        place.run(&["keys", "revoke", &key.id.to_string()]).await.refused(1, &["shop", "revoked before"]);
        place.run(&["keys", "revoke", "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77"]).await.refused(1, &["no key"]);
        place.run(&["keys", "revoke", "42"]).await.refused(2, &["<ID>"]);
    })
    .await;
}

#[tokio::test]
async fn a_script_finds_the_key_in_the_json() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    let made = place.json(&["keys", "create", "ci", "--scope", "admin"]).await;
    assert!(made["secret"].as_str().unwrap().starts_with(made["prefix"].as_str().unwrap()));
    assert_eq!(made["scopes"], serde_json::json!(["admin"]));
}

#[tokio::test]
async fn without_tables_the_way_is_shown() {
    let place = Place::sqlite();
    place.run(&["keys", "list"]).await.refused(1, &["store.url", "postrider migrate"]);
    assert!(!place.dir.join("store.db").exists());
    let database = Database::create().await;
    let place = Place::sqlite().with("STORE__URL", database.url());
    place.run(&["keys", "create", "x", "--scope", "admin"]).await.refused(1, &["postrider migrate"]);
}
