//! Mail of callers: what is refused, what is known again, and what is kept.

use job::JobState;
use queue::Filter;
use serde_json::{Value, json};
use store::{DeliveryState, Scope};

use crate::harness::{App, new_key};

fn mail(with: Value) -> String {
    let mut body = json!({"from": "hello", "to": "ana@people.example", "subject": "Hi", "text": "Hi"});
    for (name, value) in with.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value.clone(),
        }
    }
    body.to_string()
}

fn welcome(data: Value) -> Value {
    json!({"template": "welcome", "subject": null, "text": null, "data": data})
}

/// A password reset, with some of its data changed.
fn reset(with: Value) -> Value {
    let mut data = json!({"recipient": {"name": "Zoe"}, "url": "https://x.example/r", "valid_for": "1 hour", "requested_from": null});
    data.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    json!({"template": "password_reset", "text": null, "subject": null, "data": data})
}

/// The mail about a login, whose subject names the device.
fn login(device: &str) -> Value {
    let data = json!({
        "recipient": {"name": "Zoe"}, "device": device, "when": "now", "location": null, "ip": null, "secure_url": null,
    });
    json!({"template": "new_device_login", "text": null, "subject": null, "data": data})
}

async fn refused(app: &App, with: Value) -> Vec<String> {
    app.post("/v1/emails", &mail(with)).send().await.problem(422)
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    let app = App::start().await;
    for (with, field) in [
        (json!({"from": "somebody@else.example"}), "from"),
        (json!({"from": "alerts@postrider.test\r\nBcc: x@y.example"}), "from"),
        (json!({"to": []}), "to"),
        (json!({"to": "nobody"}), "to"),
        (json!({"to": ["ana@people.example", "x"]}), "to[1]"),
        (json!({"cc": "a@b.example\r\nBcc: c@d.example"}), "cc"),
        (json!({"reply_to": "x"}), "reply_to"),
        (json!({"subject": null}), "subject"),
        (json!({"subject": "a\nb"}), "subject"),
        (json!({"text": null}), "text"),
        (json!({"text": null, "html": "<img src='x'>"}), "text"),
        (json!({"text": "a\u{0}b"}), "text"),
        (json!({"text": null, "html": "<div>".repeat(100_000)}), "html"),
        (json!({"category": "spam"}), "category"),
        (json!({"locale": "de_"}), "locale"),
        (json!({"send_at": "2099-01-01T00:00:00Z"}), "send_at"),
        (json!({"headers": {"Bcc": "x@y.example"}}), "headers.Bcc"),
        (json!({"headers": {"X-A": "b\r\nBcc: x@y.example"}}), "headers.X-A"),
        (
            json!({"category": "report", "headers": {"List-Unsubscribe": "<https://x.example>"}}),
            "headers.List-Unsubscribe",
        ),
        (json!({"headers": {"x-postrider-redirected-from": "a@b.example"}}), "headers.x-postrider-redirected-from"),
        (json!({"attachments": [{"filename": "a.txt", "content": "%"}]}), "attachments[0].content"),
        (json!({"attachments": [{"filename": "../a", "content": "YQ=="}]}), "attachments[0].filename"),
        (json!({"attachments": [{"path": "https://x.example/a"}]}), "attachments[0].path"),
        (
            json!({"attachments": [
                {"filename": "a.png", "content": "YQ==", "content_id": "x"},
                {"filename": "b.png", "content": "YQ==", "content_id": "x"},
            ]}),
            "attachments[1].content_id",
        ),
        (json!({"to": "a\u{200b}na@people.example"}), "to"),
        (json!({"reply_to": "jürgen@people.example"}), "reply_to"),
        (json!({"tags": {"": "x"}}), "tags"),
        (json!({"data": {}}), "data"),
        (json!({"template": "welcome", "text": null, "data": {}}), "subject"),
        (json!({"template": "no_such", "text": null, "subject": null}), "template"),
        (json!({"template": "booking_confirmed_student", "text": null, "subject": null, "data": {}}), "data."),
        (welcome(json!({"recipient": {"name": {"first": "Ana"}}, "url": "https://x.example"})), "data.recipient.name"),
        (welcome(json!("Ana")), "data"),
        (welcome(json!({"recipient": {"name": "Ana"}, "url": "javascript:alert(1)"})), "data.url"),
        (reset(json!({"recipient": {"name": {"a": 1}}})), "data.recipient.name"),
        (reset(json!({"recipient": {"name": "Zoe,\n\nCall +1 900"}})), "data.recipient.name"),
        (reset(json!({"url": null})), "data.url"),
        (reset(json!({"url": "javascript:alert(1)"})), "data.url"),
        (reset(json!({"valid_for": "a\u{7}"})), "data.valid_for"),
        (login(&"x".repeat(2_000)), "data"),
    ] {
        let fields = refused(&app, with.clone()).await;
        assert!(
            fields.iter().any(|named| named == field || (field.ends_with('.') && named.starts_with(field))),
            "{with}: {fields:?}"
        );
    }
    assert!(app.store.list_deliveries(&Default::default(), 10, None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn an_email_becomes_one_delivery_a_person_and_a_job_each() {
    let app = App::start().await;
    let body = mail(json!({"to": ["Ana <ana@people.example>", "ANA@people.example"], "bcc": ["ben@people.example"]}));
    let accepted = app.post("/v1/emails", &body).header("idempotency-key", "k").send().await.expect(202);
    assert_eq!(accepted["deliveries"].as_array().unwrap().len(), 2);
    let again = app.post("/v1/emails", &body).header("idempotency-key", "k").send().await.expect(200);
    assert_eq!((&again["id"], &again["duplicate"]), (&accepted["id"], &json!(true)));
    app.post("/v1/emails", &mail(json!({"text": "other"}))).header("idempotency-key", "k").send().await.problem(409);
    let jobs =
        app.broker.list(&Filter { state: Some(JobState::Available), ..Filter::default() }, 10, None).await.unwrap();
    assert_eq!(jobs.items.len(), 2);
    let shown = app.get(&format!("/v1/emails/{}", accepted["id"].as_str().unwrap())).send().await.expect(200);
    assert_eq!(shown["bcc"], json!(["ben@people.example"]));
    let cancelled =
        app.post(&format!("/v1/emails/{}/cancel", accepted["id"].as_str().unwrap()), "{}").send().await.expect(200);
    assert!(cancelled["deliveries"].as_array().unwrap().iter().all(|d| d["state"] == "cancelled"), "{cancelled}");
    app.post(&format!("/v1/emails/{}/cancel", accepted["id"].as_str().unwrap()), "{}").send().await.problem(409);
    app.get("/v1/emails/x").send().await.problem(404);
}

#[tokio::test]
async fn an_address_beyond_ascii_is_one_person_however_it_was_typed() {
    let app = App::start().await;
    let body = mail(json!({"to": ["Jürgen <ju\u{308}rgen@Bücher.example>", "J\u{dc}RGEN@xn--bcher-kva.example"]}));
    let accepted = app.post("/v1/emails", &body).send().await.expect(202);
    assert_eq!(accepted["deliveries"].as_array().unwrap().len(), 1);
    let typed = "/v1/deliveries?recipient=j%C3%BCrgen%40b%C3%BCcher.example";
    let listed = app.get(typed).send().await.expect(200);
    assert_eq!(listed["items"][0]["recipient"], "jürgen@xn--bcher-kva.example");
    let body = json!({"address": "Jürgen@bücher.example"}).to_string();
    let added = app.post("/v1/suppressions", &body).send().await.expect(201);
    assert_eq!(added["address"], "jürgen@xn--bcher-kva.example");
    let path = "/v1/people/ju%CC%88rgen%40b%C3%BCcher.example/export";
    assert_eq!(app.get(path).send().await.expect(200)["mails"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_for_later_waits_until_then() {
    let app = App::start().await;
    let soon = app.state.clock.now() + jiff::SignedDuration::from_hours(2);
    let accepted = app.post("/v1/emails", &mail(json!({"send_at": soon}))).send().await.expect(202);
    let jobs =
        app.broker.list(&Filter { state: Some(JobState::Scheduled), ..Filter::default() }, 10, None).await.unwrap();
    assert_eq!(jobs.items.len(), 1);
    let id = accepted["deliveries"][0]["id"].as_str().unwrap().parse().unwrap();
    let (row, _) = app.store.get_delivery(id).await.unwrap().unwrap();
    assert_eq!(row.state, DeliveryState::Queued);
    assert!(row.deadline.unwrap() > soon);
}

#[tokio::test]
async fn keys_need_the_scope_and_the_sdk_is_told_in_its_own_words() {
    let app = App::start().await;
    let key = new_key(&app.store, &[Scope::JobsRead], None).await;
    app.post("/v1/emails", &mail(json!({}))).key(&key).send().await.problem(403);
    let answer = app.post("/emails", &mail(json!({}))).key(&key).send().await;
    assert_eq!(answer.problem(403), Vec::<String>::new());
    assert_eq!(answer.json()["name"], "restricted_api_key");
    app.post("/v1/suppressions", r#"{"address":"a@b.example"}"#).key(&key).send().await.problem(403);
    let answer = app.post("/emails", "{\"nope\":1}").send().await;
    assert_eq!(answer.problem(422), ["nope"]);
    assert_eq!(answer.json()["statusCode"], 422);
}

#[tokio::test]
async fn who_may_only_read_does_not_see_a_subject_that_was_sealed() {
    let app = App::start().await;
    let accepted = app.post("/emails", &mail(json!({"subject": "Your code is 123456"}))).send().await.expect(200);
    let path = format!("/emails/{}", accepted["id"].as_str().unwrap());
    assert_eq!(app.get(&path).send().await.expect(200)["subject"], "Your code is 123456");
    let key = new_key(&app.store, &[Scope::JobsRead], None).await;
    assert_eq!(app.get(&path).key(&key).send().await.expect(200)["subject"], "(sealed)");
}

#[tokio::test]
async fn another_list_under_the_key_of_a_batch_is_another_call() {
    let app = App::start().await;
    let one = |n: u8| json!({"from": "bookings", "to": format!("p{n}@people.example"), "subject": "s", "text": "t"});
    let list = |numbers: &[u8]| Value::from_iter(numbers.iter().map(|n| one(*n))).to_string();
    let post =
        async |numbers: &[u8]| app.post("/emails/batch", &list(numbers)).header("idempotency-key", "k").send().await;
    let first = post(&[1, 2]).await.expect(200);
    assert_eq!(post(&[1, 2]).await.expect(200), first);
    for other in [&[1, 2, 3][..], &[1], &[2, 1]] {
        let answer = post(other).await;
        assert_eq!(answer.problem(409), ["Idempotency-Key"]);
        assert_eq!(answer.json()["name"], "invalid_idempotent_request");
    }
    assert_eq!(app.store.list_deliveries(&Default::default(), 10, None).await.unwrap().items.len(), 2);
    let path = format!("/emails/{}/cancel", first["data"][0]["id"].as_str().unwrap());
    app.post(&path, "{}").send().await.expect(200);
    let answer = app.post(&path, "{}").send().await;
    answer.problem(409);
    assert_eq!(answer.json()["name"], "validation_error");
}

#[tokio::test]
async fn suppressions_are_added_once_and_lifted() {
    let app = App::start().await;
    let body = r#"{"address":"Ana@People.example","note":"asked"}"#;
    let added = app.post("/v1/suppressions", body).send().await.expect(201);
    assert_eq!(
        (&added["address"], &added["covers"], &added["actor"]),
        (&json!("ana@people.example"), &json!("all"), &json!("test"))
    );
    assert_eq!(app.post("/v1/suppressions", body).send().await.expect(200)["id"], added["id"]);
    for (bad, field) in [
        (r#"{"address":"x"}"#, "address"),
        (r#"{"address":"a@b.example","covers":"some"}"#, "covers"),
        ("{\"address\":\"a@b.example\",\"note\":\"a\\nb\"}", "note"),
        (r#"{"address":"*@b.example"}"#, "address"),
    ] {
        assert_eq!(app.post("/v1/suppressions", bad).send().await.problem(422), [field]);
    }
    let path = format!("/v1/suppressions/{}", added["id"].as_str().unwrap());
    let lifted = app.call(axum::http::Method::DELETE, &path).send().await.expect(200);
    assert_eq!((&lifted["suppressions"][0]["id"], &lifted["released"]), (&added["id"], &json!([])));
    app.call(axum::http::Method::DELETE, &path).send().await.problem(404);
    assert_eq!(app.get("/v1/suppressions").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.get("/v1/suppressions?lifted=true").send().await.expect(200)["items"][0]["lifted_by"], "test");
}
