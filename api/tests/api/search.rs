//! Search events over HTTP, and what was counted of them.

use jiff::{SignedDuration, Timestamp};
use job::{JobState, ManualClock, QueueName};
use queue::Filter;
use serde_json::{Value, json};
use std::sync::Arc;
use store::{Granularity, NewInteraction, NewSearch, Scope, SearchBatch, SearchRules};

use crate::harness::{App, new_key, uuid_of};

const EVENTS: &str = "/v1/search/events";

fn now() -> Timestamp {
    "2026-11-25T10:30:00Z".parse().unwrap()
}

async fn app() -> App {
    App::builder().clock(Arc::new(ManualClock::at(now()))).start().await
}

fn ago(seconds: i64) -> String {
    (now() - SignedDuration::from_secs(seconds)).to_string()
}

fn search(id: &str) -> Value {
    json!({
        "id": id, "occurred_at": ago(60), "user": "u_1", "session": "s_1", "query": "  Piano  Lessons ",
        "filters": {"online": true}, "results_count": 3, "device": "mobile",
        "referrer": "https://www.example.com/music?who=ana", "consent": true, "ip": "192.0.2.1",
    })
}

fn click(id: &str, search: &str) -> Value {
    json!({"id": id, "search_id": search, "occurred_at": ago(50), "kind": "click", "item": "tutor_1", "position": 2, "seconds": 4.25})
}

/// What waits in the queue, as the job will have it.
async fn queued(app: &App) -> Vec<Value> {
    let filter = Filter {
        queue: Some(QueueName::new("search").unwrap()),
        state: Some(JobState::Available),
        ..Filter::default()
    };
    let page = app.broker.list(&filter, 100, None).await.unwrap();
    page.items.into_iter().map(|job| serde_json::from_str(job.envelope.unwrap().args.get()).unwrap()).collect()
}

/// Writes what waits, and counts it.
async fn count(app: &App) {
    for args in queued(app).await {
        let searches: Vec<NewSearch> = serde_json::from_value(args["searches"].clone()).unwrap();
        let interactions: Vec<NewInteraction> = serde_json::from_value(args["interactions"].clone()).unwrap();
        let batch = SearchBatch {
            searches: &searches,
            interactions: &interactions,
            received_at: now(),
            written_at: now(),
            token: uuid_of(1),
        };
        app.store.ingest_search_events(&batch, &SearchRules::default()).await.unwrap();
    }
    for granularity in [Granularity::Hour, Granularity::Day] {
        for window in app.store.dirty_search_windows(granularity).await.unwrap() {
            let rules = SearchRules::default();
            app.store.roll_search_window(granularity, window.starts_at, &rules, now()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn events_are_accepted_as_one_job_and_counted() {
    let app = app().await;
    let body = json!({"searches": [search("s1"), search("s2")], "interactions": [click("c1", "s1")]});
    let answer = app.post(EVENTS, &body.to_string()).send().await.expect(202);
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(3), &json!([])));
    let jobs = queued(&app).await;
    assert_eq!((jobs.len(), jobs[0]["searches"].as_array().unwrap().len()), (1, 2));
    assert_eq!(jobs[0]["searches"][0]["query"], "piano lessons");
    count(&app).await;

    let list = app.get("/v1/search/metrics?granularity=hour&from=2026-11-25T09:00:00Z").send().await.expect(200);
    let hours = list["items"].as_array().unwrap();
    assert_eq!(hours.len(), 2);
    assert_eq!((&hours[0]["searches"], &hours[0]["click_through_rate"]), (&json!(0), &Value::Null));
    assert_eq!(hours[1]["starts_at"], "2026-11-25T10:00:00Z");
    assert_eq!((&hours[1]["searches"], &hours[1]["click_through_rate"]), (&json!(2), &json!(0.5)));
    assert_eq!((&hours[1]["mean_reciprocal_rank"], &hours[1]["first_click_median"]), (&json!(0.25), &json!(4.25)));
    let days = app.get("/v1/search/metrics").send().await.expect(200);
    let days = days["items"].as_array().unwrap().clone();
    assert_eq!((days.len(), &days[7]["searches"]), (8, &json!(2)), "seven days, and today");
    let by = app.get("/v1/search/metrics?by=device").send().await.expect(200);
    assert_eq!((&by["items"][0]["device"], &by["items"][0]["searches"]), (&json!("mobile"), &json!(2)));

    let queries = app.get("/v1/search/queries").send().await.expect(200);
    assert_eq!(queries["items"][0]["query"], "piano lessons");
    assert_eq!((&queries["items"][0]["searches"], &queries["items"][0]["growth"]), (&json!(2), &json!(1.4)));
    assert_eq!(app.get("/v1/search/queries?sort=trending").send().await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn what_names_somebody_is_not_counted_whoever_typed_it() {
    let app = app().await;
    let mut typed = search("s1");
    typed["query"] = json!("Write to ANA＠example.com or +49 170 1234567");
    app.post(EVENTS, &json!({"searches": [typed]}).to_string()).send().await.expect(202);
    assert_eq!(queued(&app).await[0]["searches"][0]["query"], "write to ana@example.com or +49 170 1234567");
    count(&app).await;
    let queries = app.get("/v1/search/queries").send().await.expect(200);
    assert_eq!(queries["items"][0]["query"], "write to • or •");
    let page = app.get("/search").send().await.text();
    assert!(
        page.contains("write to • or •")
            && !page.contains("ana@")
            && page.contains("Last counted 25 November 2026, 10:30."),
        "{page}"
    );
}

#[tokio::test]
async fn counts_come_as_csv_too() {
    let app = app().await;
    let mut formula = search("s1");
    formula["query"] = json!("=cmd, \"x\"");
    app.post(EVENTS, &json!({"searches": [formula]}).to_string()).send().await.expect(202);
    count(&app).await;
    let answer = app.get("/v1/search/queries?format=csv").send().await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
    let text = String::from_utf8(answer.bytes).unwrap();
    assert!(text.starts_with("query,searches,"), "{text}");
    assert!(text.contains("\r\n\"'=cmd, \"\"x\"\"\",1,0,0,0,0,0,0,"), "{text}");
    let answer = app.get("/v1/search/metrics?granularity=hour").header("accept", "text/csv").send().await;
    let text = String::from_utf8(answer.bytes).unwrap();
    assert_eq!(text.lines().count(), 1 + 25, "{text}");
    assert!(text.lines().last().unwrap().starts_with("2026-11-25T10:00:00Z,2026-11-25T11:00:00Z,,,1,0,1,"), "{text}");
    assert_eq!(app.get("/v1/search/queries?format=xml").send().await.problem(422), ["format"]);
}

#[tokio::test]
async fn without_consent_nothing_that_identifies_reaches_the_queue() {
    let app = app().await;
    let mut without = search("s1");
    without["consent"] = json!(false);
    without["query"] = json!("call ana@example.com or +49 170 1234567");
    app.post(EVENTS, &json!({"searches": [without, search("s2")]}).to_string()).send().await.expect(202);
    let jobs = queued(&app).await;
    let (without, with) = (&jobs[0]["searches"][0], &jobs[0]["searches"][1]);
    for field in ["subject", "session", "network", "filters"] {
        assert_eq!((&without[field], with[field].is_null()), (&Value::Null, false), "{field}");
    }
    assert_eq!(without["query"], "call • or •");
    assert_eq!(without["referrer"], "https://www.example.com");
    assert_eq!((&without["guest"], &without["consent"]), (&json!(false), &json!(false)));
    assert_eq!((&with["subject"], &with["referrer"]), (&json!("u_1"), &json!("https://www.example.com/music")));
    assert!(!jobs[0].to_string().contains("192.0.2.1"), "no address leaves the API");
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_named_and_costs_its_neighbours_nothing() {
    let app = app().await;
    let with = |field: &str, value: Value| {
        let mut event = search("s1");
        event[field] = value;
        event
    };
    for (event, field) in [
        (with("id", json!("a b")), "id"),
        (with("user", json!("")), "user"),
        (with("query", json!("x".repeat(2_001))), "query"),
        (with("kind", json!("Text!")), "kind"),
        (with("filters", json!([1])), "filters"),
        (with("filters", json!({"a": "\u{0}"})), "filters"),
        (with("results_count", json!(-1)), "results_count"),
        (with("results_count", json!(2_000_000_000)), "results_count"),
        (with("device", json!("fridge")), "device"),
        (with("referrer", json!("a\r\nb")), "referrer"),
        (with("ip", json!("192.0.2")), "ip"),
        (with("occurred_at", json!("yesterday")), "occurred_at"),
        (with("occurred_at", json!(ago(48 * 3600 + 1))), "occurred_at"),
        (with("occurred_at", json!(ago(-301))), "occurred_at"),
        (with("nonsense", json!(1)), "nonsense"),
    ] {
        let alone = app.post(EVENTS, &json!({"searches": [event.clone()]}).to_string()).send().await.problem(422);
        assert_eq!(alone, [format!("searches[0].{field}")], "{event}");
        let body = json!({"searches": [search("s2"), event.clone()]});
        let answer = app.post(EVENTS, &body.to_string()).send().await.expect(202);
        assert_eq!(answer["accepted"], 1, "{event}");
        assert_eq!(answer["refused"][0]["event"], "searches[1]");
        assert_eq!(answer["refused"][0]["problem"]["errors"][0]["field"], format!("searches[1].{field}"));
    }
    let with = |field: &str, value: Value| {
        let mut event = click("c1", "s1");
        event[field] = value;
        event
    };
    for (event, field) in [
        (with("search_id", json!("")), "search_id"),
        (with("kind", json!("licked")), "kind"),
        (with("position", json!(0)), "position"),
        (with("seconds", json!(-1)), "seconds"),
        (with("item", json!("a/b")), "item"),
    ] {
        let alone = app.post(EVENTS, &json!({"interactions": [event.clone()]}).to_string()).send().await.problem(422);
        assert_eq!(alone, [format!("interactions[0].{field}")], "{event}");
    }
    let none = app.post(EVENTS, "{}").send().await.problem(422);
    assert_eq!(none, ["searches", "interactions"]);
    let many: Vec<Value> = (0..1_001).map(|n| click(&format!("c{n}"), "s1")).collect();
    let many = app.post(EVENTS, &json!({"interactions": many}).to_string()).send().await.problem(422);
    assert_eq!(many, ["searches", "interactions"]);
    assert_eq!(app.post(EVENTS, r#"{"searches":[],"events":[]}"#).send().await.problem(422), ["events"]);
}

#[tokio::test]
async fn whoever_asks_for_what_makes_no_sense_is_told_which() {
    let app = app().await;
    for (path, field) in [
        ("metrics?granularity=week", "granularity"),
        ("metrics?from=x", "from"),
        ("metrics?from=2026-11-25T00:00:00Z&to=2026-11-25T00:00:00Z", "to"),
        ("metrics?granularity=hour&from=2026-01-01T00:00:00Z", "from"),
        ("metrics?by=query", "by"),
        ("metrics?by=kind&granularity=hour&from=2026-11-01T00:00:00Z", "from"),
        ("metrics?device=fridge", "device"),
        ("metrics?kind=%00", "kind"),
        ("metrics?from=-005000-01-01T00:00:00Z", "from"),
        ("queries?from=-005000-01-01T00:00:00Z&to=-005000-01-02T00:00:00Z", "to"),
        ("metrics?from=9001-01-01T00:00:00Z&to=9001-01-02T00:00:00Z", "to"),
        ("metrics?nonsense=1", "nonsense"),
        ("queries?sort=best", "sort"),
        ("queries?limit=0", "limit"),
        ("queries?cursor=x", "cursor"),
        ("queries?from=2020-01-01T00:00:00Z", "from"),
    ] {
        assert_eq!(app.get(&format!("/v1/search/{path}")).send().await.problem(422), [field], "{path}");
    }
}

#[tokio::test]
async fn each_call_needs_its_scope() {
    let app = app().await;
    let (write, read) =
        (new_key(&app.store, &[Scope::SearchWrite], None).await, new_key(&app.store, &[Scope::JobsRead], None).await);
    let body = json!({"searches": [search("s1")]}).to_string();
    app.post(EVENTS, &body).key(&write).send().await.expect(202);
    app.post(EVENTS, &body).key(&read).send().await.problem(403);
    app.post(EVENTS, &body).without_key().send().await.problem(401);
    for key in [&write, &read] {
        app.get("/v1/search/metrics").key(key).send().await.expect(200);
        app.get("/v1/search/subjects/u_1/export").key(key).send().await.problem(403);
        app.call(axum::http::Method::DELETE, "/v1/search/subjects/u_1").key(key).send().await.problem(403);
    }
}

#[tokio::test]
async fn a_subject_reads_what_is_kept_and_has_it_taken_out() {
    let app = app().await;
    let body = json!({"searches": [search("s1")], "interactions": [click("c1", "s1")]});
    app.post(EVENTS, &body.to_string()).send().await.expect(202);
    count(&app).await;
    let kept = app.get("/v1/search/subjects/u_1/export").send().await.expect(200);
    assert_eq!((&kept["subject"], &kept["searches"][0]["id"]), (&json!("u_1"), &json!("s1")));
    assert_eq!(kept["searches"][0]["interactions"][0]["position"], 2);
    let erase = || app.call(axum::http::Method::DELETE, "/v1/search/subjects/u_1").send();
    let erased = erase().await.expect(200);
    assert_eq!((&erased["searches"], &erased["interactions"]), (&json!(1), &json!(1)));
    let kept = app.get("/v1/search/subjects/u_1/export").send().await.expect(200);
    assert_eq!(kept["searches"], json!([]));
    assert_eq!(app.get("/v1/search/subjects/a%20b/export").send().await.problem(422), ["id"]);
    assert_eq!(app.get("/v1/search/subjects/u_1/export?of=anybody").send().await.problem(422), ["of"]);
    app.get("/v1/search/subjects/u_1/export?of=guest").send().await.expect(200);
}

#[tokio::test]
async fn what_a_job_of_events_carries_is_shown_to_nobody() {
    let app = app().await;
    let body = json!({"searches": [search("s1")]}).to_string();
    let id = app.post(EVENTS, &body).send().await.expect(202)["id"].as_str().unwrap().to_owned();
    let shown = app.get(&format!("/v1/jobs/{id}")).send().await.expect(200);
    assert_eq!((&shown["kind"], &shown["args"]), (&json!("search.ingest"), &Value::Null));
    for path in [format!("/v1/jobs/{id}/cancel"), format!("/v1/jobs/{id}/retry")] {
        let said = app.post(&path, "").send().await.expect(200);
        assert!(!said.to_string().contains("u_1") && said["args"].is_null(), "{said}");
    }
    let others = app.post("/v1/jobs", r#"{"kind":"debug.noop","args":{}}"#).send().await.expect(202);
    let other = app.get(&format!("/v1/jobs/{}", others["id"].as_str().unwrap())).send().await.expect(200);
    assert_eq!(other["args"], json!({}), "others are");
}
