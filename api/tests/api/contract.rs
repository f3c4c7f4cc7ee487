//! The shapes that are relied on from outside: the description and the routes, health, metrics, ids of requests, the server.

use std::collections::BTreeSet;

use axum::http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::harness::{App, Post};

/// What the contract lists and this release has, outside `postrider dev`.
const ROUTES: &[&str] = &[
    "POST /v1/alerts/route",
    "GET /api/v2/alerts",
    "POST /api/v2/alerts",
    "GET /api/v2/alerts/groups",
    "GET /api/v2/silences",
    "POST /api/v2/silences",
    "GET /api/v2/silence/{id}",
    "DELETE /api/v2/silence/{id}",
    "GET /api/v2/status",
    "GET /api/v2/receivers",
    "GET /-/healthy",
    "GET /-/ready",
    "POST /v1/alerts",
    "GET /v1/incidents",
    "GET /v1/incidents/{id}",
    "POST /v1/incidents/{id}/acknowledge",
    "POST /v1/incidents/{id}/resolve",
    "POST /v1/incidents/{id}/comment",
    "GET /v1/silences",
    "POST /v1/silences",
    "GET /v1/silences/{id}",
    "DELETE /v1/silences/{id}",
    "POST /v1/emails",
    "GET /v1/emails/{id}",
    "POST /v1/emails/{id}/cancel",
    "POST /emails",
    "POST /emails/batch",
    "GET /emails/{id}",
    "POST /emails/{id}/cancel",
    "GET /v1/suppressions",
    "POST /v1/suppressions",
    "DELETE /v1/suppressions/{which}",
    "POST /v1/inbound/dsn",
    "DELETE /v1/people/{email}",
    "GET /v1/people/{email}/export",
    "POST /v1/jobs",
    "GET /v1/jobs",
    "POST /v1/jobs/batch",
    "GET /v1/jobs/{id}",
    "POST /v1/jobs/{id}/cancel",
    "POST /v1/jobs/{id}/retry",
    "GET /v1/queues",
    "POST /v1/queues/{name}/pause",
    "POST /v1/queues/{name}/resume",
    "POST /v1/bookings/{id}/events",
    "GET /v1/bookings/{id}",
    "GET /v1/deliveries",
    "GET /v1/deliveries/{id}",
    "GET /v1/domains",
    "GET /v1/domains/{name}",
    "GET /v1/domains/{name}/checks",
    "POST /v1/domains/{name}/check",
    "POST /v1/deliveries/{id}/resend",
    "POST /v1/deliveries/{id}/cancel",
    "POST /v1/deliveries/{id}/resolve",
    "GET /v1/debug/effects",
    "GET /healthz",
    "GET /readyz",
    "GET /openapi.json",
    "GET /docs/",
    "GET /docs",
    "GET /docs/index.html",
    "DELETE /v1/schedules/{name}",
    "GET /v1/schedules",
    "GET /v1/schedules/{name}",
    "GET /v1/schedules/{name}/next",
    "GET /v1/schedules/{name}/ticks",
    "PATCH /v1/schedules/{name}",
    "POST /v1/schedules",
    "POST /v1/schedules/preview",
    "POST /v1/schedules/{name}/backfill",
    "POST /v1/schedules/{name}/cancel-waiting",
    "POST /v1/schedules/{name}/pause",
    "POST /v1/schedules/{name}/resume",
    "POST /v1/schedules/{name}/run",
    "GET /v1/heartbeats",
    "GET /v1/heartbeats/{name}",
    "POST /v1/heartbeats/{name}",
    "DELETE /v1/heartbeats/{name}",
    "GET /search",
    "GET /v1/search/metrics",
    "GET /v1/search/queries",
    "GET /v1/search/subjects/{id}/export",
    "DELETE /v1/search/subjects/{id}",
    "POST /v1/search/events",
];

/// And within it.
const DEV_ROUTES: [&str; 8] = [
    "GET /metrics",
    "GET /mailbox",
    "GET /mailbox/messages",
    "GET /mailbox/messages/{id}",
    "GET /mailbox/messages/{id}/raw",
    "GET /mailbox/messages/{id}/html",
    "GET /mailbox/messages/{id}/text",
    "GET /mailbox/zone",
];

/// Every refusal that can happen to a call stands in its description.
#[tokio::test]
async fn each_call_lists_the_errors_that_it_may_be_answered_with() {
    let app = App::start().await;
    let document = app.get("/openapi.json").without_key().header("host", "localhost").send().await.expect(200);
    let public = ["/healthz", "/readyz", "/-/healthy", "/-/ready", "/openapi.json"];
    let mut calls = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let lists = |status: &str| {
                // Prometheus and amtool read texts.
                if path.starts_with("/api/v2/") {
                    return assert!(responses.contains_key(status), "{method} {path} {status}");
                }
                let problem = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{method} {path} {status}");
            };
            if public.contains(&path.as_str()) {
                assert!(!responses.contains_key("401"), "{path}");
                continue;
            }
            calls += 1;
            ["401", "403", "429", "503"].into_iter().for_each(lists);
            assert!(responses["429"]["headers"]["Retry-After"].is_object(), "{method} {path}");
            if operation["requestBody"].is_object() {
                ["400", "413", "422"].into_iter().for_each(lists);
            }
            let json = operation["requestBody"]["content"]["application/json"].is_object();
            assert_eq!(responses.contains_key("415"), json, "{method} {path}");
        }
    }
    assert!(calls > 40, "{calls}");
    for (path, method) in [
        ("/v1/jobs", "post"),
        ("/v1/emails", "post"),
        ("/emails", "post"),
        ("/v1/bookings/{id}/events", "post"),
        ("/v1/deliveries/{id}/resend", "post"),
        ("/v1/schedules/{name}/run", "post"),
    ] {
        assert!(document["paths"][path][method]["responses"]["409"].is_object(), "{method} {path}");
    }
}

async fn described(app: &App) -> BTreeSet<String> {
    let document = app.get("/openapi.json").without_key().header("host", "localhost").send().await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let mut routes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{method} {path} says what it does");
            assert!(operation["operationId"].is_string());
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    references_lead_somewhere(&document, &document);
    routes
}

fn references_lead_somewhere(part: &serde_json::Value, document: &serde_json::Value) {
    match part {
        serde_json::Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(|r| r.as_str()) {
                assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
            }
            members.values().for_each(|member| references_lead_somewhere(member, document));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| references_lead_somewhere(item, document)),
        _ => {}
    }
}

/// The router's own words: a route that is not there answers with the fallback's problem.
async fn is_routed(app: &App, route: &str) -> bool {
    let (method, path) = route.split_once(' ').unwrap();
    let path = path.replace("{id}", "x").replace("{name}", "x").replace("{which}", "x").replace("{email}", "x");
    let answer = app.call(method.parse().unwrap(), &path).header("host", "localhost").send().await;
    answer.status != 405 && !answer.text().contains("There is nothing at this path")
}

#[tokio::test]
async fn the_description_lists_every_route_and_every_route_it_lists_is_there() {
    let post = Post::start().await;
    for (app, routes) in [
        (App::start().await, ROUTES.to_vec()),
        (App::builder().dev(post.dev()).start().await, [ROUTES, &DEV_ROUTES[..]].concat()),
    ] {
        let described = described(&app).await;
        let pages = ["GET /docs", "GET /docs/", "GET /docs/index.html", "GET /mailbox", "GET /search"];
        let expected: BTreeSet<String> =
            routes.iter().filter(|route| !pages.contains(route)).map(|route| (*route).to_owned()).collect();
        assert_eq!(described, expected);
        for route in routes {
            assert!(is_routed(&app, route).await, "{route}");
        }
    }
    let app = App::start().await;
    for route in DEV_ROUTES {
        assert!(!is_routed(&app, route).await, "{route} exists in dev only");
    }
}

#[tokio::test]
async fn the_docs_page_needs_nothing_from_elsewhere() {
    let app = App::start().await;
    assert_eq!(app.get("/docs").without_key().send().await.header("location"), "/docs/");
    let page = app.get("/docs/").without_key().send().await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.text().contains("http://") && !page.text().contains("https://"), "{}", page.text());
    let set_up = app.get("/docs/swagger-initializer.js").without_key().send().await.text();
    assert!(set_up.contains("/openapi.json"), "{set_up}");
}

#[tokio::test]
async fn figures_are_on_a_listener_of_their_own() {
    let app = App::start().await;
    app.post("/v1/jobs", r#"{"kind":"debug.noop","queue":"default"}"#).send().await.expect(202);
    let private = App { router: api::metrics_router(app.state.clone()), ..App::start().await };
    let figures = private.get("/metrics").without_key().send().await;
    assert_eq!(figures.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        r#"postrider_jobs_enqueued_total{queue="default",kind="debug.noop"}"#,
        r#"postrider_queue_depth{queue="default",state="available"} 1"#,
        r#"postrider_queue_oldest_seconds{queue="default"}"#,
        r#"postrider_http_requests_total{method="POST",route="/v1/jobs",status="202"}"#,
    ] {
        assert!(figures.text().contains(line), "{line}\n{}", figures.text());
    }
    for health in ["/healthz", "/readyz"] {
        private.get(health).without_key().send().await.expect(200);
    }
    private.get("/v1/jobs").send().await.problem(404);
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let app = App::start().await;
    let made = app.get("/healthz").without_key().send().await;
    assert_eq!(made.header("x-request-id").len(), 16);
    let kept = app.get("/v1/jobs").without_key().header("x-request-id", "abc-123").send().await;
    assert_eq!(kept.header("x-request-id"), "abc-123");
    let refused = app.get("/healthz").header("x-request-id", "a b\"").send().await;
    assert_eq!(refused.header("x-request-id").len(), 16);
}

#[tokio::test]
async fn in_dev_a_foreign_host_is_refused_and_the_key_dev_works() {
    let post = Post::start().await;
    let app = App::builder().dev(post.dev()).start().await;
    app.get("/v1/jobs").key("dev").header("host", "localhost:8080").send().await.expect(200);
    app.post("/v1/queues/debug/pause", "").key("dev").send().await.expect(200);
    for path in ["/v1/jobs", "/mailbox/messages", "/healthz"] {
        let refused = app.get(path).key("dev").header("host", "rebound.example.com:8080").send().await;
        assert_eq!(refused.problem(421), ["Host"]);
    }
    assert_eq!(app.get("/").header("host", "127.0.0.1").send().await.header("location"), "/mailbox");
}

#[tokio::test]
async fn the_server_finishes_what_runs_when_it_is_told_to_stop() {
    let app = App::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(api::serve(listener, app.router.clone(), async {
        let _ = stopped.await;
    }));

    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = vec![0; 1_024];
    let n = idle.read(&mut first).await.unwrap();
    assert!(String::from_utf8_lossy(&first[..n]).starts_with("HTTP/1.1 200"));

    let mut half = TcpStream::connect(addr).await.unwrap();
    let body = r#"{"kind":"debug.noop"}"#;
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        app.key,
        body.len()
    );
    half.write_all(head.as_bytes()).await.unwrap();
    // Once it asks for the body, the request runs.
    let n = half.read(&mut first).await.unwrap();
    assert!(String::from_utf8_lossy(&first[..n]).starts_with("HTTP/1.1 100"));
    stop.send(()).unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "an idle connection is closed");
    half.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn who_sends_too_much_or_without_a_key_gets_to_see_the_refusal() {
    let app = App::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(api::serve(listener, app.router.clone(), std::future::pending()));
    let body = vec![b'x'; 10 << 20];
    for (path, key, status) in [
        ("/v1/jobs", app.key.as_str(), "413"),
        ("/v1/jobs/batch", app.key.as_str(), "413"),
        ("/v1/jobs", "wrong", "401"),
        ("/v1/nothing", "wrong", "404"),
    ] {
        let mut client = TcpStream::connect(addr).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&body).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    serving.abort();
}

#[tokio::test]
async fn head_and_options_are_answered() {
    let app = App::start().await;
    let head = app.call(Method::HEAD, "/healthz").send().await;
    assert!(head.status == 200 && head.bytes.is_empty());
    app.call(Method::OPTIONS, "/v1/jobs").send().await.problem(405);
}
