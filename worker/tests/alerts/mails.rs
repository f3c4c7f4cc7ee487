//! The mails themselves: every one that is written can be filled, and says what it must.

use std::time::Duration;

use alerting::Severity::{Critical, Info};
use alerting::{Alert, Details};
use mail::{Locale, Rendered, Renderer};
use serde_json::json;
use worker::alerts::{AlertRules, Deed};

use crate::stage::{HOUR, MINUTE, Stage, rules};

async fn rendered(stage: &Stage) -> Vec<Rendered> {
    let renderer = Renderer::new(None).unwrap();
    let english = Locale::or_english(None);
    let mails = stage.mails().await;
    mails.iter().map(|mail| renderer.render(&mail.template, &english, &mail.data).unwrap()).collect()
}

#[tokio::test]
async fn what_begins_goes_on_and_ends_is_said_with_its_facts() {
    let stage = Stage::in_memory().await;
    let details: Details = serde_json::from_value(json!({ "runbook_url": "https://ops.test/runbook" })).unwrap();
    let message = "The pool is exhausted.\nRestart the pooler first.".to_owned();
    let id = stage.accept(&[Alert { details, message, ..stage.alert("db.down", Critical) }]).await[0].incident.unwrap();
    stage.look().await;
    stage.play(15 * MINUTE).await;
    stage.context.alerts.handle(&[id], Deed::Acknowledge, "ana", None, stage.now()).await.unwrap();
    stage.clock.advance(Duration::from_secs(11 * MINUTE));
    stage.over_with("db.down").await;
    stage.look().await;
    let [raised, escalated, over, relieved] = &rendered(&stage).await[..] else { panic!() };
    assert_eq!(raised.subject, "[critical] db.down is wrong");
    for part in [
        "The pool is exhausted.",
        "Restart the pooler first.",
        "service: search",
        "type: db.down",
        "https://ops.test/runbook",
        "1 March 2027, 09:00 (UTC)",
    ] {
        assert!(raised.text.contains(part), "{part} in {}", raised.text);
    }
    assert!(escalated.text.contains("Nobody has acknowledged it yet."));
    assert_eq!([&over.subject, &relieved.subject], ["[resolved] db.down is wrong"; 2]);
    assert!(over.text.contains("lasted 26 minutes") && over.text.contains("ana"), "{}", over.text);
}

#[tokio::test]
async fn groups_and_digests_name_what_they_are_about() {
    let mut stage = Stage::in_memory().await;
    stage.fire("a", Info).await;
    stage.fire("b", Info).await;
    stage.play(30).await;
    stage.over_with("a").await;
    stage.fire("c", Info).await;
    stage.play(HOUR).await;
    stage.play_by(AlertRules { mails_per_hour: 2, ..rules() });
    for kind in ["x", "y", "z"] {
        stage.fire(kind, Critical).await;
        stage.look().await;
    }
    stage.play(MINUTE).await;
    let mails = rendered(&stage).await;
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    let expected = [
        "[info] a is wrong and 1 more",
        "[info] c is wrong and 2 more",
        "[critical] x is wrong",
        "[critical] 2 alerts in 1 minute",
    ];
    assert_eq!(subjects, expected);
    assert!(
        mails[1].text.contains("Over:\n- [info] a is wrong") && mails[1].text.contains("Still going on:\n- [info] b"),
        "{}",
        mails[1].text
    );
    assert!(
        mails[3].text.contains("critical: 2 raised, 0 resolved, 2 open") && mails[3].text.contains("z is wrong"),
        "{}",
        mails[3].text
    );
}
