//! The mailbox of `postrider dev`, with mails that came over SMTP and were checked against DNS.

use crate::harness::{App, Post};

const MAIL: &str = "From: Bookings <bookings@postrider.test>\r\n\
    To: =?utf-8?Q?Zo=C3=AB?= <zoe@example.com>\r\n\
    Subject: =?utf-8?Q?Best=C3=A4tigt:_<b>&amp;?=\r\n\
    Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
    Message-ID: <1@postrider.test>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=b1\r\n\r\n\
    --b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nHej Zo\u{eb} <script>\r\n\
    --b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
    <p>Hej Zo\u{eb}</p><script>alert(1)</script>\r\n--b1--\r\n";

async fn with_a_mail() -> (Post, App) {
    let post = Post::start().await;
    post.send_signed("zoe@example.com", MAIL).await;
    let app = App::builder().dev(post.dev()).start().await;
    (post, app)
}

#[tokio::test]
async fn messages_are_listed_newest_first_with_their_verdicts() {
    let (post, app) = with_a_mail().await;
    post.send("jose@example.com", b"From: a@elsewhere.test\r\nSubject: second\r\n\r\nHello\r\n").await;
    let list = app.get("/mailbox/messages").without_key().send().await;
    let tag = list.header("etag").to_owned();
    let list = list.expect(200);
    assert_eq!(list[0]["subject"], "second");
    assert_ne!(list[0]["dmarc"], "pass");
    let first = &list[1];
    for (field, value) in [
        ("from", "bookings@postrider.test"),
        ("to", "zoe@example.com"),
        ("subject", "Bestätigt: <b>&amp;"),
        ("spf", "pass"),
        ("dkim", "pass"),
        ("dmarc", "pass"),
    ] {
        assert_eq!(first[field], value, "{first}");
    }
    assert!(first["id"].is_string() && first["received_at"].is_string());
    let unchanged = app.get("/mailbox/messages").header("if-none-match", &tag).send().await;
    assert_eq!(unchanged.status, 304);
}

#[tokio::test]
async fn a_message_is_shown_as_received_as_html_and_as_text() {
    let (_post, app) = with_a_mail().await;
    let one = app.get("/mailbox/messages/1").without_key().send().await.expect(200);
    assert_eq!(one["id"], "1");

    let raw = app.get("/mailbox/messages/1/raw").without_key().send().await;
    assert_eq!(raw.header("content-type"), "message/rfc822");
    assert!(raw.text().contains("DKIM-Signature:") && raw.text().ends_with(MAIL), "{}", raw.text());

    let html = app.get("/mailbox/messages/1/html").without_key().send().await;
    assert_eq!(
        html.header("content-security-policy"),
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    );
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert!(html.text().contains("<p>Hej Zoë</p>"));

    let text = app.get("/mailbox/messages/1/text").without_key().send().await;
    assert!(text.header("content-type").starts_with("text/plain") && text.text().contains("Hej Zoë <script>"));

    let zone = app.get("/mailbox/zone").without_key().send().await.text();
    assert!(
        zone.contains("postrider.test.") && zone.contains("v=spf1") && !zone.contains('@') && !zone.contains("$ORIGIN")
    );

    for part in ["", "/raw", "/html", "/text"] {
        app.get(&format!("/mailbox/messages/99{part}")).without_key().send().await.problem(404);
    }
}

#[tokio::test]
async fn the_page_shows_the_mail_in_four_ways_and_never_its_markup() {
    let (_post, app) = with_a_mail().await;
    for view in ["html", "text", "source", "verdicts"] {
        let page = app.get(&format!("/mailbox?message=1&view={view}")).without_key().send().await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        let page = page.text();
        assert!(page.contains("Bestätigt: &lt;b&gt;&amp;amp;"), "{page}");
        assert!(!page.contains("alert(1)</script>") && !page.contains("Zoë <script>"), "{view}");
        assert_eq!(page.contains("<iframe sandbox "), view == "html");
    }
    let verdicts = app.get("/mailbox?message=1&view=verdicts").send().await.text();
    assert!(verdicts.contains("bookings@bounce.postrider.test"));
    assert_eq!(app.get("/mailbox?view=sideways").send().await.problem(422), ["view"]);
    let gone = app.get("/mailbox?message=99").send().await;
    assert!(gone.status == 404 && gone.text().contains("This mail is gone"));
    let wide = app.get("/mailbox").send().await.text();
    assert!(wide.contains("1 mail<") && wide.contains("/mailbox/messages/1/html"), "the newest is open");
    for file in ["mailbox.css", "mailbox.js", "icon.svg"] {
        assert_eq!(app.get(&format!("/mailbox/{file}")).send().await.status, 200);
    }
}

#[tokio::test]
async fn an_empty_mailbox_teaches_the_first_command() {
    let post = Post::start().await;
    let app = App::builder().dev(post.dev()).start().await;
    assert_eq!(app.get("/mailbox/messages").send().await.expect(200), serde_json::json!([]));
    let page = app.get("/mailbox").header("host", "localhost:9999").send().await.text();
    assert!(page.contains("examples/booking-confirmed.json") && page.contains("localhost:9999/v1/bookings/"));
}

#[tokio::test]
async fn pictures_that_travel_inside_a_mail_are_shown_and_nothing_else_is() {
    let post = Post::start().await;
    let app = App::builder().dev(post.dev()).start().await;
    let part = |kind: &str, id: &str, body: &str| {
        format!(
            "--r1\r\nContent-Type: {kind}\r\nContent-ID: <{id}>\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
        )
    };
    let message = format!(
        "From: a@postrider.test\r\nTo: zoe@example.com\r\nSubject: A chart\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <1@postrider.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=r1\r\n\r\n\
         --r1\r\nContent-Type: text/html\r\n\r\n<p>cid:chart@x</p><img src=\"cid:chart@x\"><img src=\"cid:evil@x\">\r\n\
         {}{}--r1--\r\n",
        part("image/png", "chart@x", "iVBORw0KGgo="),
        part("image/svg+xml", "evil@x", "PHN2Zz48L3N2Zz4=")
    );
    post.send_signed("zoe@example.com", &message).await;
    let html = app.get("/mailbox/messages/1/html").without_key().send().await.text();
    assert!(html.contains("<img src=\"data:image/png;base64,iVBORw0KGgo=\">"), "{html}");
    assert!(html.contains("<p>cid:chart@x</p>") && html.contains("src=\"cid:evil@x\""), "{html}");
}
