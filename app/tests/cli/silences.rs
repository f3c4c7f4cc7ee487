//! `postrider alerts silence|silences|unsilence|route`: made, listed, ended; who would be told.

use crate::harness::Place;

#[tokio::test]
async fn alerts_are_silenced_listed_and_heard_again() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    let said = place
        .ok(&["alerts", "silence", "team=\"db\"", "host=~\"a|b\"", "--for", "2h", "--comment", "disks", "--by", "Ana"])
        .await;
    assert!(said.starts_with("silenced until ") && said.contains("{team=\"db\",host=~\"a|b\"}"), "{said}");
    let listed = place.json(&["alerts", "silences"]).await;
    let row = &listed["items"][0];
    assert_eq!(
        (&row["state"], &row["created_by"], &row["comment"]),
        (&"active".into(), &"Ana".into(), &"disks".into())
    );
    assert_eq!(row["matchers"][1], "host=~\"a|b\"");
    assert_eq!(row["actor"], "the command line");
    let shown = place.ok(&["alerts", "silences"]).await;
    assert!(shown.contains("active") && shown.contains("disks"), "{shown}");
    let id = row["id"].as_str().unwrap();
    assert!(place.ok(&["alerts", "unsilence", id]).await.starts_with("over: "));
    assert!(place.json(&["alerts", "silences"]).await["items"].as_array().unwrap().is_empty());
    assert_eq!(place.json(&["alerts", "silences", "--state", "expired"]).await["items"][0]["id"], id);
}

#[tokio::test]
async fn what_cannot_be_silenced_is_refused_by_name() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    place.run(&["alerts", "silence", "team", "--for", "2h"]).await.refused(2, &["MATCHER", "no matcher"]);
    place.run(&["alerts", "silence", "a=~\"(\"", "--for", "2h"]).await.refused(2, &["unclosed group"]);
    place.run(&["alerts", "silence", "a=~\".*\"", "--for", "2h"]).await.refused(2, &["MATCHER", "match everything"]);
    place.run(&["alerts", "silence", "a=b"]).await.refused(2, &["--for"]);
    place.run(&["alerts", "silence", "a=b", "--for", "2 years"]).await.refused(2, &["length of time"]);
    place.run(&["alerts", "silence", "a=b", "--for", "400d"]).await.refused(2, &["--for, --until", "366 days"]);
    place.run(&["alerts", "silence", "a=b", "--until", "2020-01-01T00:00:00Z"]).await.refused(2, &["--until"]);
    place.run(&["alerts", "silences", "--state", "over"]).await.refused(2, &["pending, active or expired"]);
    place.run(&["alerts", "unsilence", "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77"]).await.refused(1, &["no such silence"]);
}

#[tokio::test]
async fn it_is_said_who_would_be_told_when_and_what_mutes_it() {
    let place = Place::sqlite();
    let file = place.write(
        "routes.toml",
        r#"
        [alerts]
        email = ["ops@example.com"]
        webhook = "https://hooks.example.net/secret-path"
        [alerts.receivers.on_call]
        email = ["ana@example.com"]
        [[alerts.routes]]
        match = ['severity="critical"']
        receiver = "on_call"
        group_wait = "5s"
        escalate = [{ after = "15m", receiver = "operators" }]
        "#,
    );
    let config = ["--config", file.to_str().unwrap()];
    let route = |labels: &'static str| [&["alerts", "route", "--labels", labels][..], &config].concat();
    place.ok(&["migrate"]).await;
    let said = place.ok(&route("severity=critical,type=db")).await;
    assert_eq!(
        said,
        "alertname=\"db\" severity=\"critical\" type=\"db\"\n\n\
         on_call: mail to ana@example.com\n  by route {}/{severity=\"critical\"}\n  together with alertname=\"db\"\n  \
         first 5s after it begins, what is new after 5m, again every 4h\n  \
         not acknowledged after 15m: operators: mail to ops@example.com; webhook\n"
    );
    let json = place.json(&route("severity=warning,type=db,host=\"a, b\"")).await;
    assert_eq!(json["muted"], false);
    assert_eq!(json["told"][0]["receiver"], "operators");
    assert_eq!(json["receivers"]["operators"]["webhook"], true);
    assert_eq!(json["labels"]["host"], "a, b");
    assert!(!json.to_string().contains("secret-path"));

    place.ok(&["alerts", "silence", "type=db", "--for", "1h", "--by", "Ana"]).await;
    let said = place.ok(&route("severity=critical,type=db")).await;
    assert!(said.contains("\nNobody is told:\n  silenced by Ana until "), "{said}");
    let later = [&route("severity=critical,type=db")[..], &["--at", "2099-01-01T00:00:00Z"]].concat();
    assert!(!place.ok(&later).await.contains("Nobody is told"));

    place.run(&route("severity")).await.refused(2, &["--labels", "no matcher"]);
    place.run(&route("severity=~critical")).await.refused(2, &["a=b is expected"]);
}
