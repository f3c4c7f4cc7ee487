//! `/v1/schedules`: made, shown, changed, run, and refused where they make no sense.

use axum::http::Method;
use job::Clock;
use serde_json::{Value, json};
use store::{CatchUp, JobEnd, Overlap, ScheduleSpec, Scope, TickEnd};
use worker::notices::Webhook;

use crate::harness::{App, new_key};

async fn made(app: &App, name: &str) -> Value {
    let body = json!({"name": name, "cron": "30 2 * * *", "timezone": "Europe/Berlin", "kind": "debug.noop"});
    app.post("/v1/schedules", &body.to_string()).send().await.expect(201)
}

#[tokio::test]
async fn a_schedule_is_made_shown_listed_and_deleted() {
    let app = App::start().await;
    let schedule = made(&app, "nightly").await;
    assert_eq!(schedule["origin"], "api");
    assert_eq!((&schedule["queue"], &schedule["args"]), (&json!("debug"), &json!({})));
    assert_eq!((&schedule["catch_up"], &schedule["overlap"]), (&json!("once"), &json!("skip")));
    assert_eq!((&schedule["max_lateness"], &schedule["paused"]), (&json!("1d"), &json!(false)));
    let next = schedule["next"]["local"].as_str().unwrap();
    // On the day that has no such time there it is the end of the gap.
    assert!(next.contains("T02:30:00+") || next.contains("-03-28T03:00:00+"), "{next}");
    assert!(next.ends_with("[Europe/Berlin]"), "{next}");
    assert_eq!(app.get("/v1/schedules/nightly").send().await.expect(200), schedule);
    made(&app, "hourly").await;
    let list = app.get("/v1/schedules?limit=1").send().await.expect(200);
    assert_eq!((&list["items"][0]["name"], &list["next_cursor"]), (&json!("hourly"), &json!("hourly")));
    let rest = app.get("/v1/schedules?cursor=hourly").send().await.expect(200);
    assert_eq!((&rest["items"][0]["name"], &rest["next_cursor"]), (&json!("nightly"), &Value::Null));

    let again = json!({"name": "nightly", "cron": "@daily", "kind": "debug.noop"}).to_string();
    assert_eq!(app.post("/v1/schedules", &again).send().await.problem(409), ["name"]);
    app.call(Method::DELETE, "/v1/schedules/nightly").send().await.expect(200);
    app.get("/v1/schedules/nightly").send().await.problem(404);
    app.call(Method::DELETE, "/v1/schedules/nightly").send().await.problem(404);
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let app = App::start().await;
    let base = || json!({"name": "s", "cron": "@daily", "kind": "debug.noop"});
    for (field, value, names) in [
        ("name", json!("Not A Name"), &["name"][..]),
        ("name", json!("preview"), &["name"]),
        ("cron", json!("0 25 * * *"), &["cron"]),
        ("cron", json!("0 0 30 2 *"), &["cron"]),
        ("timezone", json!("Mars/Olympus"), &["timezone"]),
        ("kind", json!("no.such"), &["kind"]),
        ("queue", json!("nobody"), &["queue"]),
        ("args", json!([1]), &["args"]),
        ("catch_up", json!("twice"), &["catch_up"]),
        ("overlap", json!("maybe"), &["overlap"]),
        ("jitter", json!("400d"), &["jitter"]),
        ("max_lateness", json!("soon"), &["max_lateness"]),
        ("failure_limit", json!(0), &["failure_limit"]),
        ("colour", json!(1), &["colour"]),
    ] {
        let mut body = base();
        body[field] = value;
        let found = app.post("/v1/schedules", &body.to_string()).send().await.problem(422);
        assert_eq!(found, names, "{body}");
    }
    let sleep = json!({"name": "s", "cron": "@daily", "kind": "debug.sleep", "args": {"ms": "long"}}).to_string();
    assert_eq!(app.post("/v1/schedules", &sleep).send().await.problem(422), ["args.ms"]);
    let kept = json!({"mail_contents": "1d", "mails": "2d", "booking_events": "30d", "ticks": "30d"});
    let retention = json!({"name": "s", "cron": "@daily", "kind": "store.retention", "args": kept}).to_string();
    assert_eq!(app.post("/v1/schedules", &retention).send().await.problem(422), ["args.mails"]);
    made(&app, "t").await;
    let change = json!({"kind": "store.retention", "args": kept}).to_string();
    let changed = app.call(Method::PATCH, "/v1/schedules/t").json(&change).send().await;
    assert_eq!(changed.problem(422), ["args.mails"]);
    let nul = r#"{"name": "s", "cron": "@daily", "kind": "debug.noop", "args": {"a": "\u0000"}}"#;
    assert_eq!(app.post("/v1/schedules", nul).send().await.problem(422), ["args"]);
    let wrong = json!({"name": "s", "cron": "0 25 * * *", "kind": "debug.noop"}).to_string();
    let answer = app.post("/v1/schedules", &wrong).send().await;
    assert_eq!(answer.json()["errors"][0]["message"], "`0 25 * * *`: hour 25 is out of 0–23");
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name() {
    let app = App::start().await;
    made(&app, "s").await;
    let patch = async |body: Value| app.call(Method::PATCH, "/v1/schedules/s").json(&body.to_string()).send().await;
    let changed = patch(json!({"cron": "@every 15m", "failure_limit": 3})).await.expect(200);
    assert_eq!((&changed["cron"], &changed["timezone"]), (&json!("@every 15m"), &json!("Europe/Berlin")));
    assert_eq!((&changed["failure_limit"], &changed["revision"]), (&json!(3), &json!(2)));
    assert_eq!(patch(json!({"failure_limit": null})).await.expect(200)["failure_limit"], Value::Null);
    let moved = patch(json!({"kind": "platform.heartbeat"})).await.expect(200);
    assert_eq!(moved["queue"], "default");
    assert_eq!(patch(json!({"cron": "x"})).await.problem(422), ["cron"]);
    assert_eq!(patch(json!({"name": "t"})).await.problem(422), ["name"]);
}

#[tokio::test]
async fn the_next_instants_are_shown_by_both_clocks() {
    let app = App::start().await;
    made(&app, "s").await;
    let path = "/v1/schedules/s/next?count=3&after=2027-03-27T00:00:00Z";
    let next = app.get(path).send().await.expect(200);
    let at: Vec<&str> = next["items"].as_array().unwrap().iter().map(|fire| fire["at"].as_str().unwrap()).collect();
    // On the 28th the clocks go forward at two: half past is met at three.
    assert_eq!(at, ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]);
    assert_eq!(next["items"][1]["local"], "2027-03-28T03:00:00+02:00[Europe/Berlin]");
    let trial = json!({"cron": "0 0 29 2 *", "count": 2, "after": "2027-01-01T00:00:00Z"}).to_string();
    let tried = app.post("/v1/schedules/preview", &trial).send().await.expect(200);
    assert_eq!(tried["items"][1]["at"], "2032-02-29T00:00:00Z");
    let wrong = json!({"cron": "x", "timezone": "y"}).to_string();
    assert_eq!(app.post("/v1/schedules/preview", &wrong).send().await.problem(422), ["cron", "timezone"]);
    for query in ["count=0", "count=101", "count=x", "after=soon", "colour=1"] {
        app.get(&format!("/v1/schedules/s/next?{query}")).send().await.problem(422);
    }
}

#[tokio::test]
async fn a_run_has_a_job_and_is_in_the_history() {
    let app = App::start().await;
    made(&app, "s").await;
    app.post("/v1/schedules/s/pause", r#"{"reason": "moving"}"#).send().await.expect(200);
    let asked = app.call(Method::POST, "/v1/schedules/s/run").send().await.expect(202);
    let job = app.get(&format!("/v1/jobs/{}", asked["job_id"].as_str().unwrap())).send().await.expect(200);
    assert_eq!((&job["kind"], &job["tags"]), (&json!("debug.noop"), &json!(["s"])));
    let history = app.get("/v1/schedules/s/ticks").send().await.expect(200);
    let tick = &history["items"][0];
    assert_eq!((&tick["cause"], &tick["state"], &tick["job_id"]), (&json!("run"), &json!("open"), &asked["job_id"]));
    assert_eq!(app.get("/v1/schedules/s/ticks?state=done").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.get("/v1/schedules/s/ticks?state=x").send().await.problem(422), ["state"]);
    for path in ["run", "pause", "resume"] {
        app.call(Method::POST, &format!("/v1/schedules/none/{path}")).send().await.problem(404);
    }
    app.get("/v1/schedules/none/ticks").send().await.problem(404);
}

#[tokio::test]
async fn a_pause_says_who_and_why_and_ends() {
    let app = App::start().await;
    made(&app, "s").await;
    let paused = app.post("/v1/schedules/s/pause", r#"{"reason": "moving"}"#).send().await.expect(200);
    assert_eq!((&paused["paused"], &paused["paused_by"]), (&json!(true), &json!("operator")));
    assert_eq!((&paused["pause_reason"], &paused["next"]), (&json!("moving"), &Value::Null));
    let resumed = app.call(Method::POST, "/v1/schedules/s/resume").send().await.expect(200);
    assert_eq!((&resumed["paused"], &resumed["pause_reason"]), (&json!(false), &Value::Null));
    // Without a body, and without a reason.
    app.call(Method::POST, "/v1/schedules/s/pause").send().await.expect(200);
    assert_eq!(app.post("/v1/schedules/s/pause", r#"{"reason": "a\nb"}"#).send().await.problem(422), ["reason"]);
}

#[tokio::test]
async fn a_backfill_is_bounded_and_keeps_what_is_there() {
    let app = App::start().await;
    let body = json!({"name": "s", "cron": "0 * * * *", "kind": "debug.noop", "overlap": "allow"});
    app.post("/v1/schedules", &body.to_string()).send().await.expect(201);
    let backfill = async |from: &str, until: &str| {
        let span = json!({"from": from, "until": until}).to_string();
        app.post("/v1/schedules/s/backfill", &span).send().await
    };
    let first = backfill("2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z").await.expect(202);
    let planned: Vec<&str> =
        first["ticks"].as_array().unwrap().iter().map(|t| t["planned_at"].as_str().unwrap()).collect();
    assert_eq!(planned, ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]);
    let second = backfill("2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z").await.expect(202);
    assert_eq!((second["ticks"].as_array().unwrap().len(), &second["present"]), (2, &json!(3)));
    assert_eq!(backfill("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z").await.problem(422), ["until"]);
    assert_eq!(backfill("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z").await.problem(422), ["from"]);
    assert_eq!(backfill("2026-01-02T00:00:00Z", "2100-01-01T00:00:00Z").await.problem(422), ["until"]);
    assert_eq!(backfill("-005000-01-01T00:00:00Z", "-004999-01-01T00:00:00Z").await.problem(422), ["from"]);
    assert_eq!(app.finish_all("debug", queue::Disposition::Cancelled).await.len(), 5);
}

#[tokio::test]
async fn what_waits_is_called_off() {
    let app = App::start().await;
    let body = json!({"name": "s", "cron": "0 * * * *", "kind": "debug.noop"});
    app.post("/v1/schedules", &body.to_string()).send().await.expect(201);
    let span = r#"{"from": "2026-01-01T00:00:00Z", "until": "2026-01-01T03:00:00Z"}"#;
    app.post("/v1/schedules/s/backfill", span).send().await.expect(202);
    for left in [3, 0] {
        let called_off = app.call(Method::POST, "/v1/schedules/s/cancel-waiting").send().await.expect(200);
        assert_eq!(called_off, json!({"schedule": "s", "cancelled": left}));
    }
    let ticks = app.get("/v1/schedules/s/ticks?state=cancelled").send().await.expect(200);
    assert_eq!(ticks["items"].as_array().unwrap().len(), 3);
    app.call(Method::POST, "/v1/schedules/none/cancel-waiting").send().await.problem(404);
}

#[tokio::test]
async fn a_schedule_of_the_configuration_is_run_and_paused_here_and_changed_there() {
    let app = App::start().await;
    let now = job::SystemClock.now();
    let spec = ScheduleSpec {
        cron: "@daily".to_owned(),
        timezone: "UTC".to_owned(),
        kind: "debug.noop".to_owned(),
        queue: "debug".to_owned(),
        args: json!({}),
        catch_up: CatchUp::Once,
        max_lateness: std::time::Duration::from_secs(60),
        overlap: Overlap::Skip,
        jitter: std::time::Duration::ZERO,
        failure_limit: None,
    };
    let lease = app.store.take_scheduler_lease("me", spec.max_lateness, now).await.unwrap().unwrap();
    app.store.mirror_schedules(&lease, &[("beat".to_owned(), spec)], now).await.unwrap().unwrap();
    app.call(Method::PATCH, "/v1/schedules/beat").json(r#"{"cron": "@hourly"}"#).send().await.problem(409);
    app.call(Method::DELETE, "/v1/schedules/beat").send().await.problem(409);
    app.call(Method::POST, "/v1/schedules/beat/run").send().await.expect(202);
    app.call(Method::POST, "/v1/schedules/beat/pause").send().await.expect(200);
}

#[tokio::test]
async fn the_operators_hear_that_a_pause_by_failures_is_over_and_of_no_other() {
    let client = outbound::Client::new(outbound::Settings::default(), std::sync::Arc::new(outbound::SystemResolver));
    let app = App::builder().webhook(Webhook::new("http://127.0.0.1:9/", None, client).unwrap()).start().await;
    let now = job::SystemClock.now();
    for name in ["resumed", "changed", "deleted", "taken_over", "paused"] {
        let body = json!({"name": name, "cron": "30 2 * * *", "kind": "debug.noop", "failure_limit": 1});
        app.post("/v1/schedules", &body.to_string()).send().await.expect(201);
    }
    for name in ["resumed", "changed", "deleted", "taken_over"] {
        let span = json!({"from": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}).to_string();
        let done = app.post(&format!("/v1/schedules/{name}/backfill"), &span).send().await.expect(202);
        let (at, job) = (&done["ticks"][0]["planned_at"], &done["ticks"][0]["job_id"]);
        let (at, job) = (at.as_str().unwrap().parse().unwrap(), job.as_str().unwrap().parse().unwrap());
        // A backfill waits for the leader to let it go.
        let lease = app.store.take_scheduler_lease(name, std::time::Duration::ZERO, now).await.unwrap().unwrap();
        app.store.let_waiting_ticks_go_on(&lease, now).await.unwrap();
        let ended = app.store.end_tick(name, at, job, TickEnd::Ended(JobEnd::Dead), None, now).await.unwrap().unwrap();
        assert_eq!(ended.paused_after, Some(1));
    }
    for name in ["paused", "taken_over"] {
        app.post(&format!("/v1/schedules/{name}/pause"), "").send().await.expect(200);
    }
    for name in ["paused", "resumed", "resumed"] {
        app.post(&format!("/v1/schedules/{name}/resume"), "").send().await.expect(200);
    }
    let changed =
        app.call(Method::PATCH, "/v1/schedules/changed").json(r#"{"cron": "@daily"}"#).send().await.expect(200);
    assert_eq!(changed["paused"], false);
    app.call(Method::DELETE, "/v1/schedules/deleted").send().await.expect(200);
    let told = app.get("/v1/jobs?kind=operator.notify").send().await.expect(200);
    let mut of: Vec<String> = Vec::new();
    for listed in told["items"].as_array().unwrap() {
        let job = app.get(&format!("/v1/jobs/{}", listed["id"].as_str().unwrap())).send().await.expect(200);
        let (raised, notice) = (&job["args"]["raised"], &job["args"]["notice"]);
        assert_eq!((raised, &notice["kind"]), (&json!(false), &json!("schedule.paused")));
        of.push(notice["labels"]["schedule"].as_str().unwrap().to_owned());
    }
    of.sort_unstable();
    assert_eq!(of, ["changed", "deleted", "resumed", "taken_over"]);
}

#[tokio::test]
async fn looking_needs_to_read_jobs_and_acting_to_be_admin() {
    let app = App::start().await;
    made(&app, "s").await;
    let reader = new_key(&app.store, &[Scope::JobsRead], None).await;
    app.get("/v1/schedules").key(&reader).send().await.expect(200);
    app.get("/v1/schedules/s/next").key(&reader).send().await.expect(200);
    app.call(Method::POST, "/v1/schedules/s/run").key(&reader).send().await.problem(403);
    app.post("/v1/schedules", "{}").key(&reader).send().await.problem(403);
    let writer = new_key(&app.store, &[Scope::JobsWrite], None).await;
    app.get("/v1/schedules").key(&writer).send().await.problem(403);
    app.get("/v1/schedules").without_key().send().await.problem(401);
}
