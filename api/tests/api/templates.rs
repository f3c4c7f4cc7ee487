//! The templates in the mailbox of `postrider dev`.

use crate::harness::{App, Post};

const ALL: &str = "/mailbox/templates";

async fn dev() -> (Post, App) {
    let post = Post::start().await;
    let app = App::builder().dev(post.dev()).start().await;
    (post, app)
}

#[tokio::test]
async fn all_templates_are_listed_and_one_is_shown() {
    let (_post, app) = dev().await;
    let page = app.get(ALL).without_key().send().await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let page = page.text();
    for name in mail::Renderer::new(None).unwrap().names() {
        assert!(page.contains(&format!("?template={name}\"")), "{name} is not listed");
    }
    assert!(page.contains("<iframe sandbox ") && page.contains("/mailbox/templates/alert_digest/html"));
    assert!(app.get("/mailbox").send().await.text().contains("href=\"/mailbox/templates\""));
}

#[tokio::test]
async fn a_template_is_shown_in_four_ways_and_in_its_languages() {
    let (_post, app) = dev().await;
    let german = format!("{ALL}?template=booking_reminder_student&locale=de-AT");
    for (view, shown) in [
        ("html", "/mailbox/templates/booking_reminder_student/html?locale=de\""),
        ("phone", "class=\"phone\""),
        ("text", "Mit: Jürgen Müller"),
        ("data", "&quot;relative&quot;: &quot;morgen&quot;"),
    ] {
        let page = app.get(&format!("{german}&view={view}")).send().await.text();
        assert!(page.contains(shown), "{view}: {page}");
        assert!(page.contains("Erinnerung: "), "{view}: the subject is the title");
        assert!(
            page.contains("<html lang=\"en\">") && !page.contains("class=\"slot\""),
            "{view}: no markup of the mail"
        );
    }
    assert_eq!(app.get(&format!("{ALL}?view=sideways")).send().await.problem(422), ["view"]);
    assert_eq!(app.get(&format!("{ALL}?locale=x")).send().await.problem(422), ["locale"]);
    app.get(&format!("{ALL}?template=nothing")).send().await.problem(404);
}

#[tokio::test]
async fn the_html_of_a_template_may_load_and_run_nothing() {
    let (_post, app) = dev().await;
    let html = app.get(&format!("{ALL}/search_report/html")).without_key().send().await;
    assert_eq!(
        html.header("content-security-policy"),
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    );
    let html = html.text();
    assert!(html.contains("src=\"data:image/png;base64,") && !html.contains("cid:"));
    app.get(&format!("{ALL}/nothing/html")).send().await.problem(404);
}

#[tokio::test]
async fn outside_development_there_are_none() {
    let app = App::builder().start().await;
    app.get(ALL).send().await.problem(404);
    app.get(&format!("{ALL}/welcome/html")).send().await.problem(404);
}
