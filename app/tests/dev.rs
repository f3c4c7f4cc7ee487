//! `postrider dev`, as a newcomer meets it: one process, one booking over HTTP, two mails in the mailbox.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;
use testkit::{ProcessBuilder, Signal, free_port, janitor, wait_for, wait_until};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_booking_becomes_two_genuine_mails_and_the_same_call_again_no_third() {
    let (dir, port) = (janitor::scratch_dir("dev"), free_port());
    let mut dev = ProcessBuilder::new("dev", env!("CARGO_BIN_EXE_postrider"))
        .args(["dev", "--port", &port.to_string(), "--data", "data"])
        .dir(&dir)
        // Nothing is done by itself meanwhile: what is in the queues is this test's.
        .env("POSTRIDER__SCHEDULES__HEARTBEAT__ENABLED", "false")
        .env("POSTRIDER__SCHEDULES__REMINDERS__ENABLED", "false")
        .env("POSTRIDER__SCHEDULES__RECONCILE__ENABLED", "false")
        .env("POSTRIDER__SCHEDULES__DOMAINS__ENABLED", "false")
        .spawn();
    dev.ready(port, "/readyz", SOON).await;

    let http = Client::builder().no_proxy().build().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let booking: Value = serde_json::from_str(include_str!("../../examples/booking-confirmed.json")).unwrap();
    let confirm = async || {
        let call = http.post(format!("{base}/v1/bookings/bk_1001/events")).bearer_auth("dev").json(&booking);
        let answer = call.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let mailbox = async || {
        let list = http.get(format!("{base}/mailbox/messages")).send().await.unwrap();
        list.json::<Vec<Value>>().await.unwrap()
    };

    let (status, accepted) = confirm().await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    assert!(accepted["id"].is_string(), "{accepted}");
    let mails = wait_for("both mails are in the mailbox", SOON, async || {
        let mails = mailbox().await;
        (mails.len() >= 2).then_some(mails)
    })
    .await;
    let mut to: Vec<&str> = mails.iter().filter_map(|mail| mail["to"].as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["jose.alvarez@example.com", "zoe.lindstrom@example.com"]);
    for mail in &mails {
        for check in ["spf", "dkim", "dmarc"] {
            assert_eq!(mail[check], "pass", "{check} of {mail}");
        }
    }

    let (status, again) = confirm().await;
    assert_eq!((status, &again["duplicate"], &again["id"]), (StatusCode::OK, &true.into(), &accepted["id"]));
    let job = format!("{base}/v1/jobs/{}", accepted["id"].as_str().unwrap());
    wait_until("nothing is left to do", SOON, async || {
        let seen: Value = http.get(&job).bearer_auth("dev").send().await.unwrap().json().await.unwrap();
        let queues: Value =
            http.get(format!("{base}/v1/queues")).bearer_auth("dev").send().await.unwrap().json().await.unwrap();
        let open = |queue: &Value| {
            ["scheduled", "available", "running"].iter().any(|state| queue["counts"][state].as_u64() != Some(0))
        };
        seen["state"] == "completed" && !queues["items"].as_array().unwrap().iter().any(open)
    })
    .await;
    assert_eq!(mailbox().await.len(), 2);

    dev.signal(Signal::Term);
    assert_eq!(dev.wait(SOON).await.code(), Some(0), "{}", dev.log());
}

#[tokio::test]
async fn links_in_mails_lead_to_the_port_that_it_listens_on() {
    let (dir, port) = (janitor::scratch_dir("dev"), free_port());
    let mut dev = ProcessBuilder::new("dev", env!("CARGO_BIN_EXE_postrider"))
        .args(["dev", "--port", &port.to_string(), "--data", "data"])
        .dir(&dir)
        .env("POSTRIDER__ALERTS__EMAIL", "ops@example.com")
        .env("POSTRIDER__ALERTS__GROUP_WAIT", "0s")
        .spawn();
    dev.ready(port, "/readyz", SOON).await;
    let http = Client::builder().no_proxy().build().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let alert = serde_json::json!({"type": "db.down", "severity": "critical", "title": "The database is down"});
    let call = http.post(format!("{base}/v1/alerts")).bearer_auth("dev").json(&alert);
    assert!(call.send().await.unwrap().status().is_success());
    let mail = wait_for("the mail is in the mailbox", SOON, async || {
        let list = http.get(format!("{base}/mailbox/messages")).send().await.unwrap();
        list.json::<Vec<Value>>().await.unwrap().into_iter().find(|mail| mail["to"] == "ops@example.com")
    })
    .await;
    let raw = http.get(format!("{base}/mailbox/messages/{}/raw", mail["id"].as_str().unwrap()));
    let raw = raw.send().await.unwrap().text().await.unwrap().replace("=\r\n", "");
    assert!(raw.contains(&format!("{base}/")) && !raw.contains(":8080"), "{raw}");
    dev.signal(Signal::Term);
    assert_eq!(dev.wait(SOON).await.code(), Some(0), "{}", dev.log());
}
