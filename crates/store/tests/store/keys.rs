//! API keys: made, found, listed, revoked.

use secrecy::ExposeSecret;
use store::{NewApiKey, Scope};

use crate::both::{at, id, on_both};

fn key(n: u128, scopes: &[Scope]) -> NewApiKey {
    NewApiKey { id: id(n), name: format!("key {n}"), scopes: scopes.to_vec(), rate_per_second: Some(50) }
}

on_both! {
    async fn a_key_is_found_by_what_its_owner_presents(world) {
        let created = world.store.create_api_key(&key(1, &[Scope::BookingsWrite]), at(0)).await.unwrap();
        let found = world.store.find_api_key(created.secret.expose_secret()).await.unwrap().unwrap();
        assert_eq!(found, created.key);
        assert_eq!(found.name, "key 1");
        assert_eq!(found.rate_per_second, Some(50));
        assert_eq!(found.created_at, at(0));
        assert!(created.secret.expose_secret().starts_with(&found.prefix));
        assert!(found.allows(Scope::BookingsWrite));
        assert!(!found.allows(Scope::JobsWrite));
        assert!(world.store.find_api_key("pr_other").await.unwrap().is_none());
        assert!(world.store.find_api_key("").await.unwrap().is_none());
    }

    async fn an_admin_key_may_do_everything(world) {
        let created = world.store.create_api_key(&key(1, &[Scope::Admin]), at(0)).await.unwrap();
        assert!(Scope::ALL.iter().all(|scope| created.key.allows(*scope)));
    }

    async fn a_revoked_key_is_listed_and_no_longer_found(world) {
        let created = world.store.create_api_key(&key(1, &[Scope::JobsRead]), at(0)).await.unwrap();
        assert!(world.store.revoke_api_key(id(1), at(5)).await.unwrap());
        assert!(!world.store.revoke_api_key(id(1), at(6)).await.unwrap());
        assert!(!world.store.revoke_api_key(id(2), at(6)).await.unwrap());
        assert!(world.store.find_api_key(created.secret.expose_secret()).await.unwrap().is_none());
        assert_eq!(world.store.list_api_keys().await.unwrap()[0].revoked_at, Some(at(5)));
    }

    async fn keys_are_listed_newest_first_with_their_last_use(world) {
        for n in 1..=3 {
            let now = at(i64::try_from(n).unwrap());
            world.store.create_api_key(&key(n, &[Scope::JobsRead, Scope::AlertsWrite]), now).await.unwrap();
        }
        world.store.touch_api_key(id(2), at(99)).await.unwrap();
        let keys = world.store.list_api_keys().await.unwrap();
        assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [id(3), id(2), id(1)]);
        assert_eq!(keys[1].last_used_at, Some(at(99)));
        assert_eq!(keys[0].last_used_at, None);
        assert_eq!(keys[0].scopes, [Scope::JobsRead, Scope::AlertsWrite]);
    }
}
