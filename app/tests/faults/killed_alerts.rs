//! Workers are killed (SIGKILL) again and again while alerts come in and are told. Every incident has its message, once.

use std::collections::BTreeMap;
use std::time::Duration;

use job::{Clock, SystemClock};
use reqwest::StatusCode;
use serde_json::json;
use store::{DeliveryFilter, DeliveryState};
use testkit::{Database, Redis, wait_until};

use crate::mailroom::Mailroom;
use crate::rig::{DRAIN, Rig, SOON, drained};
use crate::turn;

/// Workers that are killed, and alerts that each of them meets.
const KILLED: usize = 12;
const EACH: usize = 12;
const PERSON: &str = "ops@people.example";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_incident_is_told_once_although_workers_are_killed_while_they_tell() {
    let _turn = turn::beside_others().await;
    let (redis, database) = (Redis::with_aof().await, Database::create().await);
    let rig = Rig::on_postgres(&redis.url(), database.url())
        .await
        .lease(Duration::from_secs(2))
        .set("WORKER__SWEEP_AFTER", "1s")
        .set("ALERTS__EMAIL", PERSON)
        .set("ALERTS__GROUP_WAIT", "0s")
        .set("ALERTS__CAP__MAILS_PER_HOUR", "1000")
        .set("ALERTS__STORM__INCIDENTS_PER_MINUTE", "100000");
    let (mailroom, rig) = Mailroom::open(rig).await;
    let (api, broker) = (rig.api().await, rig.broker());
    let all = async || rig.store.list_deliveries(&DeliveryFilter::default(), 1_000, None).await.unwrap().items;
    for round in 0..KILLED {
        let mut worker = rig.worker(&format!("worker-{round}")).await;
        let before = all().await.len();
        for n in 0..EACH {
            let body = json!({"type": format!("check.{round}.{n}"), "severity": "critical", "title": format!("Check {round}.{n}"),
                              "message": "It fails."});
            let answer = api.client.post("/v1/alerts", &body).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        }
        // Each round it dies a little later: before it tells, while it tells, while it sends.
        wait_until("so many messages are written", SOON, async || all().await.len() >= before + round.min(EACH)).await;
        worker.kill().await;
    }
    let _last = rig.worker("last").await;
    wait_until("every message is sent", DRAIN, async || {
        let mails = all().await;
        mails.len() >= KILLED * EACH && mails.iter().all(|mail| mail.state == DeliveryState::Sent)
    })
    .await;
    wait_until("no row waits for a job", SOON, async || {
        rig.store.stale_intents(Duration::ZERO, 10, SystemClock.now()).await.unwrap().is_empty()
    })
    .await;
    drained(&broker, DRAIN).await;

    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for mail in all().await {
        assert_eq!((mail.recipient.as_str(), mail.template.as_str()), (PERSON, "alert_raised"));
        *written.entry(mail.data["title"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(written.len(), KILLED * EACH, "nobody is muted without a message");
    assert!(written.values().all(|messages| *messages == 1), "and none is written twice: {written:?}");
    // Of a mail that a worker was killed in the middle of, an alert may be sent again: as the same message.
    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in mailroom.mails() {
        let raw = String::from_utf8_lossy(&mail.raw).into_owned();
        let id = raw.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:")).unwrap().to_owned();
        arrived.entry(mail.subject.clone()).or_default().push(id);
    }
    assert_eq!(arrived.len(), KILLED * EACH);
    for (subject, mut ids) in arrived {
        ids.dedup();
        assert_eq!(ids.len(), 1, "{subject}");
    }
    for incident in rig.store.active_incidents(1_000).await.unwrap() {
        let told = rig.store.incident_notifications(incident.id).await.unwrap();
        assert_eq!(told.len(), 1, "{}", incident.title);
    }
}
