//! `/v1/silences`: what is taken, what is refused and how it is named.

use axum::http::Method;
use serde_json::json;
use store::Scope;

use crate::harness::{App, new_key};

#[tokio::test]
async fn a_silence_is_made_looked_at_and_ended() {
    let app = App::start().await;
    let body =
        json!({"matchers": ["team=\"db\"", "{host=~\"a|b\", zone!=\"eu\"}"], "duration": "2h", "comment": "disks"});
    let made = app.post("/v1/silences", &body.to_string()).send().await.expect(201);
    assert_eq!(made["matchers"], json!(["team=\"db\"", "host=~\"a|b\"", "zone!=\"eu\""]));
    assert_eq!(
        (&made["state"], &made["created_by"], &made["actor"]),
        (&json!("active"), &json!("test"), &json!("test"))
    );
    let path = format!("/v1/silences/{}", made["id"].as_str().unwrap());
    assert_eq!(app.get(&path).send().await.expect(200), made);
    let page = app.get("/v1/silences?state=active,pending").send().await.expect(200);
    assert_eq!(page, json!({"items": [made], "next_cursor": null}));
    let ended = app.call(Method::DELETE, &path).send().await.expect(200);
    assert_eq!(ended["state"], "expired");
    assert_eq!(app.call(Method::DELETE, &path).send().await.expect(200), ended, "once over it stays so");
    assert_eq!(app.get("/v1/silences?state=active").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.get("/v1/silences/01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77").send().await.status, 404);
    assert_eq!(app.get("/v1/silences/x").send().await.status, 404);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_field() {
    let app = App::start().await;
    let sound = json!({"matchers": ["a=b"], "duration": "2h"});
    for (field, value, named) in [
        ("matchers", json!([]), "matchers"),
        ("matchers", json!(["a=~\".*\""]), "matchers"),
        ("matchers", json!(["a=b", "nope"]), "matchers[1]"),
        ("matchers", json!(["a=~\"(\""]), "matchers[0]"),
        ("matchers", json!(["a=~\"a{1000}{1000}\""]), "matchers[0]"),
        ("matchers", json!(["a=\"x\\ny\""]), "matchers[0]"),
        ("matchers", json!(vec!["a=b"; 33]), "matchers"),
        ("duration", json!("400d"), "ends_at"),
        ("duration", json!("0s"), "ends_at"),
        ("duration", json!("soon"), "duration"),
        ("ends_at", json!("2020-01-01T00:00:00Z"), "duration"),
        ("starts_at", json!("yesterday"), "starts_at"),
        ("starts_at", json!("2099-01-01T00:00:00Z"), "starts_at"),
        ("comment", json!("x".repeat(1025)), "comment"),
        ("created_by", json!("Ana\r\nBcc: everybody@example.com"), "created_by"),
        ("created_by", json!(""), "created_by"),
        ("nope", json!(1), "nope"),
    ] {
        let mut body = sound.clone();
        body[field] = value.clone();
        let answer = app.post("/v1/silences", &body.to_string()).send().await;
        let problem = answer.expect(422);
        assert_eq!(problem["errors"][0]["field"], named, "{field} = {value}: {problem}");
    }
    let neither = app.post("/v1/silences", r#"{"matchers": ["a=b"]}"#).send().await.expect(422);
    assert_eq!(neither["errors"][0]["field"], "ends_at");
    let answer = app.get("/v1/silences?state=over").send().await.expect(422);
    assert_eq!(answer["errors"][0]["field"], "state");
}

#[tokio::test]
async fn looking_needs_less_than_silencing() {
    let app = App::start().await;
    let reader = new_key(&app.store, &[Scope::JobsRead], None).await;
    assert_eq!(app.get("/v1/silences").key(&reader).send().await.status, 200);
    let body = json!({"matchers": ["a=b"], "duration": "2h"});
    assert_eq!(app.post("/v1/silences", &body.to_string()).key(&reader).send().await.status, 403);
    assert_eq!(app.get("/v1/silences").without_key().send().await.status, 401);
}
