//! What a client sends wrong is told as a problem that names the field, and never as a failure of ours.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::harness::App;

/// Every case over both sorts of queue.
macro_rules! on_both_queues {
    ($($case:ident)*) => {
        mod over_sqlite {
            $(#[tokio::test] async fn $case() { super::$case(&crate::harness::App::start().await).await; })*
        }
        mod over_redis {
            $(#[tokio::test] async fn $case() { super::$case(&crate::harness::App::over_redis().await).await; })*
        }
    };
}

on_both_queues! {
    malformed_json_is_placed_by_line_and_column
    wrong_types_and_unknown_fields_are_named
    batches_of_the_wrong_shape_or_size_are_refused_whole
    bodies_that_are_too_large_are_refused
    a_body_that_is_no_utf_8_or_no_json_type_or_breaks_off_is_refused
    deep_nesting_is_refused_and_harmless
    bad_idempotency_keys_are_named
    unknown_paths_and_methods_are_problems_too
    listings_refuse_parameters_that_make_no_sense
}

const POSTS: [&str; 3] = ["/v1/jobs", "/v1/jobs/batch", "/v1/bookings/bk_1/events"];

async fn malformed_json_is_placed_by_line_and_column(app: &App) {
    for path in POSTS {
        for body in
            ["{", "{\n\"kind\": nope}", "[1,", "", "\u{feff}{}", "{}}", "'x'", "{\"kind\":\"a\"", "nul", "\"\\ud800\""]
        {
            let answer = app.post(path, body).send().await;
            assert!(!answer.problem(answer.status.as_u16()).is_empty(), "{path} {body}: names something");
            assert!([400, 422].contains(&answer.status.as_u16()), "{path} {body}: {}", answer.text());
        }
        let detail = app.post(path, "{\n  \"jobs\": nope\n}").send().await.json()["detail"].to_string();
        assert!(detail.contains("line 2 column"), "{detail}");
    }
}

async fn wrong_types_and_unknown_fields_are_named(app: &App) {
    for (body, message) in [
        (json!({"kind": 5}), "a text is expected, not 5"),
        (json!({"kind": "debug.noop", "colour": 1}), "is not a field here; known are kind, "),
        (json!({"kind": "debug.sleep", "args": {"ms": "x"}}), "a whole number, 0 or more is expected, not the text"),
        (json!({"kind": "debug.sleep"}), "is missing"),
        (json!({"kind": "debug.noop", "run_at": "soon"}), "a time such as 2026-11-25T09:00:00Z (RFC 3339) is expected"),
        (
            json!({"kind": "debug.noop", "max_attempts": 70_000}),
            "a whole number from 0 to 65535 is expected, not 70000",
        ),
        (json!([]), "an object is expected, not a list"),
    ] {
        let problem = app.post("/v1/jobs", &body.to_string()).send().await.json();
        let said = problem["errors"][0]["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{body}: {said}");
    }
    for (body, fields) in [
        (json!({}), &["kind"][..]),
        (json!([]), &["body"]),
        (json!(["debug.noop"]), &["body"]),
        (json!("x"), &["body"]),
        (json!({"kind": 5}), &["kind"]),
        (json!({"kind": "No Kind"}), &["kind"]),
        (json!({"kind": "no.such"}), &["kind"]),
        (json!({"kind": "debug.noop", "colour": 1}), &["colour"]),
        (json!({"kind": "debug.noop", "args": 5}), &["args"]),
        (json!({"kind": "debug.noop", "args": [1]}), &["args"]),
        (json!({"kind": "debug.sleep"}), &["args.ms"]),
        (json!({"kind": "debug.sleep", "args": {"ms": "x"}}), &["args.ms"]),
        (json!({"kind": "debug.sleep", "args": {"ms": 5, "extra": 1}}), &["args.extra"]),
        (json!({"kind": "debug.sleep", "args": {"ms": 3_600_001}}), &["args.ms"]),
        (json!({"kind": "debug.noop", "queue": "nobody"}), &["queue"]),
        (json!({"kind": "debug.noop", "queue": "Not A Queue"}), &["queue"]),
        (json!({"kind": "debug.noop", "priority": 10}), &["priority"]),
        (json!({"kind": "debug.noop", "priority": -1}), &["priority"]),
        (json!({"kind": "debug.noop", "priority": 1.5}), &["priority"]),
        (json!({"kind": "debug.noop", "run_at": "soon"}), &["run_at"]),
        (json!({"kind": "debug.noop", "run_at": "2026-13-01T00:00:00Z"}), &["run_at"]),
        (json!({"kind": "debug.noop", "delay": "a while"}), &["delay"]),
        (json!({"kind": "debug.noop", "delay": -1}), &["delay"]),
        (json!({"kind": "debug.noop", "delay": "99999d"}), &["delay"]),
        (json!({"kind": "debug.noop", "delay": 1e300}), &["delay"]),
        (json!({"kind": "debug.noop", "delay": "1s", "run_at": "2027-01-01T00:00:00Z"}), &["run_at", "delay"]),
        (json!({"kind": "debug.noop", "max_attempts": 0}), &["max_attempts"]),
        (json!({"kind": "debug.noop", "max_attempts": 65_536}), &["max_attempts"]),
        (json!({"kind": "debug.noop", "timeout": 0}), &["timeout"]),
        (json!({"kind": "debug.noop", "timeout": "50d"}), &["timeout"]),
        (json!({"kind": "debug.noop", "unique_key": ""}), &["unique_key"]),
        (json!({"kind": "debug.noop", "unique_key": "a\r\nb"}), &["unique_key"]),
        (json!({"kind": "debug.noop", "unique_key": "x".repeat(201)}), &["unique_key"]),
        (json!({"kind": "debug.noop", "unique_for": "5m"}), &["unique_for"]),
        (json!({"kind": "debug.noop", "tags": "one"}), &["tags"]),
        (json!({"kind": "debug.noop", "tags": [1]}), &["tags[0]"]),
        (json!({"kind": "debug.noop", "tags": ["a", "b\nc"]}), &["tags[1]"]),
        (json!({"kind": "debug.noop", "tags": ["a", "a"]}), &["tags[1]"]),
        (json!({"kind": "debug.noop", "tags": vec!["x"; 17]}), &["tags"]),
        (
            json!({"kind": "debug.noop", "timeout": 0, "tags": [""], "queue": "nobody"}),
            &["queue", "timeout", "tags[0]"],
        ),
    ] {
        assert_eq!(app.post("/v1/jobs", &body.to_string()).send().await.problem(422), fields, "{body}");
    }
    let twice = r#"{"kind":"debug.noop","kind":"debug.noop"}"#;
    assert_eq!(app.post("/v1/jobs", twice).send().await.problem(422), ["kind"]);
}

async fn batches_of_the_wrong_shape_or_size_are_refused_whole(app: &App) {
    for (body, field) in [
        (json!({}), "jobs"),
        (json!({"jobs": []}), "jobs"),
        (json!({"jobs": {"kind": "debug.noop"}}), "jobs"),
        (json!({"jobs": [{"kind": "debug.noop"}], "more": 1}), "more"),
        (json!({"jobs": vec![json!({"kind": "debug.noop"}); 1_001]}), "jobs"),
    ] {
        assert_eq!(app.post("/v1/jobs/batch", &body.to_string()).send().await.problem(422), [field]);
    }
    let many = json!({"jobs": vec![json!({"kind": "debug.noop"}); 100_000]}).to_string();
    assert_eq!(app.post("/v1/jobs/batch", &many).send().await.problem(422), ["jobs"]);
    let numbers = json!({"jobs": [1, null, "x", [], {}]}).to_string();
    let answer = app.post("/v1/jobs/batch", &numbers).send().await.expect(200);
    assert!(answer["results"].as_array().unwrap().iter().all(|r| r["problem"]["status"] == 422), "{answer}");
}

async fn bodies_that_are_too_large_are_refused(app: &App) {
    let ten_megabytes = format!(r#"{{"kind":"debug.noop","args":{{"x":"{}"}}}}"#, "x".repeat(10 << 20));
    for path in POSTS {
        assert_eq!(app.post(path, &ten_megabytes).send().await.problem(413), ["body"]);
        let declared = app.post(path, &ten_megabytes).header("content-length", &ten_megabytes.len().to_string());
        assert_eq!(declared.send().await.problem(413), ["body"]);
        let chunks = futures::stream::iter((0..200).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 16])));
        let streamed = app.call(Method::POST, path).header("content-type", "application/json");
        assert_eq!(streamed.body(Body::from_stream(chunks)).send().await.problem(413), ["body"]);
    }
    let large_item = format!(r#"{{"jobs":[{{"kind":"debug.noop","args":{{"x":"{}"}}}}]}}"#, "x".repeat(2 << 20));
    let answer = app.post("/v1/jobs/batch", &large_item).send().await.expect(200);
    assert_eq!(answer["results"][0]["problem"]["errors"][0]["field"], "args");
}

async fn a_body_that_is_no_utf_8_or_no_json_type_or_breaks_off_is_refused(app: &App) {
    for path in POSTS {
        let bad = b"{\"kind\":\"\xff\xfe\"}".to_vec();
        let answer = app.call(Method::POST, path).header("content-type", "application/json").body(bad).send().await;
        assert_eq!(answer.problem(400), ["kind"]);
        for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "json", "é"] {
            let answer = app.call(Method::POST, path).header("content-type", wrong).body("{}").send().await;
            assert_eq!(answer.problem(415), ["Content-Type"], "{wrong}");
        }
        assert_eq!(app.call(Method::POST, path).body("{}").send().await.problem(415), ["Content-Type"]);
        let broken = futures::stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);
        let answer = app.call(Method::POST, path).header("content-type", "application/json");
        assert_eq!(answer.body(Body::from_stream(broken)).send().await.problem(400), ["body"]);
    }
    for fine in ["application/json; charset=utf-8", "Application/JSON", "application/cloudevents+json"] {
        let call = app.call(Method::POST, "/v1/jobs").header("content-type", fine).body(r#"{"kind":"debug.noop"}"#);
        call.send().await.expect(202);
    }
}

async fn deep_nesting_is_refused_and_harmless(app: &App) {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for path in POSTS {
        assert!(app.post(path, &deep).send().await.status.is_client_error());
    }
    let args = format!(r#"{{"kind":"debug.effect","args":{{"key":{deep}}}}}"#);
    assert_eq!(app.post("/v1/jobs", &args).send().await.problem(422), ["args"]);
    // A kind that takes any arguments does not take these either, and brackets in a text are no nesting.
    let nested = |levels: usize| {
        format!(r#"{{"kind":"debug.noop","args":{{"a":{}"[[{{"{}}}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    assert_eq!(app.post("/v1/jobs", &nested(99)).send().await.status, 202);
    assert_eq!(app.post("/v1/jobs", &nested(100)).send().await.problem(422), ["args"]);
    let keyed = app.post("/v1/jobs", &format!(r#"{{"kind":"debug.noop","tags":{deep}}}"#));
    assert!(keyed.header("idempotency-key", "k").send().await.status.is_client_error());
}

async fn bad_idempotency_keys_are_named(app: &App) {
    for bad in ["", "  ", &"x".repeat(256), "ключ"] {
        let answer = app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).header("idempotency-key", bad).send().await;
        assert_eq!(answer.problem(400), ["Idempotency-Key"], "{bad}");
    }
    let twice =
        app.post("/v1/jobs", r#"{"kind":"debug.noop"}"#).header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(twice.send().await.problem(400), ["Idempotency-Key"]);
}

async fn unknown_paths_and_methods_are_problems_too(app: &App) {
    for path in ["/", "/v2/jobs", "/v1/jobs/", "/mailbox", "/metrics", "/%00", "/docs/nothing.js", "/docs/%ff"] {
        app.get(path).send().await.problem(404);
    }
    for (method, path) in [
        (Method::DELETE, "/v1/jobs"),
        (Method::PUT, "/v1/queues"),
        (Method::GET, "/v1/jobs/batch/x/cancel"),
        (Method::PATCH, "/healthz"),
    ] {
        let status = app.call(method, path).send().await;
        assert!([404, 405].contains(&status.status.as_u16()));
        status.problem(status.status.as_u16());
    }
    let not_allowed = app.call(Method::DELETE, "/v1/jobs").send().await;
    not_allowed.problem(405);
    assert_eq!(not_allowed.header("allow").split(',').count(), 3, "{}", not_allowed.header("allow"));
}

async fn listings_refuse_parameters_that_make_no_sense(app: &App) {
    for (query, field) in [
        ("state=asleep", "state"),
        ("queue=No%20Queue", "queue"),
        ("kind=", ""),
        ("kind=%0d%0a", "kind"),
        ("limit=many", "limit"),
        ("cursor=%00", "cursor"),
        ("cursor=nonsense", "cursor"),
        ("cursor=a.debug.nan.01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77", "cursor"),
        ("cursor=a.debug.1e400.01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77", "cursor"),
        ("cursor=a.debug.1e-400.01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77", "cursor"),
        ("cursor=1.nan.01983b5c7f1e7a009c1f2f6d8e1b4a77", "cursor"),
        ("page=2", "page"),
    ] {
        let answer = app.get(&format!("/v1/jobs?{query}")).send().await;
        if field.is_empty() {
            answer.expect(200);
        } else {
            assert_eq!(answer.problem(422), [field], "{query}");
        }
    }
}
