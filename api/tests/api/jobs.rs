//! Jobs in, jobs looked at, jobs called off and tried again.

use queue::Disposition;
use serde_json::{Value, json};
use store::Scope;

use crate::harness::{App, new_key};

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_is_accepted_and_can_be_looked_at() {
    let app = App::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = json!({
        "kind": "debug.effect", "args": {"key": "k"}, "priority": 1, "max_attempts": 3, "timeout": "90s",
        "unique_key": "u", "unique_for": "10m", "tags": ["a", "b"], "expires_at": "2030-01-01T00:00:00Z",
    });
    let accepted = app.post("/v1/jobs", &body.to_string()).header("traceparent", trace).send().await.expect(202);
    assert_eq!(accepted["kind"], "debug.effect");
    assert_eq!(accepted["queue"], "debug");
    assert_eq!(accepted["state"], "available");
    assert!(accepted["run_at"].as_str().unwrap().ends_with('Z'));
    assert!(accepted.get("duplicate").is_none());

    let job = app.get(&format!("/v1/jobs/{}", id(&accepted))).send().await.expect(200);
    for (field, value) in [
        ("id", accepted["id"].clone()),
        ("state", json!("available")),
        ("args", json!({"key": "k"})),
        ("attempts", json!([])),
        ("priority", json!(1)),
        ("max_attempts", json!(3)),
        ("timeout", json!("90s")),
        ("unique_key", json!("u")),
        ("unique_for", json!("10m")),
        ("tags", json!(["a", "b"])),
        ("expires_at", json!("2030-01-01T00:00:00Z")),
        ("traceparent", json!(trace)),
        ("result", Value::Null),
    ] {
        assert_eq!(job[field], value, "{field}: {job}");
    }
}

#[tokio::test]
async fn a_job_for_later_is_scheduled() {
    let app = App::start().await;
    for when in [json!({"delay": "1h"}), json!({"delay": 90.5}), json!({"run_at": "2031-05-01T10:00:00+02:00"})] {
        let mut body = when.clone();
        body["kind"] = json!("debug.noop");
        let accepted = app.post("/v1/jobs", &body.to_string()).send().await.expect(202);
        assert_eq!(accepted["state"], "scheduled", "{when}");
    }
    let past = json!({"kind": "debug.noop", "run_at": "2001-01-01T00:00:00Z"}).to_string();
    assert_eq!(app.post("/v1/jobs", &past).send().await.expect(202)["state"], "available");
}

#[tokio::test]
async fn a_unique_key_makes_the_second_a_duplicate_of_the_first() {
    let app = App::start().await;
    let body = json!({"kind": "debug.noop", "unique_key": "only-one"}).to_string();
    let first = app.post("/v1/jobs", &body).send().await.expect(202);
    let second = app.post("/v1/jobs", &body).send().await.expect(200);
    assert_eq!(second["duplicate"], true);
    assert_eq!(second["id"], first["id"]);
    assert_eq!(second["state"], "available");
}

#[tokio::test]
async fn a_member_that_stands_twice_is_refused_by_its_name() {
    let app = App::start().await;
    for (body, field) in [
        (r#"{"kind":"debug.effect","args":{"key":"a","key":"b"}}"#, "args.key"),
        (r#"{"kind":"debug.noop","args":{"n":[{"m":1},{"m":1,"m":2}]}}"#, "args.n[1].m"),
        (r#"{"kind":"debug.noop","kind":"debug.noop"}"#, "kind"),
    ] {
        assert_eq!(app.post("/v1/jobs", body).send().await.problem(422), [field], "{body}");
    }
    let batch = r#"{"jobs":[{"kind":"debug.noop"},{"kind":"debug.noop","args":{"a":1,"a":1}}]}"#;
    let results = app.post("/v1/jobs/batch", batch).send().await.expect(200);
    assert!(results["results"][0]["id"].is_string(), "its neighbour is accepted: {results}");
    assert_eq!(results["results"][1]["problem"]["errors"][0]["field"], "args.a");
}

#[tokio::test]
async fn an_idempotency_key_tells_numbers_apart_that_no_machine_type_holds() {
    let app = App::start().await;
    let send = |n: &str| {
        let body = format!(r#"{{"kind":"debug.noop","args":{{"n":{n}}}}}"#);
        app.post("/v1/jobs", &body).header("Idempotency-Key", "big")
    };
    send("123456789012345678901234567890").send().await.expect(202);
    send("123456789012345678901234567890").send().await.expect(200);
    assert_eq!(send("123456789012345678901234567891").send().await.problem(409), ["Idempotency-Key"]);
}

#[tokio::test]
async fn an_idempotency_key_answers_a_repeated_request_with_the_first_job() {
    let app = App::start().await;
    let send = |body: &str| app.post("/v1/jobs", body).header("Idempotency-Key", "abc");
    let first = send(r#"{"kind":"debug.effect","args":{"key":"k","x":1}}"#).send().await;
    assert_eq!(first.problem(422), ["args.x"], "a refused request does not use up the key");

    let first = send(r#"{"kind":"debug.effect","args":{"key":"k"}}"#).send().await.expect(202);
    let again = send("{ \"args\": {\"key\":\"k\"}, \"kind\":\"debug.effect\" }").send().await.expect(200);
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["id"], first["id"]);

    app.finish_all("debug", Disposition::Completed { result: None }).await;
    let late = send(r#"{"kind":"debug.effect","args":{"key":"k"}}"#).send().await.expect(200);
    assert_eq!((&late["id"], &late["state"]), (&first["id"], &json!("completed")));

    let other = send(r#"{"kind":"debug.effect","args":{"key":"another"}}"#).send().await;
    assert_eq!(other.problem(409), ["Idempotency-Key"]);

    let stranger = new_key(&app.store, &[Scope::JobsWrite], None).await;
    let theirs = send(r#"{"kind":"debug.effect","args":{"key":"another"}}"#).key(&stranger).send().await;
    assert_ne!(theirs.expect(202)["id"], first["id"], "another client's keys are another's");
}

#[tokio::test]
async fn a_repeated_request_that_found_its_unique_key_held_is_answered_with_that_job_again() {
    for app in [App::start().await, App::over_redis().await] {
        let body = r#"{"kind":"debug.noop","unique_key":"u"}"#;
        let holder = app.post("/v1/jobs", body).send().await.expect(202);
        let send = || app.post("/v1/jobs", body).header("Idempotency-Key", "abc");
        assert_eq!(send().send().await.expect(200)["id"], holder["id"]);
        app.finish_all("debug", Disposition::Completed { result: None }).await;
        let again = send().send().await.expect(200);
        assert_eq!((&again["id"], &again["state"]), (&holder["id"], &json!("completed")));
        let new = app.post("/v1/jobs", body).send().await.expect(202);
        assert_ne!(new["id"], holder["id"], "the key itself is free");
    }
}

#[tokio::test]
async fn a_batch_answers_item_by_item_in_order() {
    let app = App::start().await;
    let body = json!({"jobs": [
        {"kind": "debug.noop", "unique_key": "one"},
        {"kind": "no.such.kind"},
        {"kind": "debug.noop", "unique_key": "one"},
        {"kind": "debug.sleep", "args": {"ms": "long"}},
        {"kind": "debug.noop", "priority": "high"},
        {"kind": "debug.noop", "delay": "5m"},
    ]});
    let answer = app.post("/v1/jobs/batch", &body.to_string()).send().await.expect(200);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    assert_eq!(results[0]["state"], "available");
    assert_eq!(results[1]["problem"]["errors"][0]["field"], "kind");
    assert_eq!(results[2]["duplicate"], true);
    assert_eq!(results[2]["id"], results[0]["id"]);
    assert_eq!(results[3]["problem"]["errors"][0]["field"], "args.ms");
    assert_eq!(results[4]["problem"]["errors"][0]["field"], "priority");
    assert_eq!(results[4]["problem"]["status"], 422);
    assert_eq!(results[5]["state"], "scheduled");

    let thousand = json!({"jobs": vec![json!({"kind": "debug.noop"}); 1_000]}).to_string();
    let answer = app.post("/v1/jobs/batch", &thousand).send().await.expect(200);
    assert_eq!(answer["results"].as_array().unwrap().len(), 1_000);
    assert!(answer["results"].as_array().unwrap().iter().all(|r| r["state"] == "available"));
}

#[tokio::test]
async fn internal_kinds_need_their_own_scope() {
    let app = App::start().await;
    let plain = new_key(&app.store, &[Scope::JobsWrite], None).await;
    let internal = new_key(&app.store, &[Scope::JobsWrite, Scope::JobsInternal], None).await;
    let body = json!({"kind": "email.send", "args": {"delivery_id": crate::harness::uuid_of(1)}}).to_string();
    assert_eq!(app.post("/v1/jobs", &body).key(&plain).send().await.problem(403), ["kind"]);
    app.post("/v1/jobs", &body).key(&internal).send().await.expect(202);
    let batch = format!(r#"{{"jobs":[{body}]}}"#);
    let answer = app.post("/v1/jobs/batch", &batch).key(&plain).send().await.expect(200);
    assert_eq!(answer["results"][0]["problem"]["status"], 403);
}

#[tokio::test]
async fn jobs_are_listed_by_state_queue_and_kind_page_by_page() {
    let app = App::start().await;
    for _ in 0..5 {
        app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).send().await.expect(202);
    }
    app.post("/v1/jobs", r#"{"kind":"debug.noop","delay":"1h","queue":"default"}"#).send().await.expect(202);

    let mut seen = Vec::new();
    let mut path = "/v1/jobs?state=available&limit=2".to_owned();
    for _ in 0..100 {
        let page = app.get(&path).send().await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(id));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/jobs?state=available&limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    let of_queue = app.get("/v1/jobs?queue=default&kind=debug.noop&state=scheduled").send().await.expect(200);
    assert_eq!(of_queue["items"].as_array().unwrap().len(), 1);
    assert_eq!(of_queue["next_cursor"], Value::Null);
    assert_eq!(app.get("/v1/jobs?kind=debug.sleep").send().await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_and_tried_again() {
    let app = App::start().await;
    let job = id(&app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).send().await.expect(202));
    let retry = |job: &str| app.post(&format!("/v1/jobs/{job}/retry"), "");
    let cancel = |job: &str| app.post(&format!("/v1/jobs/{job}/cancel"), "");

    retry(&job).send().await.problem(409);
    assert_eq!(cancel(&job).send().await.expect(200)["state"], "cancelled");
    cancel(&job).send().await.problem(409);
    assert_eq!(retry(&job).send().await.expect(200)["state"], "available");

    app.finish_all("debug", Disposition::Dead { error: "because".to_owned() }).await;
    let dead = app.get(&format!("/v1/jobs/{job}")).send().await.expect(200);
    assert_eq!(dead["state"], "dead");
    assert_eq!(dead["attempts"][0]["error"], "because");
    assert_eq!(dead["attempts"][0]["attempt"], 1);

    let unknown = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
    for path in [format!("/v1/jobs/{unknown}"), "/v1/jobs/nonsense".to_owned(), "/v1/jobs/%ff".to_owned()] {
        app.get(&path).send().await.problem(404);
    }
    cancel(unknown).send().await.problem(404);
    retry("nonsense").send().await.problem(404);
}

#[tokio::test]
async fn a_result_is_shown_as_json() {
    let app = App::start().await;
    let job = id(&app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).send().await.expect(202));
    app.finish_all("debug", Disposition::Completed { result: Some(r#"{"n":1}"#.to_owned()) }).await;
    let shown = app.get(&format!("/v1/jobs/{job}")).send().await.expect(200);
    assert_eq!((&shown["state"], &shown["result"]), (&json!("completed"), &json!({"n": 1})));
    assert!(shown["finished_at"].is_string());
}

#[tokio::test]
async fn queues_show_their_counts_and_are_paused_and_resumed() {
    let app = App::start().await;
    app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).send().await.expect(202);
    let queue = |list: &Value, name: &str| {
        list["items"].as_array().unwrap().iter().find(|q| q["name"] == name).cloned().unwrap()
    };
    let list = app.get("/v1/queues").send().await.expect(200);
    assert_eq!(list["next_cursor"], Value::Null);
    let debug = queue(&list, "debug");
    assert_eq!(debug["counts"]["available"], 1);
    assert!(debug["oldest_age_seconds"].as_f64().is_some_and(|age| age >= 0.0));
    assert_eq!(queue(&list, "emails")["oldest_age_seconds"], Value::Null);

    assert_eq!(app.post("/v1/queues/debug/pause", "").send().await.expect(200)["paused"], true);
    assert_eq!(queue(&app.get("/v1/queues").send().await.expect(200), "debug")["paused"], true);
    assert_eq!(app.post("/v1/queues/debug/resume", "").send().await.expect(200)["paused"], false);
    app.post("/v1/queues/nobody/pause", "").send().await.problem(404);
    app.post("/v1/queues/No%20Queue/pause", "").send().await.problem(404);
}

#[tokio::test]
async fn effects_are_counted_by_key() {
    let app = App::start().await;
    app.store.record_effect("k 1").await.unwrap();
    app.store.record_effect("k 1").await.unwrap();
    assert_eq!(app.get("/v1/debug/effects?key=k%201").send().await.expect(200), json!({"runs": 2, "effects": 1}));
    assert_eq!(app.get("/v1/debug/effects?key=none").send().await.expect(200), json!({"runs": 0, "effects": 0}));
    assert_eq!(app.get("/v1/debug/effects").send().await.problem(422), ["key"]);
    assert_eq!(app.get("/v1/debug/effects?key=%00").send().await.problem(422), ["key"]);
}
