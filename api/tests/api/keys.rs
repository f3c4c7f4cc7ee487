//! Keys, scopes and rates.

use std::time::Duration;

use job::{Clock, SystemClock};
use store::Scope;
use tokio::time::Instant;

use crate::harness::{App, new_key};

#[tokio::test]
async fn without_a_key_that_is_known_nothing_is_answered() {
    let app = App::start().await;
    let paths = ["/v1/jobs", "/v1/queues", "/v1/deliveries", "/v1/bookings/b", "/v1/debug/effects?key=k"];
    for path in paths {
        let none = app.get(path).without_key().send().await;
        assert_eq!(none.problem(401), ["Authorization"], "{path}");
        assert_eq!(none.header("www-authenticate"), "Bearer");
        app.get(path).key("pr_0000000000000000000000000000000000000000000").send().await.problem(401);
    }
    for wrong in ["", "dev", &"x".repeat(5_000)] {
        app.get("/v1/jobs").key(wrong).send().await.problem(401);
    }
    for header in ["Basic ZGV2OmRldg==", "Bearer", "pr_x"] {
        app.get("/v1/jobs").without_key().header("authorization", header).send().await.problem(401);
    }
    // The key is asked for before the body is looked at.
    app.post("/v1/jobs", "{nonsense").without_key().send().await.problem(401);
}

#[tokio::test]
async fn each_call_needs_its_scope() {
    let app = App::start().await;
    let job = r#"{"kind":"debug.noop"}"#;
    for (scope, may_write, may_read, may_pause, may_see_mails) in [
        (Scope::JobsWrite, true, false, false, false),
        (Scope::JobsRead, false, true, false, true),
        (Scope::EmailsWrite, false, false, false, true),
        (Scope::Admin, true, true, true, true),
        (Scope::SearchWrite, false, false, false, false),
    ] {
        let key = new_key(&app.store, &[scope], None).await;
        let expect = |may: bool| if may { 200 } else { 403 };
        let written = app.post("/v1/jobs/batch", &format!(r#"{{"jobs":[{job}]}}"#)).key(&key).send().await;
        assert_eq!(written.status.as_u16(), expect(may_write), "{scope}");
        assert_eq!(app.get("/v1/jobs").key(&key).send().await.status.as_u16(), expect(may_read), "{scope}");
        let paused = app.post("/v1/queues/debug/pause", "").key(&key).send().await;
        assert_eq!(paused.status.as_u16(), expect(may_pause), "{scope}");
        assert_eq!(app.get("/v1/deliveries").key(&key).send().await.status.as_u16(), expect(may_see_mails), "{scope}");
        let event = app.post("/v1/bookings/b/events", "{}").key(&key).send().await;
        assert_eq!(event.status.as_u16(), if scope == Scope::Admin { 422 } else { 403 }, "{scope}");
    }
}

#[tokio::test]
async fn a_revoked_key_works_no_longer_than_its_answer_is_fresh() {
    let app = App::builder().keys_fresh_for(Duration::from_millis(300)).start().await;
    let key = new_key(&app.store, &[Scope::JobsRead], None).await;
    app.get("/v1/jobs").key(&key).send().await.expect(200);
    let made = app.store.list_api_keys().await.unwrap().into_iter().find(|k| key.starts_with(&k.prefix)).unwrap();
    app.store.revoke_api_key(made.id, SystemClock.now()).await.unwrap();
    let revoked = Instant::now();
    while app.get("/v1/jobs").key(&key).send().await.status == 200 {
        assert!(revoked.elapsed() < Duration::from_secs(5), "a revoked key still works");
        tokio::task::yield_now().await;
    }
    app.get("/v1/jobs").key(&key).send().await.problem(401);
}

#[tokio::test]
async fn a_key_has_a_rate_of_its_own() {
    let app = App::builder().rate(1_000, 1_000).start().await;
    let slow = new_key(&app.store, &[Scope::JobsRead], Some(2)).await;
    let mut refused = None;
    // The third call in a moment is too many; on a busy machine a moment may be over before.
    for _ in 0..1_000 {
        let answer = app.get("/v1/jobs").key(&slow).send().await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("two a second are allowed");
    refused.problem(429);
    assert_eq!(refused.header("retry-after"), "1");
    app.get("/v1/jobs").send().await.expect(200);
}
