//! `dev --demo`: a day of a marketplace, and the mails that come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use testkit::{free_port, wait_for};

use crate::harness::Place;

/// The day takes a minute, on a machine with other things to do a little longer.
const PATIENCE: Duration = Duration::from_secs(150);

/// What was caught and what the ledger says of it.
struct Day {
    http: Client,
    at: String,
}

impl Day {
    async fn get(&self, path: &str) -> reqwest::Response {
        let answer = self.http.get(format!("{}{path}", self.at)).bearer_auth("dev").send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// The mails of the day's bookings that the ledger calls sent: template by id.
    async fn sent(&self) -> BTreeMap<String, String> {
        let mut sent = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let page = self.json(&format!("/v1/deliveries?state=sent&limit=500{cursor}")).await;
            for mail in page["items"].as_array().unwrap() {
                let text = |field: &str| mail[field].as_str().unwrap().to_owned();
                sent.insert(text("id"), text("template"));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return sent,
            }
        }
    }
}

#[tokio::test]
async fn a_day_in_a_minute_is_seen_in_the_mailbox_each_mail_once_and_genuine() {
    let place = Place::sqlite().without_urls();
    let port = free_port();
    let mut dev = place.process(&["dev", "--demo", "--port", &port.to_string()]).spawn();
    dev.ready(port, "/readyz", PATIENCE).await;
    let day = Day { http: Client::new(), at: format!("http://127.0.0.1:{port}") };

    // Something of everything, to both.
    let wanted = ["booking_confirmed_", "booking_rescheduled_", "booking_cancelled_by_", "booking_reminder_"];
    let sent = wait_for("the day to have mails of each kind", PATIENCE, || async {
        let sent = day.sent().await;
        let has = |what: &str, role: &str| sent.values().any(|t| t.starts_with(what) && t.ends_with(role));
        wanted.iter().all(|what| has(what, "_student") && has(what, "_instructor")).then_some(sent)
    })
    .await;

    // What the ledger calls sent is in the mailbox, once: its Message-ID begins with the row's id.
    let mut caught: BTreeMap<String, usize> = BTreeMap::new();
    for mail in day.json("/mailbox/messages").await.as_array().unwrap() {
        for verdict in ["spf", "dkim", "dmarc"] {
            assert_eq!(mail[verdict], "pass", "{mail}");
        }
        let raw =
            day.get(&format!("/mailbox/messages/{}/raw", mail["id"].as_str().unwrap())).await.text().await.unwrap();
        let line = raw.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:")).expect("a Message-ID");
        let id = line.split_once('<').and_then(|(_, id)| id.split_once('@')).expect("<id@domain>").0;
        *caught.entry(id.to_owned()).or_default() += 1;
    }
    assert!(caught.values().all(|times| *times == 1), "{caught:?}");
    for (id, template) in &sent {
        assert_eq!(caught.get(id), Some(&1), "{template} {id}");
    }
    assert!(dev.terminate(Duration::from_secs(30)).await.success(), "{}", dev.log());
}
