//! Whatever is posted: an answer of ours, never a failure.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::bookings::example;
use crate::harness::App;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof!["debug.noop", "debug.effect", "1h", "2026-12-01T10:00:00Z", "a@example.com", "\\PC\u{0}\r\n"]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Names that mean something, mostly.
fn name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "kind",
        "args",
        "queue",
        "priority",
        "run_at",
        "delay",
        "max_attempts",
        "timeout",
        "expires_at",
        "unique_key",
        "unique_for",
        "tags",
        "jobs",
        "event",
        "booking",
        "version",
        "service",
        "starts_at",
        "duration_minutes",
        "price",
        "student",
        "instructor",
        "reminders",
        "key",
        "ms",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => ".{0,6}"]
}

/// A job that is right but for one field.
fn nearly_a_job() -> impl Strategy<Value = Value> {
    (name(), any_json()).prop_map(|(field, value)| {
        let mut job = json!({"kind": "debug.effect", "args": {"key": "k"}});
        job[field] = value;
        job
    })
}

/// An event that is right but for one field.
fn nearly_an_event() -> impl Strategy<Value = Value> {
    (prop::sample::select(vec!["", "/booking", "/booking/student", "/booking/price"]), name(), any_json()).prop_map(
        |(place, field, value)| {
            let mut event = example();
            event.pointer_mut(place).unwrap()[field] = value;
            event
        },
    )
}

#[test]
fn no_json_makes_the_api_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(App::start());
    let body = prop_oneof![any_json(), nearly_a_job(), nearly_an_event()];
    let mut runner = TestRunner::new(Config { cases: 512, ..Config::default() });
    runner
        .run(&(body, any::<bool>()), |(body, keyed)| {
            runtime.block_on(async {
                let text = body.to_string();
                for (path, text) in [
                    ("/v1/jobs", text.clone()),
                    ("/v1/jobs/batch", json!({"jobs": [body, {"kind": "debug.noop"}]}).to_string()),
                    ("/v1/jobs/batch", text.clone()),
                    ("/v1/bookings/bk_1/events", text),
                ] {
                    let mut call = app.post(path, &text);
                    if keyed {
                        call = call.header("idempotency-key", "storm");
                    }
                    let answer = call.send().await;
                    prop_assert!(answer.status.as_u16() < 500, "{path} {text}: {}", answer.text());
                    if !answer.status.is_success() {
                        answer.problem(answer.status.as_u16());
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}

#[test]
fn no_bytes_make_the_api_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(App::start());
    let mut runner = TestRunner::new(Config { cases: 256, ..Config::default() });
    let noise = prop::collection::vec(any::<u8>(), 0..64);
    runner
        .run(&(noise, any::<prop::sample::Index>()), |(noise, at)| {
            runtime.block_on(async {
                let mut mixed = example().to_string().into_bytes();
                let at = at.index(mixed.len());
                mixed.splice(at..at, noise.clone());
                for (path, body) in
                    [("/v1/jobs", noise.clone()), ("/v1/jobs/batch", noise), ("/v1/bookings/b/events", mixed)]
                {
                    let call = app.call(axum::http::Method::POST, path).header("content-type", "application/json");
                    let answer = call.body(body).send().await;
                    prop_assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text());
                }
                Ok(())
            })
        })
        .unwrap();
}
