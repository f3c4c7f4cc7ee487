//! `/v1/alerts`, `/v1/incidents` and the page to acknowledge: what is taken, what is refused and how it is named.

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::Scope;
use worker::Context;
use worker::alerts::{clockwork, link};

use crate::harness::{App, new_key};

const INCIDENT: &str = "/v1/incidents/01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";

impl App {
    async fn fire(&self, body: &Value) -> Value {
        self.post("/v1/alerts", &body.to_string()).send().await.expect(202)
    }

    /// What a worker of this installation has.
    fn context(&self) -> Context {
        let (ids, clock) = (self.state.ids.clone(), self.state.clock.clone());
        let alerts = self.state.alerts.clone();
        Context { alerts, ..Context::new(self.store.clone(), self.broker.clone(), ids, clock) }
    }
}

fn alert() -> Value {
    json!({"type": "db.down", "severity": "critical", "title": "The database is down", "message": "No connection.",
           "labels": {"service": "search"}, "details": {"runbook_url": "https://ops.test/db"}})
}

#[tokio::test]
async fn an_alert_opens_an_incident_that_is_listed_shown_taken_on_and_ended() {
    let app = App::start().await;
    let made = app.fire(&alert()).await;
    assert_eq!((&made["outcome"], &made["state"], &made["alerts"]), (&json!("opened"), &json!("open"), &json!(1)));
    assert_eq!(app.fire(&alert()).await["alerts"], 2);
    let path = format!("/v1/incidents/{}", made["incident_id"].as_str().unwrap());
    let shown = app.get(&path).send().await.expect(200);
    assert_eq!(shown["type"], "db.down");
    assert_eq!((&shown["alerts"], &shown["suppressed"]), (&json!(2), &json!(1)));
    assert_eq!(shown["timeline"][0]["event"], "opened");
    for (query, found) in [
        ("state=active&severity=critical&label=service=search&type=db.down", 1),
        ("state=resolved", 0),
        ("label=service=search&label=service=other", 0),
    ] {
        let list = app.get(&format!("/v1/incidents?{query}")).send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{query}");
    }
    let taken = app.post(&format!("{path}/acknowledge"), r#"{"by":"ana","note":"looking"}"#).send().await.expect(200);
    assert_eq!((&taken["state"], &taken["acknowledged_by"]), (&json!("acknowledged"), &json!("ana")));
    let said = app.post(&format!("{path}/comment"), r#"{"note":"the disk\nis full"}"#).send().await.expect(200);
    assert_eq!(said["timeline"][2]["note"], "the disk\nis full");
    assert_eq!(said["timeline"][2]["by"], "API key test");
    let over = app.call(axum::http::Method::POST, &format!("{path}/resolve")).send().await.expect(200);
    assert_eq!((&over["state"], &over["resolved_by"]), (&json!("resolved"), &json!("API key test")));
    app.post(&format!("{path}/acknowledge"), "{}").send().await.problem(409);
    assert_eq!(app.post(&format!("{path}/resolve"), "{}").send().await.expect(200)["state"], "resolved");
    let again = app.fire(&json!({"type": "db.down", "labels": {"service": "search"}, "state": "resolved"})).await;
    assert_eq!(again["outcome"], "nothing_to_resolve", "an end without a beginning is an answer");
}

#[tokio::test]
async fn a_list_is_taken_whole_or_not_at_all() {
    let app = App::start().await;
    let other = json!({"type": "db.slow", "severity": "warning", "title": "slow"});
    let answer = app.fire(&json!([alert(), other, alert()])).await;
    let outcomes: Vec<&str> =
        answer["results"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["opened", "opened", "counted"]);
    let third = json!({"type": "third", "severity": "warning", "title": "t"});
    let wrong =
        json!([third, {"type": "x", "severity": "warning", "title": "a\r\nBcc: eve@example.com"}, {"type": "y"}]);
    let fields = app.post("/v1/alerts", &wrong.to_string()).send().await.problem(422);
    assert_eq!(fields, ["[1].title", "[2].severity", "[2].title"]);
    assert_eq!(app.get("/v1/incidents?type=third").send().await.expect(200)["items"], json!([]), "nothing was counted");
    assert_eq!(app.post("/v1/alerts", "[]").send().await.problem(422), ["body"]);
    let many = json!(vec![json!({"type": "x"}); 1_001]);
    assert_eq!(app.post("/v1/alerts", &many.to_string()).send().await.problem(422), ["body"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_field() {
    let app = App::start().await;
    let many: serde_json::Map<String, Value> = (0..10_000).map(|n| (format!("l{n}"), json!("x"))).collect();
    for (field, value, named) in [
        ("type", json!(""), "type"),
        ("type", json!("x".repeat(201)), "type"),
        ("severity", json!("urgent"), "severity"),
        ("title", json!("a\nb"), "title"),
        ("title", json!("\u{202e}gnp.exe"), "title"),
        ("message", json!("x".repeat(1 << 20)), "message"),
        ("message", json!("a\u{0}b"), "message"),
        ("labels", json!({"a\r\nb": "c"}), "labels"),
        ("labels", json!({"a": "b\r\nc"}), "labels"),
        ("labels", json!(many), "labels"),
        ("labels", json!({"a": "x".repeat(1_025)}), "labels"),
        ("details", json!({"a": "x".repeat(17_000)}), "details"),
        ("details", json!([1]), "details"),
        ("details", json!({"log": ["a\u{0}b"]}), "details"),
        ("labels", json!({"alertname": "other"}), "labels"),
        ("state", json!("pending"), "state"),
        ("starts_at", json!("2999-01-01T00:00:00Z"), "starts_at"),
        ("starts_at", json!("yesterday"), "starts_at"),
        ("ends_at", json!("2001-01-01T00:00:00Z"), "ends_at"),
        ("nope", json!(1), "nope"),
    ] {
        let mut body = alert();
        body[field] = value;
        let fields = app.post("/v1/alerts", &body.to_string()).send().await.problem(422);
        assert!(fields[0] == named || within(&fields[0], named), "{field}: {fields:?}");
    }
    for (query, named) in [
        ("state=over", "state"),
        ("severity=x", "severity"),
        ("label=x", "label"),
        ("nope=1", "nope"),
        ("type=%00", "type"),
        ("label=a%3D%00", "label"),
    ] {
        assert_eq!(app.get(&format!("/v1/incidents?{query}")).send().await.problem(422), [named]);
    }
    assert_eq!(app.get("/v1/incidents/x").send().await.status, 404);
    for action in ["acknowledge", "resolve"] {
        assert_eq!(app.post(&format!("{INCIDENT}/{action}"), "{}").send().await.status, 404);
    }
    let made = app.fire(&alert()).await;
    let path = format!("/v1/incidents/{}", made["incident_id"].as_str().unwrap());
    assert_eq!(app.post(&format!("{path}/acknowledge"), r#"{"by":"a\nb"}"#).send().await.problem(422), ["by"]);
    assert_eq!(app.post(&format!("{path}/comment"), r#"{"note":""}"#).send().await.problem(422), ["note"]);
}

/// Whether a field's path leads into another field.
fn within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.starts_with(['.', '[']))
}

#[tokio::test]
async fn telling_needs_a_key_that_may_and_looking_another() {
    let app = App::start().await;
    let (writes, reads, neither) = (
        new_key(&app.store, &[Scope::AlertsWrite], None).await,
        new_key(&app.store, &[Scope::JobsRead], None).await,
        new_key(&app.store, &[Scope::SearchWrite], None).await,
    );
    let body = alert().to_string();
    assert_eq!(app.post("/v1/alerts", &body).key(&writes).send().await.status, 202);
    assert_eq!(app.post("/v1/alerts", &body).key(&reads).send().await.status, 403);
    assert_eq!(app.post("/v1/alerts", &body).without_key().send().await.status, 401);
    for (key, status) in [(&writes, 200), (&reads, 200), (&neither, 403)] {
        assert_eq!(app.get("/v1/incidents").key(key).send().await.status, status);
    }
}

#[tokio::test]
async fn the_link_in_a_message_shows_before_it_acts() {
    let app = App::start().await;
    let evil = json!({"type": "db.down", "severity": "critical", "title": "<script>alert(1)</script>", "message": "",
                      "labels": {"long": "x".repeat(1_000), "what": "<img src=x onerror=y>"}});
    let id = app.fire(&evil).await["incident_id"].as_str().unwrap().to_owned();
    let state = async || app.get(&format!("/v1/incidents/{id}")).send().await.expect(200)["state"].clone();
    // No route here has a way out: a message is made as the clockwork makes one.
    let message = app.message_about(id.parse().unwrap()).await;
    let ring = app.state.secrets.as_deref().unwrap();
    let url = link::acknowledge(ring, "", message, app.state.clock.now());
    for _ in 0..2 {
        let page = app.get(&url).without_key().send().await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        let html = page.text();
        assert!(html.contains("<button>Acknowledge</button>") && html.contains("name=\"viewport\""));
        assert!(html.find("<button>").unwrap() < html.find("<ul>").unwrap(), "the button first");
        assert!(html.contains("x…") && !html.contains(&"x".repeat(300)), "labels are cut");
        assert!(
            html.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
                && !html.contains("<script")
                && !html.contains("<img")
        );
        assert_eq!(state().await, "open", "looking changes nothing");
    }
    let form = |body: &str| {
        app.call(axum::http::Method::POST, &url)
            .without_key()
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
    };
    let done = form("name=Ana").send().await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text().contains("<h1>Acknowledged</h1>"), "{}", done.text());
    assert_eq!(state().await, "acknowledged");
    let shown = app.get(&format!("/v1/incidents/{id}")).send().await.expect(200);
    assert_eq!(shown["acknowledged_by"], "Ana (by the link in operators)");
    let again = form("name=Eve").send().await;
    assert_eq!(again.status, StatusCode::OK, "twice changes nothing");
    assert!(again.text().contains("Nothing is left to acknowledge"), "and says so");
    assert_eq!(
        shown["acknowledged_by"],
        app.get(&format!("/v1/incidents/{id}")).send().await.expect(200)["acknowledged_by"]
    );
    assert!(app.get(&url).without_key().send().await.text().contains("Nothing is left to acknowledge"));
}

#[tokio::test]
async fn a_link_that_is_wrong_or_too_old_says_so() {
    let app = App::start().await;
    let page = app.get("/acknowledge/k1.abc.def").without_key().send().await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text().contains("This link does not work"));
    let ring = app.state.secrets.as_deref().unwrap();
    let decided = app.state.clock.now().checked_sub(std::time::Duration::from_secs(8 * 86_400)).unwrap();
    let url = link::acknowledge(ring, "", uuid::Uuid::from_u128(7), decided);
    for call in [app.get(&url), app.post(&url, "{}")] {
        let page = call.without_key().send().await;
        assert_eq!(page.status, StatusCode::GONE);
        assert!(page.text().contains("This link is too old"));
    }
}

impl App {
    /// A message to a webhook about an incident, as the clockwork writes one.
    async fn message_about(&self, incident_id: uuid::Uuid) -> uuid::Uuid {
        use store::{About, Change, Channel, NewNotification, NotificationState, Reason, Target};
        struct One(uuid::Uuid, uuid::Uuid);
        impl store::Teller for One {
            fn decide(&mut self, due: Vec<store::DueGroup>) -> store::Flush {
                let message = NewNotification {
                    id: self.0,
                    group_key: None,
                    receiver: "operators".to_owned(),
                    target: Target { channel: Channel::Webhook, name: "operators".to_owned() },
                    reason: Reason::Raised,
                    severity: alerting::Severity::Critical,
                    title: "It is down".to_owned(),
                    state: NotificationState::Queued,
                    delivery_id: None,
                    about: vec![About { incident_id: self.1, change: Change::News }],
                };
                assert_eq!(due.len(), 1);
                store::Flush { messages: vec![message], ..store::Flush::default() }
            }

            fn admit(
                &mut self,
                _: &mut [NewNotification],
                _: &mut std::collections::HashMap<Target, store::Throttle>,
            ) -> Vec<store::NewDelivery> {
                Vec::new()
            }
        }
        let id = uuid::Uuid::from_u128(0xfeed);
        let later = job::clock::after(self.state.clock.now(), std::time::Duration::from_secs(31));
        let told = self.store.flush_groups(10, later, &mut One(id, incident_id)).await.unwrap();
        assert_eq!(told.posts.len(), 1);
        assert_eq!(clockwork::once(&self.context()).await.unwrap().mails, 0);
        id
    }
}
