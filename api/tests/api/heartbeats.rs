//! `/v1/heartbeats`: beaten, defined by the first beat, shown, removed, and refused where they make no sense.

use axum::http::Method;
use serde_json::{Value, json};
use store::Scope;

use crate::harness::{App, new_key};

const BACKUP: &str = "/v1/heartbeats/nightly-backup";

#[tokio::test]
async fn the_first_beat_defines_it_and_the_next_ones_need_no_body() {
    let app = App::start().await;
    app.call(Method::POST, BACKUP).send().await.problem(404);
    let made = app.post(BACKUP, &json!({"period": "24h", "grace": "1h"}).to_string()).send().await.expect(200);
    assert_eq!(
        (&made["name"], &made["state"], &made["origin"]),
        (&json!("nightly-backup"), &json!("ok"), &json!("api"))
    );
    assert_eq!((&made["period"], &made["grace"], &made["severity"]), (&json!("1d"), &json!("1h"), &json!("critical")));
    assert_eq!(made["beats"], 1);
    let beaten = app.call(Method::POST, BACKUP).send().await.expect(200);
    assert_eq!((&beaten["beats"], &beaten["period"]), (&json!(2), &made["period"]));
    assert_eq!(app.get(BACKUP).send().await.expect(200), beaten);

    let changed = app.post(BACKUP, &json!({"period": 60, "severity": "info"}).to_string()).send().await.expect(200);
    assert_eq!((&changed["period"], &changed["grace"]), (&json!("1m"), &json!("30s")));
    assert_eq!((&changed["severity"], &changed["beats"]), (&json!("info"), &json!(3)));
}

#[tokio::test]
async fn they_are_listed_by_name_and_state_and_removed() {
    let app = App::start().await;
    let body = json!({"period": "1m"}).to_string();
    for name in ["b", "a", "c"] {
        app.post(&format!("/v1/heartbeats/{name}"), &body).send().await.expect(200);
    }
    let page = app.get("/v1/heartbeats?limit=2").send().await.expect(200);
    assert_eq!((&page["items"][0]["name"], &page["next_cursor"]), (&json!("a"), &json!("b")));
    let rest = app.get("/v1/heartbeats?cursor=b&state=ok").send().await.expect(200);
    assert_eq!((&rest["items"][0]["name"], &rest["next_cursor"]), (&json!("c"), &Value::Null));
    assert_eq!(app.get("/v1/heartbeats?state=late").send().await.expect(200)["items"], json!([]));
    app.call(Method::DELETE, "/v1/heartbeats/a").send().await.expect(200);
    app.call(Method::DELETE, "/v1/heartbeats/a").send().await.problem(404);
    app.get("/v1/heartbeats/a").send().await.problem(404);
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let app = App::start().await;
    for (body, field) in [
        (json!({"period": "5s"}), "period"),
        (json!({"period": "400d"}), "period"),
        (json!({"period": "soon"}), "period"),
        (json!({"period": "1m", "grace": "400d"}), "grace"),
        (json!({"grace": "1m"}), "period"),
        (json!({"period": "1m", "severity": "loud"}), "severity"),
        (json!({"period": "1m", "colour": "red"}), "colour"),
    ] {
        assert_eq!(app.post(BACKUP, &body.to_string()).send().await.problem(422), [field], "{body}");
    }
    let body = json!({"period": "1m"}).to_string();
    for name in ["A", "a%20b", "-a", "a%0D%0Ab", &"a".repeat(65)] {
        assert_eq!(app.post(&format!("/v1/heartbeats/{name}"), &body).send().await.problem(422), ["name"], "{name}");
    }
    assert_eq!(app.get("/v1/heartbeats?state=dead").send().await.problem(422), ["state"]);
    app.get(BACKUP).send().await.problem(404);
}

#[tokio::test]
async fn a_key_needs_its_scope() {
    let app = App::start().await;
    let body = json!({"period": "1m"}).to_string();
    let reads = new_key(&app.store, &[Scope::JobsRead], None).await;
    let writes = new_key(&app.store, &[Scope::AlertsWrite], None).await;
    app.post(BACKUP, &body).key(&reads).send().await.problem(403);
    app.post(BACKUP, &body).key(&writes).send().await.expect(200);
    app.get(BACKUP).key(&reads).send().await.expect(200);
    app.call(Method::DELETE, BACKUP).key(&reads).send().await.problem(403);
}
