//! Mail of callers and the people who get it, end to end: `postrider dev`, and an API whose queue is a real Redis.
//!
//! What a caller has sealed is nowhere to be read but in the mail itself: not in the store's files, not in Redis's, not in
//! the log, not in any listing.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Process, ProcessBuilder, Redis, free_port, janitor, wait_for};

const SOON: Duration = Duration::from_secs(30);
/// A text that must not be found.
const CANARY: &str = "canary-7d1f0a5b93c24e68";

struct Town {
    http: Client,
    base: String,
    dir: std::path::PathBuf,
    dev: Process,
}

impl Town {
    async fn open(env: &[(&str, &str)]) -> Self {
        let (dir, port) = (janitor::scratch_dir("people"), free_port());
        let mut builder = ProcessBuilder::new("dev", env!("CARGO_BIN_EXE_postrider"))
            .args(["dev", "--port", &port.to_string(), "--data", "data"])
            .env("POSTRIDER__TELEMETRY__LEVEL", "debug")
            .env("POSTRIDER__API__PUBLIC_URL", format!("http://127.0.0.1:{port}"))
            .dir(&dir);
        for (name, value) in env {
            builder = builder.env(*name, *value);
        }
        let mut dev = builder.spawn();
        dev.ready(port, "/readyz", SOON).await;
        let http = Client::builder().no_proxy().build().unwrap();
        Self { http, base: format!("http://127.0.0.1:{port}"), dir, dev }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut call = self.http.request(method, format!("{}{path}", self.base)).bearer_auth("dev");
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The raw mails in the mailbox to `address`, newest first, once there are `count`.
    async fn mails(&self, address: &str, count: usize) -> Vec<String> {
        let found = wait_for("the mails in the mailbox", SOON, async || {
            let all = self.get("/mailbox/messages").await;
            let ids: Vec<String> =
                all.as_array().unwrap().iter().filter(|mail| mail["to"] == address).map(text_id).collect();
            (ids.len() >= count).then_some(ids)
        })
        .await;
        assert_eq!(found.len(), count, "mails to {address}");
        let mut mails = Vec::new();
        for id in found {
            let raw = self.http.get(format!("{}/mailbox/messages/{id}/raw", self.base)).send().await.unwrap();
            mails.push(raw.text().await.unwrap());
        }
        mails
    }

    /// Waits until the delivery is in `state`.
    async fn reaches(&self, id: &str, state: &str) -> Value {
        wait_for(&format!("the delivery to be {state}"), SOON, async || {
            let delivery = self.get(&format!("/v1/deliveries/{id}")).await;
            (delivery["state"] == state).then_some(delivery)
        })
        .await
    }
}

fn text_id(mail: &Value) -> String {
    mail["id"].as_str().unwrap().to_owned()
}

/// Every file below `dir` that holds `needle`.
fn holding(dir: &Path, needle: &[u8], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, needle, found);
        } else if std::fs::read(&path).unwrap_or_default().windows(needle.len()).any(|window| window == needle) {
            found.push(path.display().to_string());
        }
    }
}

fn header(raw: &str, name: &str) -> Option<String> {
    let unfolded = raw.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_seals_is_in_the_mail_and_nowhere_else() {
    let town = Town::open(&[]).await;
    let email = json!({
        "from": "Security <security@postrider.test>",
        "to": ["Ana <ana@people.example>", "ben@people.example"],
        "bcc": "cleo@people.example",
        "subject": "Your link",
        "text": format!("Reset: https://shop.example/reset?token={CANARY}"),
        "html": format!("<p><a href=\"https://shop.example/reset?token={CANARY}\">Reset</a></p>"),
        "attachments": [{"filename": "code.txt", "content": "Y2FuYXJ5LTdkMWYwYTViOTNjMjRlNjg="}],
        "tags": {"flow": "reset"},
    });
    let (status, accepted) = town.post("/v1/emails", &email).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let deliveries: Vec<&str> =
        accepted["deliveries"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap()).collect();
    assert_eq!(deliveries.len(), 3);
    for (who, count) in [("ana@people.example", 1), ("ben@people.example", 1), ("cleo@people.example", 1)] {
        let raw = town.mails(who, count).await.remove(0);
        assert!(raw.replace("=\r\n", "").contains(CANARY), "{raw}");
        let to = header(&raw, "To").unwrap();
        assert!(to.contains("ana@people.example") && to.contains("ben@people.example"), "{to}");
        assert!(!raw.contains("cleo@people.example"), "Bcc is never shown: {raw}");
        assert!(header(&raw, "List-Unsubscribe").is_none(), "only reports can be unsubscribed from");
    }
    // A template of ours, filled with a token.
    let sample: Value =
        serde_json::from_str(include_str!("../../email_templates/booking_confirmed_student/sample.json")).unwrap();
    let mut data = sample;
    data["service"] = CANARY.into();
    let filled =
        json!({"from": "bookings", "to": "dan@people.example", "template": "booking_confirmed_student", "data": data});
    let (status, second) = town.post("/v1/emails", &filled).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{second}");
    assert!(town.mails("dan@people.example", 1).await.remove(0).replace("=\r\n", "").contains(CANARY));
    // One that fails for good, and one that waits: neither tells.
    let later = json!({"from": "hello", "to": "eve@people.example", "subject": "Later", "text": CANARY,
        "send_at": "2099-01-01T00:00:00Z"});
    let (status, refused) = town.post("/v1/emails", &later).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert_eq!(refused["errors"][0]["field"], "send_at");

    let id = accepted["id"].as_str().unwrap();
    town.reaches(deliveries[0], "sent").await;
    let mut told = vec![accepted.to_string(), town.dev.log()];
    for path in [
        "/v1/deliveries".to_owned(),
        format!("/v1/deliveries/{}", deliveries[0]),
        format!("/v1/emails/{id}"),
        format!("/emails/{id}"),
        "/v1/jobs?queue=emails".to_owned(),
        "/metrics".to_owned(),
    ] {
        told.push(town.get(&path).await.to_string());
    }
    for text in told {
        assert!(!text.contains(CANARY), "{text}");
    }
    let mut found = Vec::new();
    holding(&town.dir, CANARY.as_bytes(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_redis_there_is_nothing_to_be_read_either() {
    let (dir, port, redis) = (janitor::scratch_dir("people"), free_port(), Redis::with_aof().await);
    let store = format!("sqlite:{}", dir.join("store.db").display());
    let of = |name: &str, args: &[&str]| {
        ProcessBuilder::new(name, env!("CARGO_BIN_EXE_postrider"))
            .args(args)
            .env("POSTRIDER__QUEUE__URL", redis.url())
            .env("POSTRIDER__STORE__URL", &store)
            .env("POSTRIDER__MAIL__DOMAIN", "postrider.test")
            .env("POSTRIDER__SECRETS__KEYS__K1", "0123456789abcdef".repeat(4))
            .env("POSTRIDER__API__LISTEN", format!("127.0.0.1:{port}"))
            .env("POSTRIDER__API__METRICS_LISTEN", format!("127.0.0.1:{}", free_port()))
            .dir(&dir)
    };
    let mut api = of("api", &["api"]).spawn();
    api.ready(port, "/readyz", SOON).await;
    let mut keys = of("keys", &["keys", "create", "test", "--scope", "emails:write", "--json"]).spawn();
    assert!(keys.wait(SOON).await.success(), "{}", keys.log());
    let log = keys.log();
    let answer: Value = log.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| panic!("{log}"));

    let mail = json!({"from": "security", "to": "ana@people.example", "subject": CANARY, "text": CANARY});
    let call = Client::builder().no_proxy().build().unwrap().post(format!("http://127.0.0.1:{port}/v1/emails"));
    let accepted = call.bearer_auth(answer["secret"].as_str().unwrap()).json(&mail).send().await.unwrap();
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    let kept: Vec<String> = redis.ask(&["CONFIG", "GET", "dir"]).await;
    // Redis may answer before it writes; that the job is there tells that this looks in the right place.
    testkit::wait_until("the job is in Redis's file", SOON, async || {
        let mut found = Vec::new();
        holding(Path::new(&kept[1]), b"email.send", &mut found);
        !found.is_empty()
    })
    .await;
    let mut found = Vec::new();
    holding(Path::new(&kept[1]), CANARY.as_bytes(), &mut found);
    holding(&dir, CANARY.as_bytes(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_can_be_unsubscribed_from_and_bookings_still_come() {
    let town = Town::open(&[]).await;
    let report =
        json!({"from": "hello", "to": "ana@people.example", "subject": "Figures", "text": "42", "category": "report"});
    town.post("/v1/emails", &report).await;
    let raw = town.mails("ana@people.example", 1).await.remove(0);
    assert_eq!(header(&raw, "List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    let link = header(&raw, "List-Unsubscribe").unwrap();
    let link = link.trim_matches(['<', '>']);
    let signed = header(&raw, "DKIM-Signature").unwrap();
    assert!(signed.contains("List-Unsubscribe:") || signed.to_lowercase().contains("list-unsubscribe"), "{signed}");

    let page = town.http.get(link).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains("a***@people.example") && page.contains("Unsubscribe"), "{page}");
    assert_eq!(town.get("/v1/suppressions").await["items"], json!([]), "looking changes nothing");
    let forged = town.http.get(link.replace("/unsubscribe/", "/unsubscribe/x")).send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::NOT_FOUND);

    let body = "List-Unsubscribe=One-Click";
    let clicked = town
        .http
        .post(link)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(clicked.status(), StatusCode::OK);
    assert!(clicked.text().await.unwrap().contains("You are unsubscribed"));
    let listed = town.get("/v1/suppressions").await;
    assert_eq!(
        (&listed["items"][0]["covers"], &listed["items"][0]["reason"]),
        (&json!("report"), &json!("unsubscribe"))
    );

    let (_, second) = town.post("/v1/emails", &report).await;
    let id = second["deliveries"][0]["id"].as_str().unwrap();
    let held = town.reaches(id, "suppressed").await;
    assert!(held["attempts"][0]["text"].as_str().unwrap().contains("unsubscribed from reports"), "{held}");
    let booking = json!({"from": "bookings", "to": "ana@people.example", "subject": "Your lesson", "text": "at nine"});
    town.post("/v1/emails", &booking).await;
    town.mails("ana@people.example", 2).await;

    // Taken back on the page, what was held goes out.
    let undone = town
        .http
        .delete(format!("{}/v1/suppressions/ana@people.example", town.base))
        .bearer_auth("dev")
        .send()
        .await
        .unwrap();
    assert_eq!(undone.status(), StatusCode::OK);
    assert_eq!(undone.json::<Value>().await.unwrap()["released"], json!([id]));
    town.reaches(id, "sent").await;
    town.mails("ana@people.example", 3).await;
    for (body, says) in
        [("List-Unsubscribe=One-Click", "You are unsubscribed"), ("action=undo", "You will get reports again")]
    {
        let form = town.http.post(link).header("content-type", "application/x-www-form-urlencoded").body(body);
        let page = form.send().await.unwrap().text().await.unwrap();
        assert!(page.contains(says), "{page}");
    }
    assert_eq!(town.get("/v1/suppressions").await["items"], json!([]));
}

/// The MAIL FROM of the newest mail, which is that of this delivery: it stands on its page in the mailbox.
async fn envelope_sender(town: &Town, delivery: &str) -> String {
    let all = town.get("/mailbox/messages").await;
    let url = format!("{}/mailbox?view=verdicts&message={}", town.base, all[0]["id"].as_str().unwrap());
    let page = town.http.get(url).send().await.unwrap().text().await.unwrap();
    let start = page.find(&format!("bounces+{}.", delivery.replace('-', ""))).unwrap_or_else(|| panic!("{page}"));
    page[start..].chars().take_while(|c| !"<>&\" ".contains(*c)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounce_suppresses_only_whom_it_proves() {
    let town = Town::open(&[]).await;
    let mail = json!({"from": "hello", "to": "ana@people.example", "subject": "Hi", "text": "Hi"});
    let (_, accepted) = town.post("/v1/emails", &mail).await;
    let id = accepted["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let raw = town.mails("ana@people.example", 1).await.remove(0);
    let from = envelope_sender(&town, &id).await;
    town.reaches(&id, "sent").await;

    let dsn = |to: &str, recipient: &str, status: &str| {
        format!(
            "From: MAILER-DAEMON@mx.example\r\nTo: <{to}>\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
             Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; 550 {status} no such user\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
             Message-ID: {}\r\nSubject: Hi\r\n\r\nHi\r\n--b--\r\n",
            header(&raw, "Message-ID").unwrap()
        )
    };
    let hand_in = async |raw: String| {
        let call = town.http.post(format!("{}/v1/inbound/dsn", town.base)).bearer_auth("dev");
        let answer = call.header("content-type", "message/rfc822").body(raw).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{body}");
        (body["verified"] == true, body["recorded"] == true, body["suppressed"] == true)
    };
    let mut forged = from.clone();
    let digit = if forged.contains(".0") { ".1" } else { ".0" };
    let dot = forged.find('.').unwrap();
    forged.replace_range(dot..dot + 2, digit);
    assert_eq!(
        hand_in(dsn(&forged, "ana@people.example", "5.1.1")).await,
        (false, true, false),
        "a Message-ID proves nothing"
    );
    assert_eq!(
        hand_in(dsn(&from, "ana@people.example", "5.7.26")).await,
        (true, true, false),
        "a policy is no bad address"
    );
    assert_eq!(
        hand_in(dsn(&from, "ben@people.example", "5.1.1")).await,
        (true, true, false),
        "somebody else's address"
    );
    assert_eq!(hand_in(dsn(&from, "Ana@people.example", "5.1.1")).await, (true, true, true));
    assert_eq!(hand_in(dsn(&from, "Ana@people.example", "5.1.1")).await, (true, false, false), "once");
    let listed = town.get("/v1/suppressions?address=ana@people.example").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["reason"], "hard_bounce");
    let history = town.get(&format!("/v1/deliveries/{id}")).await;
    let events: Vec<&Value> = history["events"].as_array().unwrap().iter().map(|event| &event["verified"]).collect();
    assert_eq!(events, [&json!(false), &json!(true), &json!(true), &json!(true)]);
    // A complaint, about another mail.
    let mail = json!({"from": "hello", "to": "ben@people.example", "subject": "Hi", "text": "Hi"});
    let (_, accepted) = town.post("/v1/emails", &mail).await;
    let other = accepted["deliveries"][0]["id"].as_str().unwrap().to_owned();
    town.reaches(&other, "sent").await;
    let from = envelope_sender(&town, &other).await;
    let arf = |kind: &str| {
        format!(
            "From: fbl@mx.example\r\nTo: fbl@postrider.test\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: x/1\r\nVersion: 1\r\n\
         Original-Mail-From: <{from}>\r\nOriginal-Rcpt-To: <ben@people.example>\r\n--b--\r\n"
        )
    };
    assert_eq!(hand_in(arf("auth-failure")).await, (true, true, false), "a machine says so, and of the mail");
    assert_eq!(hand_in(arf("abuse")).await, (true, true, true));
    let listed = town.get("/v1/suppressions?address=ben@people.example").await;
    assert_eq!(listed["items"][0]["reason"], "complaint");
    let (status, refused) = town.post("/v1/inbound/dsn", &json!({})).await;
    assert_eq!((status, &refused["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("body")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_installation_writes_to_nobody_real_and_says_so() {
    let env = [
        ("POSTRIDER__MAIL__ALLOW_RECIPIENTS", "*@team.example"),
        ("POSTRIDER__MAIL__REDIRECT_TO", "staging@team.example"),
    ];
    let town = Town::open(&env).await;
    for to in ["real@people.example", "me@team.example"] {
        let mail = json!({"from": "hello", "to": to, "subject": "Hi", "text": "Hi"});
        let (status, accepted) = town.post("/v1/emails", &mail).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
        let delivery = town.reaches(accepted["deliveries"][0]["id"].as_str().unwrap(), "sent").await;
        let events = delivery["events"].as_array().unwrap();
        match to {
            "me@team.example" => assert!(events.is_empty(), "{delivery}"),
            _ => assert!(events[0]["text"].as_str().unwrap().contains("staging@team.example"), "{delivery}"),
        }
    }
    let all = town.get("/mailbox/messages").await;
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    assert!(!all.to_string().contains("\"to\":\"real@people.example\""), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_exported_and_erased_and_still_not_written_to() {
    let town = Town::open(&[]).await;
    let mut booking: Value = serde_json::from_str(include_str!("../../examples/booking-confirmed.json")).unwrap();
    booking["booking"]["student"]["email"] = "zoe@people.example".into();
    let (status, _) = town.post("/v1/bookings/bk_7/events", &booking).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    town.mails("zoe@people.example", 1).await;
    let name = booking["booking"]["student"]["name"].as_str().unwrap().to_owned();
    let note =
        json!({"from": "hello", "to": ["zoe@people.example", "ben@people.example"], "subject": "Both", "text": "Hi"});
    let (_, email) = town.post("/v1/emails", &note).await;
    town.mails("zoe@people.example", 2).await;
    town.post("/v1/suppressions", &json!({"address": "zoe@people.example"})).await;
    for delivery in email["deliveries"].as_array().unwrap() {
        town.reaches(delivery["id"].as_str().unwrap(), "sent").await;
    }

    let kept = town.get("/v1/people/Zoe@people.example/export").await;
    assert_eq!(kept["bookings"][0]["id"], "bk_7");
    assert_eq!(kept["mails"].as_array().unwrap().len(), 2);
    assert_eq!(kept["emails"][0]["content"]["body"]["given"]["text"], "Hi");
    assert_eq!(kept["suppressions"].as_array().unwrap().len(), 1);

    let (status, erased) = town.call(Method::DELETE, "/v1/people/zoe@people.example", None).await;
    assert_eq!(status, StatusCode::OK, "{erased}");
    assert_eq!(
        (&erased["bookings"], &erased["deliveries"], &erased["suppressions"]),
        (&json!(1), &json!(2), &json!(1))
    );
    let after = [
        town.get("/v1/people/zoe@people.example/export").await,
        town.get("/v1/bookings/bk_7").await,
        town.get("/v1/deliveries").await,
        town.get(&format!("/v1/emails/{}", email["id"].as_str().unwrap())).await,
        town.get("/v1/suppressions").await,
    ];
    for listing in &after[1..] {
        let listing = listing.to_string();
        assert!(!listing.contains("zoe@people.example") && !listing.contains(&name), "{listing}");
    }
    assert_eq!(after[0]["mails"], json!([]));
    // The same event once more is known, and a new mail to the address is held by its hash.
    let (status, again) = town.post("/v1/bookings/bk_7/events", &booking).await;
    assert_eq!((status, &again["duplicate"]), (StatusCode::OK, &json!(true)), "{again}");
    let (_, email) = town
        .post("/v1/emails", &json!({"from": "hello", "to": "zoe@people.example", "subject": "Hi", "text": "Hi"}))
        .await;
    town.reaches(email["deliveries"][0]["id"].as_str().unwrap(), "suppressed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shapes_of_resend_are_answered_as_its_sdk_reads_them() {
    let town = Town::open(&[]).await;
    let mail = json!({"from": "Acme <hello@postrider.test>", "to": "ana@people.example", "subject": "Hi", "html": "<p>Hi <b>Ana</b></p>",
        "tags": [{"name": "flow", "value": "welcome"}]});
    let call = || town.http.post(format!("{}/emails", town.base)).bearer_auth("dev").header("Idempotency-Key", "k1");
    let first: Value = call().json(&mail).send().await.unwrap().json().await.unwrap();
    let again: Value = call().json(&mail).send().await.unwrap().json().await.unwrap();
    assert!(first["id"].is_string(), "{first}");
    assert_eq!(again, first);
    let other = call()
        .json(&json!({"from": "hello", "to": "x@people.example", "subject": "Hi", "text": "x"}))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), StatusCode::CONFLICT);
    let other: Value = other.json().await.unwrap();
    assert_eq!((&other["name"], &other["statusCode"]), (&json!("invalid_idempotent_request"), &json!(409)));
    let raw = town.mails("ana@people.example", 1).await.remove(0);
    assert!(raw.contains("Hi **Ana**") || raw.contains("Hi Ana"), "the text is made from the HTML: {raw}");

    let id = first["id"].as_str().unwrap();
    let sent = wait_for("it to be sent", SOON, async || {
        let email = town.get(&format!("/emails/{id}")).await;
        (email["last_event"] == "sent").then_some(email)
    })
    .await;
    assert_eq!(
        (&sent["object"], &sent["subject"], &sent["to"]),
        (&json!("email"), &json!("Hi"), &json!(["ana@people.example"]))
    );
    let batch = json!([
        {"from": "hello@postrider.test", "to": ["b1@people.example"], "subject": "1", "text": "1"},
        {"from": "hello@postrider.test", "to": ["b2@people.example"], "subject": "2", "text": "2", "scheduled_at": "in 1 hour"},
    ]);
    let (status, ids) = town.post("/emails/batch", &batch).await;
    assert_eq!((status, ids["data"].as_array().map(Vec::len)), (StatusCode::OK, Some(2)), "{ids}");
    town.mails("b1@people.example", 1).await;
    let waiting = ids["data"][1]["id"].as_str().unwrap();
    assert_eq!(town.get(&format!("/emails/{waiting}")).await["last_event"], "scheduled");
    let (status, cancelled) = town.call(Method::POST, &format!("/emails/{waiting}/cancel"), None).await;
    assert_eq!((status, &cancelled), (StatusCode::OK, &json!({"object": "email", "id": waiting})));
    assert_eq!(town.get(&format!("/emails/{waiting}")).await["last_event"], "canceled");
    let bad = json!([{"from": "hello", "to": "a@b.example", "subject": "x", "text": "x"}, {"from": "who@else.example", "to": "a@b.example"}]);
    let (status, refused) = town.post("/emails/batch", &bad).await;
    assert_eq!((status, &refused["name"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("validation_error")));
    let fields: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["[1].from", "[1].subject", "[1].text"], "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_whose_address_is_beyond_ascii_is_written_to_found_and_erased() {
    const READER: &str = "jürgen@people.example";
    let town = Town::open(&[]).await;
    let mail = json!({"from": "hello", "to": ["Jürgen <ju\u{308}rgen@People.example>", "ben@people.example"],
        "subject": "Für alle", "text": "Grüße"});
    let (status, accepted) = town.post("/v1/emails", &mail).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let theirs = town.mails(READER, 1).await.remove(0);
    assert!(header(&theirs, "To").unwrap().contains(&format!("<{READER}>")), "{theirs}");
    let bens = town.mails("ben@people.example", 1).await.remove(0);
    let shown = header(&bens, "To").unwrap();
    assert!(shown.is_ascii() && shown.contains("ben@people.example") && shown.contains(":;"), "{shown}");
    let caught = town.get("/mailbox/messages").await;
    for mail in caught.as_array().unwrap() {
        assert_eq!(
            (&mail["spf"], &mail["dkim"], &mail["dmarc"]),
            (&"pass".into(), &"pass".into(), &"pass".into()),
            "{mail}"
        );
    }
    let person = "/v1/people/J%C3%9CRGEN%40people.example";
    assert_eq!(town.get(&format!("{person}/export")).await["mails"].as_array().unwrap().len(), 1);
    let (status, erased) = town.call(Method::DELETE, person, None).await;
    assert_eq!((status, &erased["deliveries"]), (StatusCode::OK, &json!(1)), "{erased}");
    assert_eq!(town.get(&format!("{person}/export")).await["mails"], json!([]));
    let (_, kept) = town.call(Method::GET, &format!("/v1/emails/{}", accepted["id"].as_str().unwrap()), None).await;
    assert!(!kept.to_string().contains("rgen"), "{kept}");
    // Said by who reads the log: nobody's address stands in it.
    assert!(!town.dev.log().contains(READER), "{}", town.dev.log());
}
