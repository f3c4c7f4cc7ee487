//! Redis forgets everything in the middle of ten thousand bookings, twice, while events come in, mails go out and reminders
//! fall due. Afterwards every mail that must exist does, once, and `postrider reconcile` says so.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use job::{Clock, SystemClock};
use mail::catcher::{Reaction, Script, Step};
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::{Delivery, DeliveryFilter, DeliveryState};
use testkit::{Database, Redis, wait_until};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::load::Client;
use crate::mailroom::Mailroom;
use crate::rig::Rig;
use crate::turn;

/// Bookings, each with mails to both: of every five one is confirmed and soon reminded of, one moved, one cancelled, and two
/// are confirmed.
const BOOKINGS: usize = 10_000;
const OF: usize = 5;
/// Those that are reminded of.
const REMINDED: usize = BOOKINGS / OF;
/// How many are told at the same time.
const LANES: usize = 16;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the marketplace reports of booking `n`, in its order.
fn story(n: usize, soon: Timestamp) -> Vec<Value> {
    let party = |role: &str, zone: &str| {
        json!({"id": format!("{role}_{n}"), "name": format!("The {role}"), "email": format!("{role}-{n}@example.com"),
               "timezone": zone})
    };
    let event = |event: &str, version: usize, starts_at: Timestamp| {
        json!({"event": event, "booking": {
            "version": version, "service": "Piano", "starts_at": starts_at.to_string(), "duration_minutes": 60,
            "student": party("student", "America/New_York"), "instructor": party("instructor", "Europe/Berlin"),
            "reminders": ["1h"],
        }})
    };
    let next_week = soon + SignedDuration::from_hours(7 * 24);
    match n % OF {
        // The reminder is due within moments: an hour before.
        0 => vec![event("confirmed", 1, soon + SignedDuration::from_hours(1))],
        1 => vec![event("confirmed", 1, next_week), event("rescheduled", 2, next_week + SignedDuration::from_hours(1))],
        2 => vec![event("confirmed", 1, next_week), event("cancelled", 2, next_week)],
        _ => vec![event("confirmed", 1, next_week)],
    }
}

/// Reports an event until it is accepted, as often as it is refused for now.
async fn tell(client: &Client, n: usize, event: &Value) {
    loop {
        let answer = client.post(&format!("/v1/bookings/bk_{n}/events"), event).await;
        if matches!(answer.status, StatusCode::ACCEPTED | StatusCode::OK) {
            return;
        }
        answer.assert_unavailable();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The report of `postrider reconcile`.
async fn reconcile(rig: &Rig, args: &[&str]) -> (Option<i32>, Value, String) {
    let args: Vec<&str> = ["reconcile", "--json"].iter().chain(args).copied().collect();
    let (dir, env) = rig.command();
    let out =
        Command::new(env!("CARGO_BIN_EXE_postrider")).args(args).current_dir(dir).envs(env).output().await.unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.code(), serde_json::from_slice(&out.stdout).unwrap_or(Value::Null), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_forgets_everything_amid_ten_thousand_bookings_and_every_mail_exists_once() {
    let _turn = turn::alone().await;
    let (redis, database) = (Redis::start().await, Database::create().await);
    let rig = Rig::on_postgres(&redis.url(), database.url()).await;
    // Mails are many and workers few: each has more of them under way than it would by itself.
    let rig =
        rig.set("WORKER__SWEEP_AFTER", "15s").set("WORKER__CONCURRENCY", "128").set("QUEUES__EMAILS__WEIGHT", "3");
    let (mailroom, rig) = Mailroom::that_only_takes(rig).await;
    let arrived = Arrived::count(&mailroom);
    let api = rig.api().await;
    let _workers = [rig.worker("first").await, rig.worker("second").await];

    // Reminders are scanned all the while.
    let over = CancellationToken::new();
    let scanning = tokio::spawn({
        let (client, over) = (api.client.clone(), over.clone());
        async move {
            let scan = json!({"kind": "reminders.scan", "args": {}, "unique_key": "scan"});
            while over.run_until_cancelled(tokio::time::sleep(Duration::from_millis(500))).await.is_some() {
                client.post("/v1/jobs", &scan).await;
            }
        }
    });
    let soon = SystemClock.now() + SignedDuration::from_secs(45);
    let told = Arc::new(AtomicUsize::new(0));
    // Those that are reminded of first: a reminder that was due before its booking was known would be skipped.
    let order: Vec<usize> = (0..OF).flat_map(|rest| (rest..BOOKINGS).step_by(OF)).collect();
    let order = Arc::new(order);
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (client, told, order) = (api.client.clone(), Arc::clone(&told), Arc::clone(&order));
            tokio::spawn(async move {
                for n in order.iter().skip(lane).step_by(LANES) {
                    for event in story(*n, soon) {
                        tell(&client, *n, &event).await;
                    }
                    told.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    wait_until("half of the bookings are told", PATIENCE, async || told.load(Ordering::Relaxed) > BOOKINGS / 2).await;
    redis.flush().await;
    for lane in lanes {
        lane.await.unwrap();
    }
    wait_until("reminders are under way", PATIENCE, async || reminders(&rig).await > REMINDED).await;
    redis.flush().await;
    wait_until("all reminders are claimed", PATIENCE, async || reminders(&rig).await == 2 * REMINDED).await;
    wait_until("no mail is on its way", PATIENCE, async || !under_way(&rig).await).await;
    over.cancel();
    scanning.await.unwrap();

    // Every event and reminder has its mails, none was made good late, none was missed.
    let (code, report, said) = reconcile(&rig, &["--dry-run"]).await;
    assert_eq!(code, Some(0), "{report} {said}");
    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap();
    let applied: u64 = report["events"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(applied, (BOOKINGS + 2 * BOOKINGS / OF) as u64, "{report}");
    for what in ["mails", "reminders"] {
        assert_eq!(report[what]["expected"], report[what]["present"], "{report}");
        assert_eq!((count(&format!("/{what}/missing")), count(&format!("/{what}/missed"))), (0, 0), "{report}");
    }
    // A confirmation that its successor overtook may have been called off, nothing else.
    let overtaken = report["mails"]["by_state"]["cancelled"].as_u64().unwrap_or(0);
    assert!(overtaken <= (2 * 2 * BOOKINGS / OF) as u64, "{report}");
    assert_eq!(report["reminders"]["by_state"], json!({"sent": 2 * REMINDED}), "{report}");
    assert!(count("/mails/by_state/sent") >= 2 * BOOKINGS as u64, "{report}");

    // And the catcher has each of them once.
    let (sent, arrived) = (sent(&rig).await, arrived.all());
    assert_eq!(sent.len(), arrived.len());
    for id in &sent {
        assert_eq!(arrived.get(id), Some(&1), "{id}");
    }
    println!("{} mails of {BOOKINGS} bookings arrived once each; {report}", sent.len());
}

/// How often each mail has arrived, by its Message-ID.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<HashMap<String, usize>>>);

impl Arrived {
    /// Counts from now on.
    fn count(mailroom: &Mailroom) -> Self {
        let arrived = Self::default();
        let count = arrived.clone();
        let script: Script = Arc::new(move |step: &Step<'_>| {
            if let Step::Dot { message } = step {
                *count.0.lock().unwrap().entry(message_id(message)).or_default() += 1;
            }
            Reaction::Proceed
        });
        mailroom.catcher.set_script(Some(script));
        arrived
    }

    fn all(&self) -> HashMap<String, usize> {
        self.0.lock().unwrap().clone()
    }
}

/// Mails of reminders that are claimed.
async fn reminders(rig: &Rig) -> usize {
    let key = |n: usize| ["student", "instructor"].map(|role| format!("booking:bk_{n}:m0:reminder:1h:{role}"));
    let keys: Vec<String> = (0..BOOKINGS).step_by(OF).flat_map(key).collect();
    rig.store.deliveries_under(&keys).await.unwrap().len()
}

/// Whether an event waits to be applied, or a mail to be sent.
async fn under_way(rig: &Rig) -> bool {
    !rig.store
        .stale_intents(Duration::ZERO, 1, SystemClock.now() + SignedDuration::from_mins(1))
        .await
        .unwrap()
        .is_empty()
}

/// The Message-IDs of all mails that the ledger calls sent.
async fn sent(rig: &Rig) -> Vec<String> {
    let filter = DeliveryFilter { state: Some(DeliveryState::Sent), ..DeliveryFilter::default() };
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = rig.store.list_deliveries(&filter, 1000, cursor.as_deref()).await.unwrap();
        let id = |mail: Delivery| mail.message_id.expect("a sent mail has one").trim_matches(['<', '>']).to_owned();
        all.extend(page.items.into_iter().map(id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

fn message_id(raw: &[u8]) -> String {
    let mut lines = raw.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    let line = lines.find(|line| line.to_ascii_lowercase().starts_with("message-id:")).expect("a Message-ID");
    line.split_once(':').unwrap().1.trim().trim_matches(['<', '>']).to_owned()
}
