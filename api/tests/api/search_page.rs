//! `/search`: who may look, what it refuses, and that what people typed is text in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use store::Scope;

use crate::harness::{App, Post, new_key};

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn in_development_it_is_open_and_says_that_there_is_nothing() {
    let post = Post::start().await;
    let app = App::builder().dev(post.dev()).start().await;
    let page = app.get("/search").without_key().send().await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let html = page.text();
    assert!(html.contains("No search was recorded in this time") && html.contains("href=\"/mailbox\""), "{html}");
    assert!(!html.contains("<script") && !html.contains(" style=") && !html.contains("http://www.g"), "{html}");
    assert_eq!(html.matches("<svg").count(), 6);
    for (path, kind) in [("/search/search.css", "text/css; charset=utf-8"), ("/search/icon.svg", "image/svg+xml")] {
        assert_eq!(app.get(path).without_key().send().await.header("content-type"), kind);
    }
}

#[tokio::test]
async fn elsewhere_a_browser_is_asked_for_a_key() {
    let app = App::start().await;
    let asked = app.get("/search").without_key().send().await;
    assert_eq!(asked.status, 401);
    assert!(asked.header("www-authenticate").starts_with("Basic realm=\"Postrider"), "{:?}", asked.headers);
    let reads = new_key(&app.store, &[Scope::JobsRead], None).await;
    let other = new_key(&app.store, &[Scope::BookingsWrite], None).await;
    let status = async |password: &str| {
        let call = app.get("/search").without_key().header("authorization", &basic("anybody", password));
        call.send().await.status.as_u16()
    };
    assert_eq!(status(&reads).await, 200);
    assert_eq!(status(&other).await, 403);
    assert_eq!(status("wrong").await, 401);
    assert_eq!(app.get("/search").key(&reads).send().await.status, 200);
    let page = app.get("/search").key(&reads).send().await.text();
    assert!(!page.contains("/mailbox"), "there is no mailbox here");
}

#[tokio::test]
async fn a_key_that_is_given_as_a_password_changes_nothing() {
    let app = App::start().await;
    let call = app.post("/v1/queues/default/pause", "").without_key().header("authorization", &basic("x", &app.key));
    call.send().await.problem(401);
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let app = App::start().await;
    for (query, field) in [
        ("period=1y", "period"),
        ("from=2026-11-01", "to"),
        ("to=2026-11-01", "from"),
        ("from=2026-11-02&to=2026-11-01", "to"),
        ("from=2020-01-01&to=2026-11-01", "to"),
        ("from=soon&to=2026-11-01", "from"),
        ("period=7d&from=2026-11-01&to=2026-11-02", "period"),
        ("sort=best", "sort"),
        ("kind=a%0Ab", "kind"),
        ("kind=%00", "kind"),
        ("kind=%3Cscript%3E", "kind"),
        ("device=fridge", "device"),
        ("from=-005000-01-01&to=-005000-01-02", "from"),
        ("from=9999-12-30&to=9999-12-31", "from"),
        ("colour=red", "colour"),
    ] {
        assert_eq!(app.get(&format!("/search?{query}")).send().await.problem(422), [field], "{query}");
    }
    let hint = app.get("/search?from=soon&to=2026-11-01").send().await.text();
    assert!(hint.contains("a date such as 2026-11-25"), "{hint}");
}
