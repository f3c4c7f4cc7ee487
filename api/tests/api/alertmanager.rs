//! `/api/v2/`: what Prometheus sends is taken, what amtool asks is answered, and nothing that is sent breaks anything.

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use job::{Clock, SystemClock};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use crate::harness::App;

fn ago(seconds: i64) -> String {
    (SystemClock.now() - SignedDuration::from_secs(seconds)).to_string()
}

fn ahead(seconds: i64) -> String {
    ago(-seconds)
}

fn alert(labels: Value) -> Value {
    json!({
        "labels": labels,
        "annotations": {"summary": "It is slow", "description": "p99 is 3 s", "runbook_url": "https://wiki.test/slow"},
        "startsAt": ago(60), "endsAt": ahead(240), "generatorURL": "http://prometheus.test/graph"
    })
}

async fn post(app: &App, alerts: &Value) -> (u16, String) {
    let answer = app.post("/api/v2/alerts", &alerts.to_string()).send().await;
    (answer.status.as_u16(), answer.text())
}

async fn get(app: &App, path: &str) -> Value {
    app.get(path).send().await.expect(200)
}

async fn names(app: &App, query: &str) -> Vec<String> {
    let list = get(app, &format!("/api/v2/alerts{query}")).await;
    let mut names: Vec<String> =
        list.as_array().unwrap().iter().map(|a| a["labels"]["alertname"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_prometheus_sends_is_shown_until_it_is_over() {
    let app = App::start().await;
    let sent = alert(json!({"alertname": "Slow", "severity": "critical", "instance": "api:9090"}));
    for _ in 0..3 {
        assert_eq!(post(&app, &json!([sent])).await.0, 200, "it is sent again while it fires");
    }
    let list = get(&app, "/api/v2/alerts").await;
    let [one] = list.as_array().unwrap().as_slice() else { panic!("one alert: {list}") };
    assert_eq!(one["labels"], sent["labels"]);
    let annotations =
        json!({"summary": "It is slow", "description": "p99 is 3 s", "runbook_url": "https://wiki.test/slow"});
    assert_eq!(one["annotations"], annotations);
    assert_eq!(one["generatorURL"], "http://prometheus.test/graph");
    assert_eq!(one["receivers"], json!([{"name": "operators"}]));
    let status = json!({"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []});
    assert_eq!(one["status"], status);
    for time in ["startsAt", "endsAt", "updatedAt"] {
        assert!(one[time].as_str().unwrap().parse::<Timestamp>().is_ok(), "{time}: {one}");
    }
    let over = json!([{"labels": sent["labels"], "startsAt": ago(60), "endsAt": ago(1)}]);
    assert_eq!(post(&app, &over).await.0, 200);
    assert_eq!(get(&app, "/api/v2/alerts").await, json!([]));
    assert_eq!(post(&app, &over).await.0, 200, "resolved before it fired is no error");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_the_rest_is_taken() {
    let app = App::start().await;
    let (status, said) = post(
        &app,
        &json!([
            alert(json!({"alertname": "Good"})),
            alert(json!({"alertname": "Bad", "host": "a\r\nBcc: everybody@example.com"})),
            alert(json!({"alertname": "Worse", "host": "x".repeat(5_000)})),
            {"labels": {"alertname": 7}},
            {"labels": {"alertname": "Future"}, "startsAt": ahead(86_400)},
            "nonsense"
        ]),
    )
    .await;
    assert_eq!(status, 400);
    let said: String = serde_json::from_str(&said).expect("it is a JSON string");
    for named in ["[1].labels.host", "[2].labels.host", "[3].labels", "[4].startsAt", "[5]"] {
        assert!(said.contains(named), "{named} is not in: {said}");
    }
    assert!(!said.contains('\r') && said.len() < 2_000, "{said}");
    assert_eq!(names(&app, "").await, ["Good"]);

    let many = json!(vec![alert(json!({"alertname": "x"})); 1_001]);
    assert_eq!(post(&app, &many).await.0, 400);
    for (body, status) in [("{}", 400), ("", 400), ("[", 400), ("null", 400), ("[]", 200), ("[null]", 400)] {
        let answer = app.post("/api/v2/alerts", body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text());
        assert!(status == 200 || answer.json().is_string(), "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn lists_are_filtered_as_amtool_asks() {
    let app = App::start().await;
    let sent = json!([
        alert(json!({"alertname": "Disk", "severity": "critical", "host": "db-1"})),
        alert(json!({"alertname": "Disk", "severity": "warning", "host": "db-1"})),
        alert(json!({"alertname": "Cpu", "severity": "warning", "host": "web-1"})),
    ]);
    assert_eq!(post(&app, &sent).await.0, 200);
    assert_eq!(names(&app, "").await, ["Cpu", "Disk", "Disk"]);
    assert_eq!(names(&app, "?filter=severity%3D%22critical%22").await, ["Disk"]);
    assert_eq!(names(&app, "?filter=alertname%3D~%22C.*%22&filter=host!%3D%22x%22").await, ["Cpu"]);
    assert_eq!(names(&app, "?receiver=oper.*").await.len(), 3);
    assert_eq!(names(&app, "?receiver=oper").await, Vec::<String>::new(), "the expression is anchored");
    // The critical alert explains its warning.
    assert_eq!(names(&app, "?inhibited=false").await, ["Cpu", "Disk"]);
    let suppressed = get(&app, "/api/v2/alerts?active=false").await;
    assert_eq!(suppressed[0]["labels"]["severity"], "warning");
    assert_eq!(suppressed[0]["status"]["state"], "suppressed");
    let critical = get(&app, "/api/v2/alerts?filter=severity%3Dcritical").await;
    assert_eq!(suppressed[0]["status"]["inhibitedBy"], json!([critical[0]["fingerprint"]]));

    let groups = get(&app, "/api/v2/alerts/groups").await;
    let shape: Vec<(&Value, usize)> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (&group["labels"]["alertname"], group["alerts"].as_array().unwrap().len()))
        .collect();
    assert_eq!(shape, [(&json!("Cpu"), 1), (&json!("Disk"), 2)]);
    assert_eq!(groups[0]["receiver"], json!({"name": "operators"}));
    for bad in ["?filter=%7B", "?filter=a", "?active=perhaps", "?receiver=(", "?filter=a%3D~%22(%22"] {
        let answer = app.get(&format!("/api/v2/alerts{bad}")).send().await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.json().is_string(), "{bad}: {}", answer.text());
    }
}

fn silence(matchers: Value, until: i64) -> Value {
    json!({
        "matchers": matchers, "startsAt": ago(0), "endsAt": ahead(until), "createdBy": "ana", "comment": "disks"
    })
}

#[tokio::test]
async fn silences_come_and_go_as_amtool_asks() {
    let app = App::start().await;
    let disks = json!([alert(json!({"alertname": "Disk", "host": "db-1"})), alert(json!({"alertname": "Cpu"}))]);
    assert_eq!(post(&app, &disks).await.0, 200);
    let host = json!([{"name": "host", "value": "db-.*", "isRegex": true, "isEqual": true}]);
    let kept = app.post("/api/v2/silences", &silence(host.clone(), 3_600).to_string()).send().await.expect(200);
    let id = kept["silenceID"].as_str().unwrap().to_owned();
    assert_eq!(names(&app, "?silenced=false").await, ["Cpu"]);
    assert_eq!(get(&app, "/api/v2/alerts?active=false").await[0]["status"]["silencedBy"], json!([id]));

    let path = format!("/api/v2/silence/{id}");
    let shown = get(&app, &path).await;
    assert_eq!(shown["matchers"], host);
    assert_eq!((&shown["status"]["state"], &shown["createdBy"]), (&json!("active"), &json!("ana")));
    assert_eq!(get(&app, "/api/v2/silences").await, json!([shown]));
    assert_eq!(get(&app, "/api/v2/silences?filter=host%3D%22db-.*%22").await, json!([shown]));
    assert_eq!(get(&app, "/api/v2/silences?filter=host%3D%22x%22").await, json!([]));
    assert_eq!(get(&app, "/api/v2/silences?active=false").await, json!([]));

    let mut longer = silence(host, 7_200);
    longer["id"] = json!(id);
    longer["startsAt"] = shown["startsAt"].clone();
    let changed = app.post("/api/v2/silences", &longer.to_string()).send().await.expect(200);
    assert_eq!(changed["silenceID"], json!(id), "its end may move");
    longer["matchers"] = json!([{"name": "host", "value": "web", "isRegex": false}]);
    let replaced = app.post("/api/v2/silences", &longer.to_string()).send().await.expect(200);
    assert_ne!(replaced["silenceID"], json!(id), "what it mutes may not");
    assert_eq!(get(&app, &path).await["status"]["state"], "expired");

    let other = format!("/api/v2/silence/{}", replaced["silenceID"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(app.call(Method::DELETE, &other).send().await.status, 200);
    }
    assert_eq!(names(&app, "?silenced=false").await, ["Cpu", "Disk"]);
    let nobody = "/api/v2/silence/01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
    assert_eq!(app.get(nobody).send().await.status, 404);
    assert_eq!(app.call(Method::DELETE, nobody).send().await.status, 404);
}

#[tokio::test]
async fn a_silence_that_makes_no_sense_is_refused_in_words() {
    let app = App::start().await;
    let host = json!([{"name": "host", "value": "a", "isRegex": false}]);
    for (field, value, named) in [
        ("matchers", json!([]), "matchers"),
        ("matchers", json!([{"name": "host", "value": ".*", "isRegex": true}]), "matchers"),
        ("matchers", json!([{"name": "host", "value": "(", "isRegex": true}]), "matchers[0]"),
        ("matchers", json!([{"name": "a b", "value": "x", "isRegex": false}]), "matchers[0]"),
        ("endsAt", json!(ago(60)), "ends_at"),
        ("endsAt", json!("2199-01-01T00:00:00Z"), "ends_at"),
        ("startsAt", json!("now"), "startsAt"),
        ("createdBy", json!("a\nb"), "created_by"),
        ("comment", json!("x".repeat(5_000)), "comment"),
        ("id", json!("01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77"), "No such silence"),
    ] {
        let mut body = silence(host.clone(), 60);
        body[field] = value;
        let answer = app.post("/api/v2/silences", &body.to_string()).send().await;
        assert_eq!(answer.status.as_u16(), if field == "id" { 404 } else { 400 }, "{field}: {}", answer.text());
        let said = answer.json();
        assert!(said.as_str().unwrap().contains(named), "{named} is not in {said}");
    }
}

#[tokio::test]
async fn status_and_receivers_have_their_shape_and_the_probes_need_no_key() {
    let app = App::start().await;
    let status = get(&app, "/api/v2/status").await;
    assert_eq!(status["cluster"], json!({"status": "disabled", "peers": []}));
    assert_eq!(status["versionInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["uptime"].as_str().unwrap().parse::<Timestamp>().is_ok());
    let original: Value = serde_json::from_str(status["config"]["original"].as_str().unwrap()).unwrap();
    assert_eq!(original["route"]["receiver"], "operators");
    assert_eq!(original["receivers"], json!([{"name": "operators"}]));
    assert_eq!(get(&app, "/api/v2/receivers").await, json!([{"name": "operators"}]));
    for probe in ["/-/healthy", "/-/ready"] {
        let answer = app.get(probe).without_key().send().await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "OK"), "{probe}");
    }
    let refused = app.get("/api/v2/alerts").without_key().send().await;
    assert_eq!((refused.status.as_u16(), refused.json().is_string()), (401, true));
}

#[tokio::test]
async fn routes_can_be_tried() {
    let app = App::start().await;
    let asked = json!({"labels": {"severity": "critical", "type": "db.down"}}).to_string();
    let told = app.post("/v1/alerts/route", &asked).send().await.expect(200);
    assert_eq!(told["told"][0]["receiver"], "operators");
    assert_eq!(told["labels"]["alertname"], "db.down");
    assert_eq!((&told["muted"], &told["told"][0]["group_wait"]), (&json!(false), &json!(30)));
    let silence = json!({"matchers": ["type=\"db.down\""], "duration": "1h"}).to_string();
    app.post("/v1/silences", &silence).send().await.expect(201);
    let told = app.post("/v1/alerts/route", &asked).send().await.expect(200);
    assert_eq!((&told["muted"], &told["silenced_by"][0]["created_by"]), (&json!(true), &json!("test")));
    let bad = json!({"labels": {"a b": "c"}}).to_string();
    let fields = app.post("/v1/alerts/route", &bad).send().await.problem(422);
    assert_eq!(fields, ["labels"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("2026-05-01T12:00:00Z")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let names = prop_oneof![
            Just("labels".to_owned()),
            Just("annotations".to_owned()),
            Just("startsAt".to_owned()),
            Just("endsAt".to_owned()),
            Just("matchers".to_owned()),
            Just("alertname".to_owned()),
            any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

/// An alert that is nearly one: any texts where texts belong.
fn near_alert() -> impl Strategy<Value = Value> {
    let texts = || prop::collection::btree_map(prop_oneof!["[a-z]{1,8}", any::<String>()], any::<String>(), 0..5);
    let time = || prop_oneof![Just(json!("2026-05-01T12:00:00Z")), any::<String>().prop_map(Value::from)];
    (texts(), texts(), time(), time()).prop_map(|(labels, annotations, starts_at, ends_at)| {
        json!({"labels": labels, "annotations": annotations, "startsAt": starts_at, "endsAt": ends_at})
    })
}

/// Whatever is sent: taken, or refused in words; and what was taken can be shown, on one line where it must be.
#[tokio::test]
async fn nothing_that_is_sent_breaks_anything() {
    let app = App::start().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop_oneof![
        any_json(),
        prop::collection::vec(prop_oneof![any_json(), near_alert()], 0..4).prop_map(Value::from),
    ];
    let mut taken = 0;
    for _ in 0..400 {
        let body = strategy.new_tree(&mut runner).unwrap().current();
        let (status, said) = post(&app, &body).await;
        assert!([200, 400].contains(&status), "{body}: {status} {said}");
        taken += usize::from(status == 200);
        let answer = app.post("/api/v2/silences", &body.to_string()).send().await;
        assert!([200, 400, 404].contains(&answer.status.as_u16()), "{body}: {}", answer.text());
    }
    assert!(taken > 20, "only {taken} were taken");
    for one in get(&app, "/api/v2/alerts").await.as_array().unwrap() {
        for (name, value) in one["labels"].as_object().unwrap() {
            assert!(!value.as_str().unwrap().contains(['\r', '\n', '\0']), "{name}: {value}");
        }
        assert!(!one["annotations"]["summary"].as_str().unwrap().contains(['\r', '\n']), "{one}");
    }
}
